import type { EgressResult } from "../../platform/egress/exchange.ts";
import { retryAfterSeconds } from "../../platform/egress/retry-after.ts";
import type { Sender } from "../../platform/egress/send.ts";
import { storableJson } from "../../platform/postgres/storable.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { REDACTED } from "../api-logs/secret-names.ts";
import type { CompiledSubscription } from "../subscriptions/compiled-subscription.ts";
import { makePayload, type PayloadDeps } from "./delivery-payload.ts";
import type { AttemptFacts, Delivery } from "./delivery-work.ts";
import { keepAnswer } from "./kept-answer.ts";
import type { AttemptOutcome } from "./next-state.ts";
import { signDelivery } from "./sign-delivery.ts";
import type { Signable } from "./signature-forms.ts";
import type { Authorization, SubscriptionAuthorizer } from "./subscription-auth.ts";

/** What attempts need; made once in a process. */
export interface AttemptDeps extends PayloadDeps {
  sender: Sender;
  authorizer: SubscriptionAuthorizer;
}

/** What one attempt came to, and what the lanes learn from it. */
export interface Attempt {
  facts: AttemptFacts;
  outcome: AttemptOutcome;
  /** The receiver answered 410: it wants nothing more. */
  gone: boolean;
  /** The name, the connection or the TLS handshake failed: counts for the circuit of the host. */
  pathFailed: boolean;
  timedOut: boolean;
  /** The receiver asked for less (429, or 503 with a time); milliseconds, 0 when it gave no time. */
  throttledForMs: number | undefined;
}

/** Nothing was sent, and nothing is counted. */
export interface NotMade {
  notMadeBecause: string;
  /** When to ask again, where that is known. */
  waitMs?: number;
}

/**
 * Makes one HTTP attempt: payload, signature, authentication, request. Success is a 2xx in time; a redirect is a failure
 * and never followed. Never rejects.
 *
 * @param mayStart asked once a connection slot is free; false withholds the request
 */
export async function attemptDelivery(
  deps: AttemptDeps,
  subscription: CompiledSubscription,
  delivery: Delivery,
  mayStart: () => boolean = () => true,
): Promise<Attempt | NotMade> {
  const { runtime, sender, authorizer } = deps;
  const making = makePayload(deps, subscription, delivery.event);
  const payload = making instanceof Promise ? await making : making;
  if (!payload.ok) {
    const { again, message, waitMs } = payload;
    if (again)
      return waitMs === undefined ? { notMadeBecause: message } : { notMadeBecause: message, waitMs };
    return refusedBefore(subscription, payload.code, payload.message, payload.retryable);
  }
  const { body } = payload;
  const signable = {
    id: delivery.event.id,
    timestampSeconds: Math.floor(runtime.clock.nowMs() / 1000),
    body,
  };
  const prepared = prepareHeaders(subscription, delivery, signable, payload.contentType);
  if (typeof prepared === "string") return refusedBefore(subscription, "signing_failed", prepared);
  const authorizing = authorizer.authorize(subscription, signable);
  const authorization = authorizing instanceof Promise ? await authorizing : authorizing;
  if (!authorization.ok) return refusedBefore(subscription, authorization.code, authorization.message, true);
  const facts: AttemptFacts = {
    ...emptyFacts(subscription.url),
    requestHeaders: storableJson(withAdded(prepared, blanked(authorization.headers))),
    requestBody: payload.isStandard || !runtime.config.logRequestBodies ? null : Buffer.from(body).toString(),
  };
  const result = await sender.send({
    key: subscription.id,
    url: authorization.url,
    policy: "public",
    method: "POST",
    headers: withAdded(prepared, authorization.headers),
    body,
    timeoutMs: runtime.config.webhookTimeoutSeconds * 1000,
    repeatable: true,
    slots: allSlots,
    mayStart,
  });
  if (result.kind === "withheld") return { notMadeBecause: "withheld" };
  if (result.kind === "response" && result.status === 401) authorizer.rejected(subscription, authorization);
  if (result.kind === "response")
    Object.assign(facts, keepAnswer(runtime, result, subscription.auth, authorization.token));
  return attemptOf(runtime, facts, result);
}

