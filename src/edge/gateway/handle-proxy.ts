import type { Server } from "bun";
import type { Context } from "../../domain/context.ts";
import { ERRORS, HubError } from "../../domain/errors.ts";
import { type CallOptions, readCallOptions } from "../../domain/gateway/call-options.ts";
import type { ProviderAnswer } from "../../domain/gateway/call-provider.ts";
import { callThroughTemplates } from "../../domain/gateway/call-through-templates.ts";
import { ASYNC_BODY_BYTES_MAX, enqueueCall } from "../../domain/gateway/enqueue-call.ts";
import { type CallInfo, GatewayError } from "../../domain/gateway/gateway-error.ts";
import { loggedBytes } from "../../domain/gateway/log-try.ts";
import { passedRequestHeaders } from "../../domain/gateway/passed-headers.ts";
import { ReplayableBody } from "../../domain/gateway/replayable-body.ts";
import type { CallBody } from "../../domain/gateway/request-out.ts";
import { runOnce } from "../../domain/idempotency/run-once.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { isUuid } from "../../platform/uuid.ts";
import { readBody } from "../ingress/read-body.ts";
import { requestIdOf } from "../plugins/answer-headers.ts";
import { callerOf } from "../plugins/auth.ts";
import { problemBody } from "../problems.ts";
import { PROXY_METHODS } from "./proxy-document.ts";

const PREFIX = "/api/v1/integrations/";
const INFIX = "/proxy";
/** A body up to this size is read at once; a longer one is passed on as it comes. */
const READ_AT_ONCE_BYTES = 64 * 1024;

/** Where a URL of the proxy has its parts. */
export interface ProxyPath {
  integrationId: string;
  /** Path below the provider's base address, with its query. */
  target: string;
}

/** Takes the URL of a proxy call apart; undefined for any other one. */
export function proxyPathOf(url: string): ProxyPath | undefined {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0 || !url.startsWith(PREFIX, start)) return undefined;
  const idStart = start + PREFIX.length;
  const idEnd = url.indexOf("/", idStart);
  if (idEnd < 0 || !url.startsWith(INFIX, idEnd)) return undefined;
  const end = idEnd + INFIX.length;
  const next = url[end];
  if (next !== undefined && next !== "/" && next !== "?") return undefined;
  return { integrationId: url.slice(idStart, idEnd), target: url.slice(end) };
}

/**
 * The transport of `ANY /api/v1/integrations/:id/proxy/<path>`. Lives outside the framework, which would read bodies and
 * set headers of its own: what the provider answers goes on unchanged.
 */
export async function handleProxy(
  runtime: Runtime,
  request: Request,
  server: Server<undefined>,
  path: ProxyPath,
): Promise<Response> {
  const requestId = requestIdOf(request.headers.get("x-request-id"));
  // A call may wait for its provider for longer than a connection may be silent.
  server.timeout(request, 0);
  try {
    if (!PROXY_METHODS.includes(request.method)) throw new HubError("method_not_allowed");
    const ctx = await callerOf(runtime, request, server.requestIP(request)?.address, requestId);
    if (!isUuid(path.integrationId)) throw new HubError("not_found");
    refuseLostBody(request);
    const options = readCallOptions(request.headers);
    return options.isAsync
      ? await acceptCall(ctx, request, path, options)
      : await passThrough(ctx, request, path, options);
  } catch (error) {
    return refusal(runtime, error, requestId, request.signal.aborted);
  }
}

async function passThrough(
  ctx: Context,
  request: Request,
  path: ProxyPath,
  options: CallOptions,
): Promise<Response> {
  const answer = await callThroughTemplates(ctx, {
    ...path,
    method: request.method,
    headers: passedRequestHeaders(request.headers),
    body: await bodyOf(ctx.runtime, request),
    options,
    signal: request.signal,
  });
  return responseOf(answer, request.method, ctx.requestId);
}

async function bodyOf(runtime: Runtime, request: Request): Promise<CallBody> {
  const declared = request.headers.get("content-length");
  if (declared === null && !request.headers.has("transfer-encoding")) return undefined;
  if (declared === null) return new ReplayableBody(request.body!, undefined, loggedBytes(runtime, "request"));
  const length = Number(declared);
  if (length === 0) return new Uint8Array(0);
  if (length > READ_AT_ONCE_BYTES)
    return new ReplayableBody(request.body!, length, loggedBytes(runtime, "request"));
  const bytes = await readBody(request, length, READ_AT_ONCE_BYTES);
  if (typeof bytes === "string") throw new HubError("bad_request", "The body is shorter than announced.");
  return bytes;
}

