import { subscribeInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { type Context, SCOPES } from "../context.ts";
import { type ErrorCode, HubError } from "../errors.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import type { ProviderAnswer } from "./call-provider.ts";
import { callThroughTemplates } from "./call-through-templates.ts";
import {
  type CallEnd,
  finishCall,
  postponeCall,
  type QueuedCall,
  renewCalls,
  takeCalls,
} from "./call-store.ts";
import { ASYNC_BODY_BYTES_MAX, GATEWAY_CALL_KIND } from "./enqueue-call.ts";
import { GatewayError } from "./gateway-error.ts";
import { presentBytes } from "./present-call.ts";
import { isSafe } from "./retry-policy.ts";
import { withoutCredential } from "./without-credential.ts";

/** Calls of one process at once. */
const CONCURRENCY = 16;
/** Messages about new calls can be lost. */
const POLL_MS = 500;
const LEASE_MS = 30_000;
/** Bytes of an answer that the event carries; the rest is fetched. */
const EVENT_BODY_BYTES = 64 * 1024;
/** Nothing has gone out, and it may be better later. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "rate_limited",
  "queue_full",
  "queue_timeout",
  "circuit_open",
  "gateway_busy",
  "token_unavailable",
  "unavailable",
]);
const POSTPONED_MAX_MS = 60_000;

/** Makes the calls that nobody waits for, and stores what came of them. */
export class CallRunner {
  readonly #runtime: Runtime;
  readonly #running = new Map<string, Promise<void>>();
  readonly #renewing: ReturnType<typeof setInterval>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  #taking: Promise<void> | undefined;
  #isToldAgain = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#renewing = setInterval(() => void this.#renew(), LEASE_MS / 3);
    subscribeInvalidation(runtime, {
      handlers: { [GATEWAY_CALL_KIND]: () => this.#take() },
      onReconnect: () => this.#take(),
    }).catch((error: unknown) => runtime.log.warn({ err: error }, "calls are found by asking only"));
    this.#take();
  }

  /** Takes no more, and waits for those that are under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#taking;
    await Promise.all(this.#running.values());
    clearInterval(this.#renewing);
  }

  #take(): void {
    if (this.#isStopped) return;
    this.#isToldAgain = this.#taking !== undefined;
    this.#taking ??= this.#takeDue()
      .catch((error: unknown) => this.#runtime.log.warn({ err: error }, "calls were not taken"))
      .finally(() => {
        this.#taking = undefined;
        clearTimeout(this.#timer);
        if (this.#isToldAgain) this.#take();
        else this.#timer = setTimeout(() => this.#take(), POLL_MS);
      });
  }

  async #takeDue(): Promise<void> {
    const { sqlSystem, clock, log } = this.#runtime;
    const limit = CONCURRENCY - this.#running.size;
    if (limit <= 0 || this.#isStopped) return;
    const calls = await takeCalls(sqlSystem, { now: new Date(clock.nowMs()), leaseMs: LEASE_MS, limit });
    for (const call of calls) {
      const run = this.#run(call)
        .catch((error: unknown) => log.error({ err: error, callId: call.id }, "call not finished"))
        .finally(() => {
          this.#running.delete(call.id);
          this.#take();
        });
      this.#running.set(call.id, run);
    }
  }

  async #run(call: QueuedCall & { wasStarted: boolean }): Promise<void> {
    const { runtime } = { runtime: this.#runtime };
    const { options } = call;
    const finish = (end: Omit<CallEnd, "finishedAt">): Promise<void> => conclude(runtime, call, end);
    if (call.wasStarted && !isSafe(call.method) && options.idempotencyKey === undefined) {
      const message = "The process that made this call died; whether the provider did it is not known.";
      return finish({
        status: "FAILED",
        attempts: 1,
        logId: undefined,
        error: { code: "outcome_unknown", message },
      });
    }
    const ctx: Context = {
      runtime,
      tenantId: call.tenantId,
      actor: { ...call.actor, scopes: new Set(SCOPES) },
      requestId: call.correlationId,
    };
    let info;
    try {
      const { queueTimeoutMs: _patience, ...rest } = options;
      const answer = await callThroughTemplates(ctx, {
        ...call,
        body: call.body ?? undefined,
        options: rest,
      });
      info = answer.info;
      const response = await withoutCredential(ctx, call.integrationId, await readAnswer(answer));
      await finish({ status: "DONE", attempts: info.attempts, logId: info.logId, response });
    } catch (error) {
      const nowMs = runtime.clock.nowMs();
      if (error instanceof HubError && PASSING.has(error.code) && nowMs < call.expiresAt.getTime()) {
        const pauseMs = Math.min(POSTPONED_MAX_MS, (error.retryAfterSeconds ?? 1) * 1_000);
        await postponeCall(runtime.sqlSystem, call.id, new Date(nowMs + pauseMs * (1 + Math.random() * 0.2)));
        return;
      }
      info = error instanceof GatewayError ? error.info : info;
      if (!(error instanceof HubError)) runtime.log.error({ err: error, callId: call.id }, "call failed");
      await finish({
        status: "FAILED",
        attempts: info?.attempts ?? 0,
        logId: info?.logId,
        error: faultOf(error),
      });
    }
  }

  async #renew(): Promise<void> {
    const ids = [...this.#running.keys()];
    if (ids.length === 0) return;
    const { sqlSystem, clock, log } = this.#runtime;
    try {
      await renewCalls(sqlSystem, ids, new Date(clock.nowMs() + LEASE_MS));
    } catch (error) {
      log.warn({ err: error }, "leases of calls were not renewed");
    }
  }
}

/** Faults of a body that are kept. */
const FAULTS_MAX = 20;

function faultOf(error: unknown): NonNullable<CallEnd["error"]> {
  if (!(error instanceof HubError)) return { code: "upstream_failed", message: "The answer broke off." };
  const { code, message, errors } = error;
  return { code, message, ...(errors === undefined ? {} : { errors: errors.slice(0, FAULTS_MAX) }) };
}

/** Stores the result and tells subscribers of it, in one transaction. */
async function conclude(runtime: Runtime, call: QueuedCall, end: Omit<CallEnd, "finishedAt">): Promise<void> {
  const finishedAt = new Date(runtime.clock.nowMs());
  const { status, response, error, attempts, logId } = end;
  await runtime.sqlSystem.begin(async (tx) => {
    if (!(await finishCall(tx, call.id, { ...end, finishedAt }))) return;
    const isShort = (response?.body.byteLength ?? 0) <= EVENT_BODY_BYTES;
    await publishHubEvents(tx, [
      {
        tenantId: call.tenantId,
        type: "gateway.call_completed",
        orderingKey: call.id,
        occurredAt: finishedAt,
        correlationId: call.correlationId,
        data: {
          callId: call.id,
          integrationId: call.integrationId,
          method: call.method,
          target: call.target,
          status,
          attempts,
          logId: logId ?? null,
          response:
            response === undefined
              ? null
              : {
                  status: response.status,
                  headers: response.headers,
                  ...(isShort ? presentBytes(response.body) : { body: null, bodyEncoding: null }),
                  bodyTruncated: response.isTruncated,
                },
          error: error ?? null,
        },
      },
    ]);
  });
}

async function readAnswer({
  status,
  headers,
  body,
}: ProviderAnswer): Promise<NonNullable<CallEnd["response"]>> {
  // A repeated header becomes one value; without a prototype, because a provider may call one `__proto__`.
  const joined = Object.create(null) as Record<string, string>;
  for (const [name, value] of headers) joined[name] = name in joined ? `${joined[name]}, ${value}` : value;
  if (body instanceof Uint8Array) return { status, headers: joined, body, isTruncated: false };
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    pieces.push(piece);
    size += piece.byteLength;
    if (size > ASYNC_BODY_BYTES_MAX) break;
  }
  const whole = Buffer.concat(pieces);
  return {
    status,
    headers: joined,
    body: whole.subarray(0, ASYNC_BODY_BYTES_MAX),
    isTruncated: size > ASYNC_BODY_BYTES_MAX,
  };
}
