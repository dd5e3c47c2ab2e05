import { isUtf8 } from "node:buffer";
import { senderOf } from "../../platform/egress/runtime-sender.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { senderAddress } from "../../platform/net/address.ts";
import { systemContext } from "../context.ts";
import type { ErrorCode } from "../errors.ts";
import type { InboundMessage } from "../events/topics.ts";
import type { AcceptBatcher } from "./accept-batch.ts";
import { confirmSubscription } from "./confirm-subscription.ts";
import { EndpointUnavailableError, type CachedEndpoint, type EndpointCache } from "./endpoint-cache.ts";
import { establishSecret } from "./establish-secret.ts";
import { dedupeValue, readDedupeValue } from "./event-key.ts";
import { LARGE_BODY_BYTES, saveLargeBody } from "./large-bodies.ts";
import type { Inspection } from "./inspect-webhook.ts";
import { LARGE_INSPECTION_BYTES, type LargeInspector } from "./large-inspector.ts";
import type { RefusalSink } from "./rejections/refused-request.ts";
import type { FixedAnswer, SignatureCause, SignedRequest } from "./schemes/scheme.ts";
import { fetchSigningCertificate } from "./schemes/signing-certificates.ts";

/** An inbound request as the transport saw it; nothing is read before it is asked for. */
export interface WebhookRequest {
  method: string;
  /** `<tenant>/<endpoint path>`. */
  endpointKey: string;
  /** Path and query as received. */
  target: string;
  headers: Headers;
  /** Exact bytes of the body; refuses more than `maxBytes`, what the client did not finish, and what has no room now. */
  readBody(maxBytes: number): Promise<Uint8Array | "too_large" | "incomplete" | "busy">;
  socketAddress(): string;
  /** When a request that is verified again was received, milliseconds since the epoch; left out: now. */
  receivedAtMs?: number;
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
      authenticate?: string;
      /** What the provider wants to be told instead. */
      answer?: FixedAnswer;
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
  "provider_away",
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

type InspectedEvent = Extract<Inspection, { kind: "event" }>;

/** What accepting needs; made once in a process. */
export interface AcceptDeps {
  runtime: Runtime;
  endpoints: Pick<EndpointCache, "byPath">;
  batcher: AcceptBatcher;
  largeInspector: LargeInspector;
  /** Judges by sums that are refreshed in the background; undefined: there is room. */
  capacityRefusal(tenantId: string): "tenant_full" | "memory_full" | "redis_away" | undefined;
  isTrustedProxy(address: string): boolean;
  count(outcome: AcceptOutcomeName): void;
  rejections: RefusalSink;
}

/** Seconds after which a refused sender should try again when the cause is ours. */
const SOON = { retryAfterSeconds: 2 };

const CONTENT_ENCODINGS = new Set(["", "identity", "gzip", "x-gzip", "deflate", "br"]);

type Refused = Extract<WebhookAnswer, { kind: "refused" }>;

/** A refusal on its way out of the steps. */
class Refusal extends Error {
  constructor(
    readonly code: ErrorCode,
    readonly outcome: RefusalOutcome,
    readonly more: Pick<Refused, "retryAfterSeconds" | "allow" | "authenticate" | "answer"> = {},
    /** Finer than the outcome, for the operator. */
    readonly detail: string = outcome,
  ) {
    super(code);
  }
}

/**
 * Takes one inbound webhook through the steps of DESIGN.md section 5: endpoint, body, source address, signature, event
 * id, then one place in the micro-batch. Every refusal comes before any write. A receipt is answered only after Redis
 * has fsynced it.
 */
export async function acceptWebhook(deps: AcceptDeps, request: WebhookRequest): Promise<WebhookAnswer> {
  const receiptId = newId();
  const requestId = correlationId(request.headers.get("x-request-id")) ?? receiptId;
  let received: Uint8Array | undefined;
  let known: CachedEndpoint | null | undefined;
  try {
    const found = findEndpoint(deps, request);
    known = found instanceof Promise ? await found : found;
    const endpoint = usable(known);
    if (request.method !== "POST") return answerProbe(deps, endpoint, request);
    const sourceIp = checkSender(deps, endpoint, request);
    const body = await request.readBody(endpoint.maxBodyBytes);
    if (body === "too_large") throw new Refusal("body_too_large", "too_large");
    if (body === "incomplete") throw new Refusal("malformed_request", "incomplete");
    if (body === "busy") throw new Refusal("unavailable", "busy", { retryAfterSeconds: 1 });
    received = body;
    const signed = signedRequest(deps.runtime, request, body);
    let inspection: Inspection;
    if (body.byteLength < LARGE_INSPECTION_BYTES) inspection = endpoint.inspect(signed);
    else ({ inspection, body: received } = await deps.largeInspector.inspect(endpoint.recipe, signed));
    if (inspection.kind === "certificate_unknown") {
      inspection = await inspectWithCertificate(deps, endpoint, signed, inspection.certificateUrl);
    }
    if (inspection.kind === "refused") throw refusedSignature(inspection.cause, endpoint);
    if (inspection.kind === "handshake") return await answerHandshake(deps, endpoint, inspection, requestId);
    if (inspection.kind === "challenge") {
      deps.count("challenge");
      return { kind: "fixed", answer: inspection.answer };
    }
    if (inspection.confirmationUrl !== undefined) await confirm(deps, inspection.confirmationUrl);
    const message = describe(endpoint, request, inspection, { receiptId, requestId, sourceIp });
    return await enqueue(deps, endpoint, message, inspection);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    deps.count(error.outcome);
    const { code, detail: cause } = error;
    deps.rejections.add({ id: receiptId, requestId, request, endpoint: known, body: received, code, cause });
    return { kind: "refused", code: error.code, outcome: error.outcome, requestId, ...error.more };
  }
}

function findEndpoint(
  deps: AcceptDeps,
  request: WebhookRequest,
): CachedEndpoint | null | Promise<CachedEndpoint | null> {
  const found = deps.endpoints.byPath(request.endpointKey);
  if (!(found instanceof Promise)) return found;
  return found.catch((error: unknown) => {
    if (!(error instanceof EndpointUnavailableError)) throw error;
    throw new Refusal("unavailable", "postgres_away", SOON);
  });
}

function usable(endpoint: CachedEndpoint | null): CachedEndpoint {
  if (endpoint === null) throw new Refusal("not_found", "unknown_endpoint");
  if (endpoint.status === "DISABLED") throw new Refusal("endpoint_disabled", "disabled");
  return endpoint;
}

/** GET and HEAD are answered where the provider asks so whether somebody listens. */
function answerProbe(deps: AcceptDeps, endpoint: CachedEndpoint, request: WebhookRequest): WebhookAnswer {
  checkSource(deps, endpoint, request);
  const answer = endpoint.challenge?.(signedRequest(deps.runtime, request, NO_BODY));
  if (answer === undefined) throw new Refusal("method_not_allowed", "method", { allow: endpoint.allow });
  deps.count("challenge");
  return { kind: "fixed", answer };
}

/** What can be judged before the body is read. */
function checkSender(deps: AcceptDeps, endpoint: CachedEndpoint, request: WebhookRequest): string {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && !CONTENT_ENCODINGS.has(encoding.toLowerCase())) {
    throw new Refusal("unsupported_media_type", "encoding");
  }
  const full = deps.capacityRefusal(endpoint.tenantId);
  if (full !== undefined) {
    throw new Refusal(full === "redis_away" ? "unavailable" : "capacity_exceeded", full, SOON);
  }
  return checkSource(deps, endpoint, request);
}

