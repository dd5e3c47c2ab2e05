import { Elysia, type Context as ElysiaContext } from "elysia";
import type { Context } from "../../domain/context.ts";
import { HubError, invalidInput, notFound } from "../../domain/errors.ts";
import { Authenticator } from "../../domain/tenancy/authenticator.ts";
import { runOnce } from "../../domain/idempotency/run-once.ts";
import { subscribeInvalidation } from "../../platform/invalidation.ts";
import { compileAddressList, senderAddress } from "../../platform/net/address.ts";
import { untilListening } from "../../platform/redis/until-listening.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { createManagementLimits, type ManagementLimits } from "./management-limits.ts";
import { type JsonBodyOptions, readJsonBody } from "./read-json-body.ts";

type Socket = ElysiaContext["server"];

/** What authentication keeps in a process; shared by all route files of one runtime. */
interface Gate {
  runtime: Runtime;
  authenticator: Authenticator;
  limits: ManagementLimits;
  isTrustedProxy: (address: string) => boolean;
  /** One judgement a request, though the parse hook and the derive hook both ask. */
  contexts: WeakMap<Request, Promise<Context>>;
}

const gates = new WeakMap<Runtime, Gate>();

/** Makes the process's gate on first use, and keeps its caches fresh. */
function gateOf(runtime: Runtime): Gate {
  const known = gates.get(runtime);
  if (known !== undefined) return known;
  const authenticator = new Authenticator(runtime);
  const gate: Gate = {
    runtime,
    authenticator,
    limits: createManagementLimits(runtime),
    isTrustedProxy: compileAddressList(runtime.config.trustedProxies),
    contexts: new WeakMap(),
  };
  gates.set(runtime, gate);
  void untilListening(runtime, "API keys", () =>
    subscribeInvalidation(runtime, {
      handlers: {
        api_key: (prefix) => authenticator.invalidateKey(prefix),
        tenant: () => authenticator.clear(),
      },
      onReconnect: () => authenticator.clear(),
    }),
  );
  return gate;
}

/** How the routes of one file differ from the other management routes. */
export interface AuthenticationOptions extends JsonBodyOptions {
  /** False: calls do not count against API_RATE_LIMIT, because the platform's own traffic is bounded elsewhere. */
  isCounted?: boolean;
}

/**
 * Authentication of a route file: `.use(authenticated(runtime))` gives its handlers `ctx`, the verbs' first argument,
 * and `once`. The caller is judged before the body is read, so a stranger gets 401 and never 400, 413 or 422.
 */
export function authenticated(runtime: Runtime, options: AuthenticationOptions = {}) {
  const { isCounted = true } = options;
  const gate = gateOf(runtime);
  return new Elysia({ name: "authenticated", seed: options, normalize: false })
    .onParse({ as: "scoped" }, async function readBodyOfKnownCaller({ request, server, set }) {
      await contextOf(gate, request, server, String(set.headers["x-request-id"]), isCounted);
      return readJsonBody(request, options);
    })
    .onTransform({ as: "scoped" }, function emptyBodyIsAbsent(context) {
      if (context.body === null) (context as { body: unknown }).body = undefined;
      // Where the body may be left out, the framework takes `[]`, `0` and `true` for left out.
      else if (context.body !== undefined && !isObject(context.body))
        throw invalidInput([{ path: "", message: "Expected object" }]);
    })
    .derive({ as: "scoped" }, async function deriveContext({ request, server, set, path }) {
      const ctx = await contextOf(gate, request, server, String(set.headers["x-request-id"]), isCounted);
      /**
       * Runs the verb of a POST that creates, once for an `Idempotency-Key`. `work` gets the context to pass to the
       * verb: what the verb writes and the remembered answer are committed together.
       */
      const once = async <T>(
        status: 200 | 201 | 202,
        input: unknown,
        work: (joined: Context) => Promise<T>,
      ): Promise<T> => {
        const key = request.headers.get("idempotency-key");
        set.status = status;
        if (key === null) return work(ctx);
        const outcome = await runOnce(ctx, { key, request: [request.method, path, input] }, work);
        if (outcome.replayed) set.headers["idempotency-replayed"] = "true";
        return outcome.value;
      };
      return { ctx, once };
    })
    .onTransform({ as: "scoped" }, function refuseOddNames({ params, query, request }) {
      // Postgres stores no NUL, so nothing has such a name, and nothing can be found by one.
      if (Object.values((params ?? {}) as Record<string, string>).some(holdsNul)) throw notFound();
      const faults = Object.entries(query as Record<string, unknown>)
        .filter(([, value]) => holdsNul(value))
        .map(([path]) => ({ path, message: "must not hold NUL" }));
      faults.push(...repeatedParameters(request.url));
      if (faults.length > 0) throw invalidInput(faults);
    });
}

