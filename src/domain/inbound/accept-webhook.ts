import { isUtf8 } from "node:buffer";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { senderAddress } from "../../platform/net/address.ts";
import type { ErrorCode } from "../errors.ts";
import type { InboundMessage } from "../events/topics.ts";
import type { AcceptBatcher } from "./accept-batch.ts";
import { EndpointUnavailableError, type CachedEndpoint, type EndpointCache } from "./endpoint-cache.ts";
import { dedupeValue, readDedupeValue } from "./event-key.ts";
import { LARGE_BODY_BYTES, saveLargeBody } from "./large-bodies.ts";
import type { FixedAnswer, SignedRequest } from "./schemes/scheme.ts";

/** An inbound request as the transport saw it; nothing is read before it is asked for. */
export interface WebhookRequest {
  method: string;
  /** `<tenant>/<endpoint path>`. */
  endpointKey: string;
  /** Path and query as received. */
  target: string;
  headers: Headers;
  /** Exact bytes of the body; refuses more than `maxBytes`, and a body that the client did not finish. */
  readBody(maxBytes: number): Promise<Uint8Array | "too_large" | "incomplete">;
  socketAddress(): string;
}

/** What the sender is told. */
export type WebhookAnswer =
  | {
      kind: "receipt";
      receiptId: string;
      status: "accepted" | "duplicate";
      requestId: string;
      answer: FixedAnswer | undefined;
    }
  | { kind: "fixed"; answer: FixedAnswer }
  | {
      kind: "refused";
      code: ErrorCode;
      outcome: RefusalOutcome;
      requestId: string;
      retryAfterSeconds?: number;
      allow?: string;
    };

/** Causes of refusal, as counted in `hub_accept_total{outcome}`; finer than what the sender is told. */
const REFUSAL_OUTCOMES = [
  "unknown_endpoint",
  "malformed",
  "method",
  "disabled",
  "too_large",
  "incomplete",
  "encoding",
  "source",
  "header_doubled",
  "signature",
  "rate_limited",
  "partition_full",
  "tenant_full",
  "memory_full",
  "redis_away",
  "postgres_away",
  "busy",
] as const;

export type RefusalOutcome = (typeof REFUSAL_OUTCOMES)[number];

/** Every way that an inbound request can end. */
export const ACCEPT_OUTCOMES = [
  "accepted",
  "duplicate",
  "body_conflict",
  "challenge",
  ...REFUSAL_OUTCOMES,
] as const;

export type AcceptOutcomeName = (typeof ACCEPT_OUTCOMES)[number];

/** What accepting needs; made once in a process. */
export interface AcceptDeps {
  runtime: Runtime;
  endpoints: EndpointCache;
  batcher: AcceptBatcher;
  /** Judges by sums that are refreshed in the background; undefined: there is room. */
  capacityRefusal(tenantId: string): "tenant_full" | "memory_full" | "redis_away" | undefined;
  isTrustedProxy(address: string): boolean;
  count(outcome: AcceptOutcomeName): void;
}

/** Seconds after which a refused sender should try again when the cause is ours. */
const RETRY_AFTER_SECONDS = 2;

const CONTENT_ENCODINGS = new Set(["identity", "gzip", "x-gzip", "deflate", "br"]);

/**
 * Takes one inbound webhook through the steps of DESIGN.md section 5: endpoint, body, source address, signature, event
 * id, then one place in the micro-batch. Every refusal comes before any write. A receipt is answered only after Redis
 * has fsynced it.
 */