/** The runtime throws the body of a GET or HEAD away (RFC 9110 section 9.3.1: it means nothing). */
function refuseLostBody({ method, headers }: Request): void {
  if (method !== "GET" && method !== "HEAD") return;
  const announced = headers.has("transfer-encoding") || Number(headers.get("content-length")) > 0;
  if (announced) throw new HubError("bad_request", `A ${method} with a body cannot be passed on.`);
}

/** 202: the call is stored, and made by a worker. */
async function acceptCall(
  ctx: Context,
  request: Request,
  path: ProxyPath,
  options: CallOptions,
): Promise<Response> {
  const declared = request.headers.get("content-length");
  const body = await readBody(
    request,
    declared === null ? undefined : Number(declared),
    ASYNC_BODY_BYTES_MAX,
  );
  if (body === "too_large")
    throw new HubError("body_too_large", `At most ${ASYNC_BODY_BYTES_MAX} bytes with Prefer: respond-async.`);
  if (body === "incomplete") throw new HubError("bad_request", "The body is shorter than announced.");
  const input = {
    ...path,
    method: request.method,
    headers: passedRequestHeaders(request.headers),
    body: body.byteLength === 0 ? undefined : body,
    options,
  };
  const key = options.idempotencyKey;
  const hash = new Bun.CryptoHasher("sha256").update(body).digest("hex");
  const outcome =
    key === undefined
      ? { value: await enqueueCall(ctx, input), replayed: false }
      : await runOnce(ctx, { key, request: [request.method, path, hash] }, (joined) =>
          enqueueCall(joined, input),
        );
  return new Response(JSON.stringify(outcome.value), {
    status: 202,
    headers: {
      "content-type": "application/json",
      location: `${PREFIX}${path.integrationId}/calls/${outcome.value.id}`,
      "preference-applied": "respond-async",
      "x-request-id": ctx.requestId,
      ...(outcome.replayed ? { "idempotency-replayed": "true" } : {}),
    },
  });
}

function responseOf(
  { status, headers, body, info }: ProviderAnswer,
  method: string,
  requestId: string,
): Response {
  const sent: [string, string][] = [...headers, ...told(info)];
  if (!headers.some(([name]) => name === "x-request-id")) sent.push(["x-request-id", requestId]);
  const isEmpty = method === "HEAD" || status === 204 || status === 205 || status === 304;
  if (isEmpty) return new Response(null, { status, headers: sent });
  if (body instanceof Uint8Array) {
    // The runtime gives bytes without a type one of its own; a stream it leaves alone.
    if (body.byteLength === 0) return new Response(null, { status, headers: sent });
    if (headers.some(([name]) => name === "content-type"))
      return new Response(body as Uint8Array<ArrayBuffer>, { status, headers: sent });
  }
  const pieces = body instanceof Uint8Array ? onePiece(body) : body;
  return new Response(streamOf(pieces), { status, headers: sent });
}

async function* onePiece(bytes: Uint8Array): AsyncIterableIterator<Uint8Array> {
  yield bytes;
}

/** An error ends the connection in the middle, so that nobody takes a part for the whole. */
function streamOf(pieces: AsyncIterableIterator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function told({ logId, attempts, queuedMs, rateRemaining, circuit }: CallInfo): [string, string][] {
  const headers: [string, string][] = [
    ["hub-attempts", String(attempts)],
    ["hub-queued-ms", String(queuedMs)],
  ];
  if (logId !== undefined) headers.push(["hub-log-id", logId]);
  if (rateRemaining !== undefined) headers.push(["hub-rate-remaining", String(rateRemaining)]);
  if (circuit !== undefined) headers.push(["hub-circuit", circuit]);
  return headers;
}

function refusal(runtime: Runtime, error: unknown, requestId: string, isGone: boolean): Response {
  const known = error instanceof HubError ? error : new HubError("internal");
  if (!(error instanceof HubError) && !isGone) runtime.log.error({ err: error, requestId }, "call failed");
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-request-id": requestId,
    "hub-error-source": "hub",
  });
  if (known.retryAfterSeconds !== undefined) headers.set("retry-after", String(known.retryAfterSeconds));
  if (known.code === "unauthenticated") headers.set("www-authenticate", "Bearer");
  if (known.code === "method_not_allowed") headers.set("allow", PROXY_METHODS.join(", "));
  if (known instanceof GatewayError) for (const [name, value] of told(known.info)) headers.set(name, value);
  const detail = error instanceof HubError ? known.message : undefined;
  return new Response(problemBody(known.code, requestId, { detail, errors: known.errors }), {
    status: ERRORS[known.code].status,
    headers,
  });
}