function isObject(body: unknown): boolean {
  return typeof body === "object" && !Array.isArray(body);
}

/** Parameters given more than once: no route takes several values, and the framework would keep the last unsaid. */
function repeatedParameters(url: string): { path: string; message: string }[] {
  const start = url.indexOf("?");
  if (start < 0 || !url.includes("&", start)) return [];
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const name of new URLSearchParams(url.slice(start + 1)).keys())
    (seen.has(name) ? repeated : seen).add(name);
  return [...repeated].map((path) => ({ path, message: "is given more than once" }));
}

/**
 * The caller of a request that never enters the framework. What is proxied counts against no management limit, and a
 * known key costs no question to Redis.
 *
 * @throws HubError 401 `unauthenticated`; 429 `rate_limited` for an address that failed too often
 */
export async function callerOf(
  runtime: Runtime,
  request: Request,
  socketAddress: string | undefined,
  requestId: string,
): Promise<Context> {
  const { authenticator, limits, isTrustedProxy } = gateOf(runtime);
  const sourceIp = senderOf(request, socketAddress, isTrustedProxy);
  try {
    const principal = await authenticator.authenticate(request.headers.get("authorization"), requestId);
    return { runtime, ...principal, requestId, ...(sourceIp === undefined ? {} : { sourceIp }) };
  } catch (error) {
    if (sourceIp !== undefined && error instanceof HubError && error.code === "unauthenticated") {
      await limits.refuseGuesser(sourceIp);
      await limits.countFailedLogin(sourceIp);
    }
    throw error;
  }
}

/** The address of a caller who needs no credential; forwarding headers count from TRUSTED_PROXIES alone. */
export function sourceIpOf(
  runtime: Runtime,
  request: Request,
  socketAddress: string | undefined,
): string | undefined {
  return senderOf(request, socketAddress, gateOf(runtime).isTrustedProxy);
}

function senderOf(
  request: Request,
  socketAddress: string | undefined,
  isTrustedProxy: Gate["isTrustedProxy"],
): string | undefined {
  if (socketAddress === undefined) return undefined;
  return senderAddress(socketAddress, request.headers.get("x-forwarded-for"), isTrustedProxy);
}

function holdsNul(value: unknown): boolean {
  return typeof value === "string" && value.includes("\0");
}

function contextOf(
  gate: Gate,
  request: Request,
  server: Socket,
  requestId: string,
  isCounted: boolean,
): Promise<Context> {
  const known = gate.contexts.get(request);
  if (known !== undefined) return known;
  const judged = judge(gate, request, server, { requestId, isCounted });
  gate.contexts.set(request, judged);
  return judged;
}

async function judge(
  gate: Gate,
  request: Request,
  server: Socket,
  call: { requestId: string; isCounted: boolean },
): Promise<Context> {
  const { requestId, isCounted } = call;
  const { runtime, authenticator, limits } = gate;
  const socketAddress = server?.requestIP(request)?.address;
  const sourceIp = senderOf(request, socketAddress, gate.isTrustedProxy);
  if (sourceIp !== undefined) await limits.refuseGuesser(sourceIp);
  try {
    const principal = await authenticator.authenticate(request.headers.get("authorization"), requestId);
    if (isCounted) await limits.countCall(principal.tenantId);
    return { runtime, ...principal, requestId, ...(sourceIp === undefined ? {} : { sourceIp }) };
  } catch (error) {
    const isFailedLogin = error instanceof HubError && error.code === "unauthenticated";
    if (isFailedLogin && sourceIp !== undefined) await limits.countFailedLogin(sourceIp);
    throw error;
  }
}
