import type { Runtime } from "../../platform/runtime.ts";
import type { HeldEntry } from "../../platform/streams/stream-entry.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { decodeInboundEntry, type InboundMessage, type InboundReference } from "../events/topics.ts";
import { sendToService, type ServiceSender } from "../services/send-to-service.ts";
import type { JsonataPool } from "../transformations/jsonata-pool.ts";
import { resolveTemplate } from "../transformations/resolve-template.ts";
import type { TransformTemplate } from "../transformations/schema.ts";
import { decodeBody } from "./decode-body.ts";
import type { CachedEndpoint, EndpointCache } from "./endpoint-cache.ts";
import type { DeferredEntry } from "./endpoint-share.ts";
import type { FinishedReceipt, ReceiptFacts } from "./finished-receipt.ts";
import { loadLargeBody } from "./large-bodies.ts";
import type { LateDuplicates } from "./late-duplicates.ts";
import { loadReceipts } from "./load-receipt.ts";
import { validateModel } from "./models/validate-model.ts";
import { afterFailure, compileTypeFilter, type ReceiptStatus } from "./receipt-state.ts";

/** What processing needs; made once in a process. */
export interface ProcessDeps {
  runtime: Runtime;
  endpoints: EndpointCache;
  transformations: JsonataPool;
  sender: ServiceSender;
  lateDuplicates: LateDuplicates;
}

/** An entry as it is processed. `body` undefined: large, dropped or gone. */
interface Work {
  entry: HeldEntry;
  facts: ReceiptFacts;
  isNew: boolean;
  body: Uint8Array | undefined;
  contentType: string | undefined;
}

/** What a step can end with. */
interface Verdict {
  status: ReceiptStatus;
  code?: string;
  message?: string;
  output?: string;
  duplicateOf?: string;
}

class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean,
  ) {
    super(message);
  }
}

/** Where processing leaves its entries; each one goes to exactly one of them. */
export interface ProcessSink {
  finish(receipt: FinishedReceipt): void;
  /** Something that the hub itself needs is away: the entry is to be tried again by this process. */
  giveBack(entry: HeldEntry, error: unknown): void;
  /** The entry is none of the hub's own: it was never counted, so it is only removed. */
  discard(entry: HeldEntry, error: unknown): void;
}

/** Bytes after decoding of a compressed body: the largest body that any endpoint may take. */
const DECODED_BYTES_MAX = 25 * 1024 * 1024;

/** Least time that a target gets, also when the steps before it took most of the message's time. */
const TARGET_TIMEOUT_MIN_MS = 1_000;

const typeFilters = new WeakMap<CachedEndpoint, (eventType: string | null) => boolean>();

/**
 * Processes entries of the inbound topic: endpoint, pause, type filter, late duplicates, decode, transform, model, target.
 * Each on its own: a slow one delays itself only.
 */
export async function processInbound(
  deps: ProcessDeps,
  entries: readonly HeldEntry[],
  sink: ProcessSink,
): Promise<void> {
  const work = await openEntries(deps, entries, sink);
  const duplicates = await deps.lateDuplicates.find(
    work.filter(({ isNew }) => isNew).map(({ facts }) => facts),
  );
  for (const one of work) {
    void processOne(deps, one, duplicates.get(one.facts.id)).then(
      (receipt) => sink.finish(receipt),
      (error: unknown) => sink.giveBack(one.entry, error),
    );
  }
}

/** The receipt of an entry that is given up without being processed. */
export async function giveUp(
  deps: ProcessDeps,
  entry: HeldEntry,
  verdict: { code: string; message: string },
  sink: ProcessSink,
): Promise<void> {
  for (const work of await openEntries(deps, [entry], sink)) {
    sink.finish(
      finished(
        work,
        undefined,
        { status: "DEAD", ...verdict },
        { attemptCount: work.facts.attemptsBefore, nextRetryAtMs: null },
      ),
    );
  }
}

/**
 * Sends entries away for a while, because their endpoint holds up this process; not counted as a try. What Postgres has
 * already is not loaded and not written for that.
 */
export async function deferEntries(
  deps: ProcessDeps,
  deferred: readonly DeferredEntry[],
  sink: ProcessSink,
): Promise<void> {
  const verdict = {
    status: "RETRYING",
    code: "endpoint_busy",
    message: "The endpoint's earlier messages are slow; this one waits",
  } as const;
  const dueMs = new Map(deferred.map(({ entry, dueMs: time }) => [entry, time]));
  const defer = (work: Work): FinishedReceipt =>
    finished(work, undefined, verdict, {
      attemptCount: work.facts.attemptsBefore,
      nextRetryAtMs: dueMs.get(work.entry)!,
    });
  const toOpen: HeldEntry[] = [];
  for (const { entry } of deferred) {
    const reference = referenceOf(entry);
    if (reference === undefined) toOpen.push(entry);
    else {
      const facts = unknownFacts(reference.id, reference.tenantId, reference.endpointId);
      const work = { entry, facts, isNew: false, body: undefined, contentType: undefined };
      sink.finish({ ...defer(work), isPostponed: true });
    }
  }
  for (const work of await openEntries(deps, toOpen, sink)) sink.finish(defer(work));
}