type Allowed = Extract<Authorization, { ok: true }>;

/** Lanes take turns and leave each other room before they send: no bound for one subscription here. */
const allSlots = (): number => Number.POSITIVE_INFINITY;

function withAdded(
  headers: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  for (const _ in added) return { ...headers, ...added };
  return headers;
}

/** What is secret as a whole stands in the log by its name only. */
function blanked(headers: Allowed["headers"]): Record<string, string> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, REDACTED]));
}

/** @returns the headers, or why the delivery cannot be signed */
function prepareHeaders(
  subscription: CompiledSubscription,
  delivery: Delivery,
  signable: Signable,
  contentType: string,
): Record<string, string> | string {
  const { event, replayId, trigger } = delivery;
  const headers: Record<string, string> = {
    "user-agent": "Integration-Hub/1",
    ...subscription.headers,
    "content-type": contentType,
    "hub-delivery-id": delivery.id,
    "hub-attempt": String(delivery.attempts + 1),
  };
  if (event.traceparent !== undefined) headers["traceparent"] = event.traceparent;
  if (replayId !== undefined) headers["hub-replay"] = replayId;
  if (trigger === "TEST") headers["hub-test"] = "true";
  try {
    return Object.assign(headers, signDelivery(subscription, signable));
  } catch (error) {
    return (error as Error).message;
  }
}

function emptyFacts(url: string): AttemptFacts {
  return {
    id: newId(),
    url,
    requestHeaders: "{}",
    requestBody: null,
    responseStatus: null,
    responseHeaders: null,
    responseBody: null,
    responseTimeMs: null,
    errorCode: null,
    errorMessage: null,
  };
}

/** A failed attempt that never got as far as a request. */
function refusedBefore(
  subscription: CompiledSubscription,
  errorCode: string,
  errorMessage: string,
  retryable = false,
): Attempt {
  return {
    facts: { ...emptyFacts(subscription.url), errorCode, errorMessage },
    outcome: { kind: "failed", retryable },
    gone: false,
    pathFailed: false,
    timedOut: false,
    throttledForMs: undefined,
  };
}

type Settled = Exclude<EgressResult, { kind: "withheld" }>;

function attemptOf(runtime: Runtime, sent: AttemptFacts, result: Settled): Attempt {
  const responseTimeMs = Math.round(result.timings.totalMs);
  if (result.kind !== "response") {
    const errorCode = result.kind === "timeout" ? "timeout" : result.code;
    const isPath = "phase" in result && ["dns", "connect", "tls"].includes(result.phase);
    return {
      facts: { ...sent, responseTimeMs, errorCode, errorMessage: result.message },
      outcome: { kind: "failed", retryable: true },
      gone: false,
      pathFailed: isPath,
      timedOut: result.kind === "timeout",
      throttledForMs: undefined,
    };
  }
  const { status, headers } = result;
  const isDelivered = status >= 200 && status < 300;
  const waitSeconds = isDelivered
    ? undefined
    : retryAfterSeconds(headers.get("retry-after"), runtime.clock.nowMs());
  const retryAfterMs = waitSeconds === undefined ? undefined : waitSeconds * 1000;
  const gone = status === 410;
  const throttled = status === 429 || (status === 503 && retryAfterMs !== undefined);
  return {
    facts: {
      ...sent,
      responseStatus: status,
      responseTimeMs,
      errorCode: isDelivered ? null : codeOf(status),
      errorMessage: isDelivered ? null : messageOf(status),
    },
    outcome: isDelivered ? { kind: "delivered" } : { kind: "failed", retryable: !gone, retryAfterMs },
    gone,
    pathFailed: false,
    timedOut: false,
    throttledForMs: throttled ? (retryAfterMs ?? 0) : undefined,
  };
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

function codeOf(status: number): string {
  return isRedirect(status) ? "redirect_not_followed" : "response_status";
}

function messageOf(status: number): string {
  const hint = isRedirect(status) ? "; redirects are not followed: the subscription needs the final url" : "";
  return `The receiver answered ${status}${hint}`;
}
