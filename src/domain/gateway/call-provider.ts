import type { StreamedAnswer, StreamFailure } from "../../platform/egress/streamed-exchange.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { type Context, requireScope } from "../context.ts";
import { HubError } from "../errors.ts";
import { loadIntegration } from "../integrations/load-integration.ts";
import { buildUrl } from "../providers/build-url.ts";
import type { CallOptions } from "./call-options.ts";
import { CallRun, checkCallable, type Tried } from "./call-run.ts";
import { type CallInfo, GatewayError } from "./gateway-error.ts";
import { inFlightOf } from "./in-flight.ts";
import { JUDGED_BYTES, judgeFailure } from "./judge-answer.ts";
import { passedAnswerHeaders } from "./passed-headers.ts";
import { ReplayableBody } from "./replayable-body.ts";
import type { CallBody } from "./request-out.ts";
import { RetryBudget } from "./retry-budget.ts";
import { pauseBeforeRetry } from "./retry-policy.ts";
import { upstreamOf } from "./upstream.ts";

/** A caller's request for a provider. */
export interface CallInput {
  integrationId: string;
  method: string;
  /** Path below the provider's base address, with its query. */
  target: string;
  /** From `passedRequestHeaders`. */
  headers: Readonly<Record<string, string>>;
  body: CallBody;
  options: CallOptions;
  signal?: AbortSignal | undefined;
}

/** A provider's answer as it goes on to the caller. */
export interface ProviderAnswer {
  status: number;
  headers: [string, string][];
  /** The whole of it where it is short; else pieces, which throw when the provider breaks off. */
  body: Uint8Array | AsyncIterableIterator<Uint8Array>;
  info: CallInfo;
}

const budgets = new WeakMap<Runtime, RetryBudget>();

function budgetOf(runtime: Runtime): RetryBudget {
  let budget = budgets.get(runtime);
  if (budget === undefined) budgets.set(runtime, (budget = new RetryBudget()));
  return budget;
}

/**
 * Calls a provider for a tenant: with the credential of the integration, within the provider's limits, through its
 * circuit, tried again where that does no harm, and with a log row for each try.
 *
 * @returns the provider's answer, whatever its status
 * @throws HubError 400 `path_invalid`; 403 `forbidden`; 404 `not_found`; 409 `integration_paused` or
 * `reauthorization_required`; 429 `rate_limited`, `queue_full` or `queue_timeout`; 502 `upstream_failed`; 503
 * `circuit_open`, `gateway_busy`, `token_unavailable` or `unavailable`; 504 `upstream_timeout`
 */
export async function callProvider(ctx: Context, input: CallInput): Promise<ProviderAnswer> {
  requireScope(ctx, "gateway:call");
  const { runtime } = ctx;
  const integration = await loadIntegration(ctx, input.integrationId);
  checkCallable(integration);
  const { baseUrl } = upstreamOf(runtime, integration);
  const built = buildUrl(baseUrl, input.target);
  if (!built.ok) throw new HubError("path_invalid", `${built.message} (${built.code}).`);
  if (inFlightOf(runtime).isFull) throw new HubError("gateway_busy", undefined, { retryAfterSeconds: 1 });
  const run = new CallRun(ctx, { ...input, integration });
  const budget = budgetOf(runtime);
  const key = `${integration.id} ${baseUrl}`;
  budget.earn(key);
  try {
    return await passOn(run, await tryUntilDone(run, budget, key));
  } catch (error) {
    if (error instanceof GatewayError) tellRefused(run, error);
    throw error;
  }
}