/** The reference in an entry; undefined when it carries a whole message or is none of ours. */
function referenceOf(entry: HeldEntry): InboundReference | undefined {
  try {
    const { message } = decodeInboundEntry(entry.fields);
    return "reference" in message ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Reads entries; references are loaded from Postgres in one query. */
async function openEntries(
  deps: ProcessDeps,
  entries: readonly HeldEntry[],
  sink: ProcessSink,
): Promise<Work[]> {
  const work: Work[] = [];
  const references: { entry: HeldEntry; id: string; tenantId: string; endpointId: string }[] = [];
  for (const entry of entries) {
    try {
      const { message, body } = decodeInboundEntry(entry.fields);
      if ("reference" in message) references.push({ entry, ...message });
      else
        work.push({
          entry,
          facts: factsOf(message),
          isNew: true,
          body,
          contentType: message.headers["content-type"],
        });
    } catch (error) {
      sink.discard(entry, error);
    }
  }
  if (references.length === 0) return work;
  try {
    const stored = await loadReceipts(
      deps.runtime.sqlSystem,
      references.map(({ id }) => id),
    );
    for (const { entry, id, tenantId, endpointId } of references) {
      const receipt = stored.get(id);
      const { body, contentType } = receipt ?? { body: undefined, contentType: undefined };
      const facts = receipt?.facts ?? unknownFacts(id, tenantId, endpointId);
      const one: Work = { entry, facts, isNew: false, body, contentType };
      if (receipt === undefined || (receipt.bodyDropped && body === undefined)) {
        sink.finish(
          finished(
            one,
            undefined,
            { status: "CANCELLED", code: "receipt_gone", message: "Retention dropped it" },
            { attemptCount: 0, nextRetryAtMs: null },
          ),
        );
      } else {
        work.push(one);
      }
    }
  } catch (error) {
    for (const { entry } of references) sink.giveBack(entry, error);
  }
  return work;
}

async function processOne(
  deps: ProcessDeps,
  work: Work,
  duplicateOf: string | undefined,
): Promise<FinishedReceipt> {
  const { runtime } = deps;
  const { facts } = work;
  const endpoint = await deps.endpoints.byId(facts.endpointId);
  if (endpoint === null) {
    return finished(
      work,
      undefined,
      { status: "CANCELLED", code: "endpoint_deleted", message: "The endpoint was deleted" },
      { attemptCount: facts.attemptsBefore, nextRetryAtMs: null },
    );
  }
  const same = { attemptCount: facts.attemptsBefore, nextRetryAtMs: null };
  if (endpoint.paused) return finished(work, endpoint, { status: "HELD" }, same);
  if (duplicateOf !== undefined) return finished(work, endpoint, { status: "DUPLICATE", duplicateOf }, same);
  if (!typeFilter(endpoint)(facts.eventType)) return finished(work, endpoint, { status: "FILTERED" }, same);
  try {
    const output = await route(deps, work, endpoint);
    return finished(
      work,
      endpoint,
      { status: "PROCESSED", ...(output === undefined ? {} : { output }) },
      { attemptCount: facts.attemptsBefore + 1, nextRetryAtMs: null },
    );
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const next = afterFailure(
      facts.attemptsBefore,
      error.retryable,
      runtime.config.webhookMaxRetries,
      runtime.clock.nowMs(),
      Math.random(),
    );
    return finished(work, endpoint, { status: next.status, code: error.code, message: error.message }, next);
  }
}

function typeFilter(endpoint: CachedEndpoint): (eventType: string | null) => boolean {
  let filter = typeFilters.get(endpoint);
  if (filter === undefined) typeFilters.set(endpoint, (filter = compileTypeFilter(endpoint.eventTypes)));
  return filter;
}

/**
 * Decodes, transforms, validates and hands over.
 *
 * @returns the transformed document as JSON text, where there is a transformation
 * @throws Failure
 */
async function route(deps: ProcessDeps, work: Work, endpoint: CachedEndpoint): Promise<string | undefined> {
  const { facts } = work;
  const startedAtMs = performance.now();
  const body = work.body ?? (await loadLargeBody(deps.runtime, facts.id));
  if (body === undefined) throw new Failure("body_gone", "The body is not stored any more", false);
  const encoding = facts.headers["content-encoding"];
  const isEncoded = encoding !== undefined && encoding.toLowerCase() !== "identity";
  let payload: Uint8Array | string = body;
  let contentType = work.contentType ?? "application/octet-stream";
  let output: string | undefined;
  if (endpoint.transformTemplate !== null || endpoint.handlerType !== "CUSTOM" || isEncoded) {
    const decoded = await decodeBody({
      bytes: body,
      contentEncoding: encoding,
      contentType: work.contentType,
      maxBytes: DECODED_BYTES_MAX,
    });
    if (!decoded.ok) throw new Failure(decoded.code, decoded.message, false);
    if (isEncoded)
      payload = decoded.kind === "binary" ? decoded.bytes : decoded.kind === "empty" ? "" : decoded.text;
    if (endpoint.transformTemplate !== null) {
      output = await transform(deps, endpoint, decoded);
      payload = output;
      contentType = "application/json";
    }
    if (endpoint.handlerType !== "CUSTOM") checkModel(endpoint, output, decoded);
  }
  if (endpoint.targetService === null) return output;
  const timeoutMs = deps.runtime.config.webhookTimeoutSeconds * 1000 - (performance.now() - startedAtMs);
  const sent = await sendToService(deps.sender, {
    serviceName: endpoint.targetService,
    timeoutMs: Math.max(TARGET_TIMEOUT_MIN_MS, Math.round(timeoutMs)),
    message: {
      id: facts.id,
      tenantId: facts.tenantId,
      endpointId: facts.endpointId,
      type: facts.eventType ?? "",
      handler: endpoint.handlerType,
      occurredAt: new Date(timeOfId(facts.id)).toISOString(),
      traceparent: facts.headers["traceparent"] ?? "",
      contentType,
      body: payload,
    },
  });
  if (!sent.ok) throw new Failure(sent.code, sent.message, sent.retryable);
  return output;
}

type Decoded = Extract<Awaited<ReturnType<typeof decodeBody>>, { ok: true }>;

async function transform(deps: ProcessDeps, endpoint: CachedEndpoint, decoded: Decoded): Promise<string> {
  if (decoded.kind === "binary")
    throw new Failure("body_not_text", "A binary body cannot be transformed", false);
  const template = resolveTemplate(endpoint.transformTemplate as TransformTemplate);
  if (!template.ok) throw new Failure(template.code, template.message, false);
  const input =
    decoded.kind === "empty" ? "null" : decoded.kind === "text" ? JSON.stringify(decoded.text) : decoded.text;
  const outcome = await deps.transformations.evaluate({
    key: endpoint.id,
    expression: template.expression,
    input,
  });
  if (!outcome.ok) throw new Failure(outcome.code, outcome.message, outcome.retryable);
  return outcome.output;
}

function checkModel(endpoint: CachedEndpoint, output: string | undefined, decoded: Decoded): void {
  if (output === undefined && decoded.kind !== "json" && decoded.kind !== "form") {
    throw new Failure(
      "body_not_json",
      `The handler ${endpoint.handlerType} needs JSON, and no transformation makes it`,
      false,
    );
  }
  const value =
    output === undefined ? (decoded as { value: unknown }).value : (JSON.parse(output) as unknown);
  const check = validateModel(endpoint.handlerType, value);
  if (!check.ok) {
    throw new Failure(
      "model_invalid",
      check.errors.map(({ path, message }) => `${path}: ${message}`).join("; "),
      false,
    );
  }
}

function finished(
  work: Work,
  endpoint: CachedEndpoint | undefined,
  verdict: Verdict,
  next: { attemptCount: number; nextRetryAtMs: number | null },
): FinishedReceipt {
  return {
    entry: work.entry,
    receipt: work.facts,
    isNew: work.isNew,
    isPostponed: false,
    body: work.body,
    integrationId: endpoint?.integrationId ?? null,
    targetService: endpoint?.targetService ?? null,
    status: verdict.status,
    attemptCount: next.attemptCount,
    nextRetryAtMs: next.nextRetryAtMs,
    errorCode: verdict.code ?? null,
    errorMessage: verdict.message ?? null,
    output: verdict.output ?? null,
    duplicateOf: verdict.duplicateOf ?? null,
  };
}

function factsOf(message: InboundMessage): ReceiptFacts {
  const { bodyEncoding, ...facts } = message;
  return { ...facts, isLarge: bodyEncoding === "large", attemptsBefore: 0 };
}

function unknownFacts(id: string, tenantId: string, endpointId: string): ReceiptFacts {
  return {
    id,
    tenantId,
    endpointId,
    eventKey: "",
    eventId: null,
    eventType: null,
    path: "",
    headers: {},
    sourceIp: null,
    requestId: id,
    bodySize: 0,
    isLarge: false,
    attemptsBefore: 0,
  };
}