export async function acceptWebhook(deps: AcceptDeps, request: WebhookRequest): Promise<WebhookAnswer> {
  const receiptId = newId();
  const requestId = correlationId(request.headers.get("x-request-id")) ?? receiptId;
  const refuse = (
    code: ErrorCode,
    outcome: RefusalOutcome,
    retryAfterSeconds?: number,
    allow?: string,
  ): WebhookAnswer => {
    deps.count(outcome);
    return {
      kind: "refused",
      code,
      outcome,
      requestId,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(allow === undefined ? {} : { allow }),
    };
  };

  let endpoint: CachedEndpoint | null;
  try {
    const found = deps.endpoints.byPath(request.endpointKey);
    endpoint = found instanceof Promise ? await found : found;
  } catch (error) {
    if (!(error instanceof EndpointUnavailableError)) throw error;
    return refuse("unavailable", "postgres_away", RETRY_AFTER_SECONDS);
  }
  if (endpoint === null) return refuse("not_found", "unknown_endpoint");
  if (endpoint.status === "DISABLED") return refuse("endpoint_disabled", "disabled");

  const { headers } = request;
  if (request.method !== "POST") {
    const challenge = endpoint.challenge?.(signedRequest(deps.runtime, request, NO_BODY));
    if (challenge === undefined) return refuse("method_not_allowed", "method", undefined, endpoint.allow);
    deps.count("challenge");
    return { kind: "fixed", answer: challenge };
  }
  const encoding = headers.get("content-encoding");
  if (encoding !== null && !CONTENT_ENCODINGS.has(encoding.toLowerCase()))
    return refuse("unsupported_media_type", "encoding");
  const full = deps.capacityRefusal(endpoint.tenantId);
  if (full !== undefined)
    return refuse(full === "redis_away" ? "unavailable" : "capacity_exceeded", full, RETRY_AFTER_SECONDS);

  const sourceIp = senderAddress(
    request.socketAddress(),
    headers.get("x-forwarded-for"),
    deps.isTrustedProxy,
  );
  if (endpoint.isAllowedSource !== undefined && !endpoint.isAllowedSource(sourceIp))
    return refuse("source_not_allowed", "source");

  const body = await request.readBody(endpoint.maxBodyBytes);
  if (body === "too_large") return refuse("body_too_large", "too_large");
  if (body === "incomplete") return refuse("malformed_request", "incomplete");

  const signed = signedRequest(deps.runtime, request, body);
  const verdict = endpoint.verify(signed);
  if (!verdict.ok) {
    if (verdict.cause === "header_doubled") return refuse("header_doubled", "header_doubled");
    return refuse("signature_invalid", "signature");
  }
  const challenge = endpoint.challenge?.(signed);
  if (challenge !== undefined) {
    deps.count("challenge");
    return { kind: "fixed", answer: challenge };
  }

  const stored = endpoint.storableBody?.(body) ?? body;
  const message = describe(endpoint, request, { receiptId, requestId, sourceIp, body, stored });
  if (
    message.bodyEncoding === "large" &&
    !(await saveLargeBody(deps.runtime, endpoint.tenantId, receiptId, stored))
  ) {
    return refuse("unavailable", "postgres_away", RETRY_AFTER_SECONDS);
  }
  const outcome = await deps.batcher.add({
    endpoint,
    eventKey: message.eventKey,
    dedupeValue: dedupeValue(
      receiptId,
      body,
      message.eventId === null ? Math.floor(signed.nowMs / 1000) : undefined,
    ),
    meta: JSON.stringify(message),
    body: entryBody(message, stored),
  });
  switch (outcome.status) {
    case "accepted":
      deps.count("accepted");
      return { kind: "receipt", receiptId, status: "accepted", requestId, answer: endpoint.acceptedAnswer };
    case "duplicate": {
      const first = readDedupeValue(outcome.dedupeValue, body);
      deps.count(first.sameBody ? "duplicate" : "body_conflict");
      return {
        kind: "receipt",
        receiptId: first.receiptId,
        status: "duplicate",
        requestId,
        answer: endpoint.acceptedAnswer,
      };
    }
    case "rate_limited":
      return refuse("rate_limited", "rate_limited", Math.max(1, Math.ceil(outcome.retryAfterMs / 1000)));
    case "full":
      return refuse("capacity_exceeded", "partition_full", RETRY_AFTER_SECONDS);
    case "unavailable":
      return refuse("unavailable", "redis_away", RETRY_AFTER_SECONDS);
  }
}

/** X-Request-Id when it is at most 100 ordinary characters; anything odd is replaced. */
export function correlationId(given: string | null): string | undefined {
  return given !== null && /^[\w.:/+=@-]{1,100}$/.test(given) ? given : undefined;
}

const NO_BODY = new Uint8Array(0);

function signedRequest(runtime: Runtime, request: WebhookRequest, rawBody: Uint8Array): SignedRequest {
  return {
    method: request.method,
    publicUrl: () => runtime.config.publicUrl + request.target,
    headers: request.headers,
    query: queryOf(request.target),
    rawBody,
    nowMs: runtime.clock.nowMs(),
  };
}

function queryOf(target: string): string {
  const at = target.indexOf("?");
  return at < 0 ? "" : target.slice(at + 1);
}

function describe(
  endpoint: CachedEndpoint,
  request: WebhookRequest,
  seen: { receiptId: string; requestId: string; sourceIp: string; body: Uint8Array; stored: Uint8Array },
): InboundMessage {
  const { body, stored } = seen;
  const eventId = endpoint.eventIdOf(request.headers, body) ?? null;
  return {
    id: seen.receiptId,
    tenantId: endpoint.tenantId,
    endpointId: endpoint.id,
    eventKey: endpoint.eventKeyOf(eventId ?? body),
    eventId,
    eventType: endpoint.eventTypeOf(request.headers, body) ?? null,
    path: endpoint.storablePath(request.target),
    headers: endpoint.storableHeaders(request.headers),
    sourceIp: seen.sourceIp,
    requestId: seen.requestId,
    bodyEncoding: stored.byteLength > LARGE_BODY_BYTES ? "large" : isUtf8(stored) ? "utf8" : "base64",
    bodySize: stored.byteLength,
  };
}

function entryBody(message: InboundMessage, body: Uint8Array): string | Uint8Array {
  if (message.bodyEncoding === "large") return "";
  return message.bodyEncoding === "base64" ? Buffer.from(body).toString("base64") : body;
}