/** Tries until an answer is worth handing on. */
async function tryUntilDone(run: CallRun, budget: RetryBudget, upstream: string): Promise<Tried> {
  const { method, options, body, integration, signal } = run.call;
  const retriesMax = options.retries ?? (integration.retryEnabled ? integration.maxRetries : 0);
  let retries = 0;
  let rejectedToken: string | undefined;
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- a try follows what the one before came to
    const tried = await run.try(rejectedToken);
    const { verdict } = tried;
    if (verdict.action === "ok" || verdict.action === "ignore" || verdict.action === "fail") return tried;
    if (signal?.aborted === true) return tried;
    const isBodyThere = !(body instanceof ReplayableBody) || body.rewind();
    if (verdict.action === "refresh_then_retry") {
      // Once: a new token that is refused too will not get better.
      if (tried.token === undefined || rejectedToken !== undefined || !isBodyThere) return tried;
      rejectedToken = tried.token;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await discard(tried);
      continue;
    }
    const failed = {
      method,
      verdict,
      isSent: tried.isSent,
      hasIdempotencyKey: options.idempotencyKey !== undefined,
      isBodyThere,
      retries,
      retriesMax,
      leftMs: run.leftMs,
    };
    const pauseMs = pauseBeforeRetry(failed, Math.random());
    if (pauseMs === undefined || !budget.take(upstream)) return tried;
    retries++;
    // oxlint-disable-next-line no-await-in-loop -- as above
    await discard(tried);
    // oxlint-disable-next-line no-await-in-loop -- as above
    await pause(pauseMs, signal);
  }
}

/** An answer that nobody gets: its connection serves on when the rest of it is short. */
async function discard({ answer, settle, note }: Tried): Promise<void> {
  if (answer !== undefined) {
    note((await answer.peek(JUDGED_BYTES)).slice());
    if (!answer.isComplete) answer.cancel();
  }
  await settle();
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = (): void => resolve();
  signal?.addEventListener("abort", wake, { once: true });
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener("abort", wake);
}

/** The answer of the last try for the caller, or the error that stands for it. */
async function passOn(run: CallRun, tried: Tried): Promise<ProviderAnswer> {
  const { answer, failure, proof, verdict } = tried;
  if (answer === undefined || failure !== undefined) {
    if (answer !== undefined) tried.note((await answer.peek(JUDGED_BYTES)).slice());
    await tried.settle();
    run.conclude(verdict, proof);
    throw unanswered(run, failure!);
  }
  const headers = passedAnswerHeaders(
    answer.headers,
    proof.hide,
    run.call.method === "HEAD" || answer.status === 304,
  );
  if (answer.isComplete) {
    const body = (await allOf(answer)) ?? new Uint8Array(0);
    tried.note(body);
    const settled = tried.settle();
    if (verdict.action !== "ok") await settled;
    run.conclude(verdict, proof);
    return { status: answer.status, headers, body, info: run.info };
  }
  return { status: answer.status, headers, body: piecesOf(run, tried, answer), info: run.info };
}

function unanswered(run: CallRun, failure: StreamFailure): HubError {
  if (failure.kind === "timeout") return run.error("upstream_timeout", `${failure.message}.`);
  if (failure.kind === "error" && failure.code === "request_invalid")
    return run.error("bad_request", `${failure.message}.`);
  return run.error("upstream_failed", `${failure.code}: ${failure.message}.`);
}

async function allOf(answer: StreamedAnswer): Promise<Uint8Array | undefined> {
  const first = await answer.read();
  if (first === undefined) return undefined;
  const pieces = [first];
  for (let piece = await answer.read(); piece !== undefined; piece = await answer.read()) pieces.push(piece);
  return pieces.length === 1 ? first : Buffer.concat(pieces);
}

/** The body in pieces; the try is over with the last of them, when the provider breaks off, or when the caller goes. */
function piecesOf(run: CallRun, tried: Tried, answer: StreamedAnswer): AsyncIterableIterator<Uint8Array> {
  // Also when nobody reads any more.
  void answer.ended.then((failure) => {
    if (failure === undefined) return undefined;
    run.conclude(judgeFailure(failure), tried.proof);
    return tried.settle(failure);
  });
  const done = { done: true, value: undefined } as const;
  return {
    async next() {
      const piece = await answer.read();
      if (piece !== undefined) {
        tried.note(piece);
        return { done: false, value: piece };
      }
      run.conclude(tried.verdict, tried.proof);
      await tried.settle();
      return done;
    },
    async return() {
      answer.cancel();
      await tried.settle(await answer.ended);
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** A call that the hub did not let out is an error of the integration too. */
function tellRefused(run: CallRun, { code, message }: GatewayError): void {
  if (code === "circuit_open") run.tell("outage", { code, message });
  else if (code === "rate_limited" || code === "queue_full" || code === "queue_timeout")
    run.tell("limit", { code, message });
}