/** The sender's address, which the endpoint's list must hold if it has one. */
function checkSource(deps: AcceptDeps, endpoint: CachedEndpoint, request: WebhookRequest): string {
  const forwardedFor = request.headers.get("x-forwarded-for");
  const sourceIp = senderAddress(request.socketAddress(), forwardedFor, deps.isTrustedProxy);
  if (endpoint.isAllowedSource !== undefined && !endpoint.isAllowedSource(sourceIp)) {
    throw new Refusal("source_not_allowed", "source");
  }
  return sourceIp;
}

/** One answer for all causes, except for what makes the request ambiguous. */
function refusedSignature(cause: SignatureCause, endpoint: CachedEndpoint): Refusal {
  if (cause === "header_doubled") return new Refusal("header_doubled", "header_doubled");
  const { refusedAnswer: answer, authenticate } = endpoint;
  const more = {
    ...(answer === undefined ? {} : { answer }),
    ...(authenticate === undefined ? {} : { authenticate }),
  };
  return new Refusal("signature_invalid", "signature", more, cause);
}

type Judged = Exclude<Inspection, { kind: "certificate_unknown" }>;

/** Fetches the certificate that was missing and judges again; rare, because certificates are kept for a day. */
async function inspectWithCertificate(
  deps: AcceptDeps,
  endpoint: CachedEndpoint,
  signed: SignedRequest,
  certificateUrl: string,
): Promise<Judged> {
  const sender = senderOf(deps.runtime);
  const fetched = await fetchSigningCertificate(sender, certificateUrl, signed.nowMs);
  const inspection = fetched ? endpoint.inspect(signed) : undefined;
  if (inspection === undefined || inspection.kind === "certificate_unknown") {
    throw new Refusal("unavailable", "provider_away", SOON);
  }
  return inspection;
}

/** The confirmation comes before the 200: a provider repeats what was not acknowledged, so none is lost. */
async function confirm(deps: AcceptDeps, url: string): Promise<void> {
  if (!(await confirmSubscription(senderOf(deps.runtime), url))) {
    throw new Refusal("unavailable", "provider_away", SOON);
  }
}

async function answerHandshake(
  deps: AcceptDeps,
  endpoint: CachedEndpoint,
  { header, secret }: Extract<Inspection, { kind: "handshake" }>,
  requestId: string,
): Promise<WebhookAnswer> {
  const ctx = systemContext(deps.runtime, endpoint.tenantId, "webhook handshake", requestId);
  const taken = await establishSecret(ctx, { id: endpoint.id, secret });
  if (!taken) throw refusedSignature("mismatch", endpoint);
  deps.count("challenge");
  return { kind: "fixed", answer: { status: 200, headers: { [header]: secret }, body: "" } };
}

async function enqueue(
  deps: AcceptDeps,
  endpoint: CachedEndpoint,
  message: InboundMessage,
  event: InspectedEvent,
): Promise<WebhookAnswer> {
  const { id: receiptId, requestId } = message;
  if (message.bodyEncoding === "large") {
    const saved = await saveLargeBody(deps.runtime, endpoint.tenantId, receiptId, event.stored);
    if (!saved) throw new Refusal("unavailable", "postgres_away", SOON);
  }
  const shortWindowFrom = event.eventId === null ? Math.floor(deps.runtime.clock.nowMs() / 1000) : undefined;
  const outcome = await deps.batcher.add({
    endpoint,
    eventKey: event.eventKey,
    dedupeValue: dedupeValue(receiptId, event.checksum, shortWindowFrom),
    meta: JSON.stringify(message),
    body: entryBody(message, event.stored),
  });
  const answer = endpoint.acceptedAnswer;
  switch (outcome.status) {
    case "accepted":
      deps.count("accepted");
      return { kind: "receipt", receiptId, status: "accepted", requestId, answer };
    case "duplicate": {
      const first = readDedupeValue(outcome.dedupeValue, event.checksum);
      deps.count(first.sameBody ? "duplicate" : "body_conflict");
      return { kind: "receipt", receiptId: first.receiptId, status: "duplicate", requestId, answer };
    }
    case "rate_limited": {
      const retryAfterSeconds = Math.max(1, Math.ceil(outcome.retryAfterMs / 1000));
      throw new Refusal("rate_limited", "rate_limited", { retryAfterSeconds });
    }
    case "full":
      throw new Refusal("capacity_exceeded", "partition_full", SOON);
    case "unavailable":
      throw new Refusal("unavailable", "redis_away", SOON);
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
    nowMs: request.receivedAtMs ?? runtime.clock.nowMs(),
  };
}

function queryOf(target: string): string {
  const at = target.indexOf("?");
  return at < 0 ? "" : target.slice(at + 1);
}

function describe(
  endpoint: CachedEndpoint,
  request: WebhookRequest,
  event: InspectedEvent,
  seen: { receiptId: string; requestId: string; sourceIp: string },
): InboundMessage {
  const { stored } = event;
  return {
    id: seen.receiptId,
    tenantId: endpoint.tenantId,
    endpointId: endpoint.id,
    eventKey: event.eventKey,
    eventId: event.eventId,
    eventType: event.eventType,
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
