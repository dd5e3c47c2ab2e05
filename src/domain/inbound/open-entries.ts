import type { Runtime } from "../../platform/runtime.ts";
import type { HeldEntry } from "../../platform/streams/stream-entry.ts";
import { isUuid } from "../../platform/uuid.ts";
import { decodeInboundEntry, type InboundMessage, type InboundReference } from "../events/topics.ts";
import type { ReceiptFacts } from "./finished-receipt.ts";
import { finished, type ProcessSink, type Treatment, type Work } from "./inbound-work.ts";
import { loadOutcomes, loadReceipts, type StoredOutcome, type StoredReceipt } from "./load-receipt.ts";

interface Reference {
  entry: HeldEntry;
  message: InboundReference;
}

/**
 * Reads entries. References are loaded from Postgres in one query; what turns out to be decided already goes to the sink
 * with the stored outcome, so that a repetition after a crash is not sent to its target again. Never rejects.
 *
 * @param treatment how entries are to be treated again when Postgres is away
 * @returns what is left to be treated
 */
export async function openEntries(
  runtime: Runtime,
  entries: readonly HeldEntry[],
  sink: ProcessSink,
  treatment: Treatment,
): Promise<Work[]> {
  const fresh: Work[] = [];
  const references: Reference[] = [];
  for (const entry of entries) {
    try {
      const { message, body } = decodeInboundEntry(entry.fields);
      expectOurs(message);
      if ("reference" in message) references.push({ entry, message });
      else fresh.push(freshWork(entry, message, body));
    } catch (error) {
      sink.discard(entry, error);
    }
  }
  const [undecided, loaded] = await Promise.all([
    withoutStored(runtime, fresh, sink, treatment),
    loadReferences(runtime, references, sink, treatment),
  ]);
  return [...undecided, ...loaded];
}

/** Largest value of the column. */
const BODY_SIZE_MAX = 2 ** 31 - 1;

/** @throws TypeError when the message is none of ours: its members go into statements over whole batches */
function expectOurs(message: InboundMessage | InboundReference): void {
  const { id, tenantId, endpointId } = message;
  if (![id, tenantId, endpointId].every((value) => typeof value === "string" && isUuid(value))) {
    throw new TypeError("An id of the entry is not a UUID");
  }
  if ("reference" in message) return;
  const { eventKey, path, requestId, bodySize, headers, eventId, eventType, sourceIp } = message;
  const isOurs =
    [eventKey, path, requestId].every((value) => typeof value === "string") &&
    [eventId, eventType, sourceIp].every((value) => value === null || typeof value === "string") &&
    Number.isInteger(bodySize) &&
    bodySize >= 0 &&
    bodySize <= BODY_SIZE_MAX &&
    Object.values(headers).every((value) => typeof value === "string");
  if (!isOurs) throw new TypeError("A member of the entry has another type");
}

function freshWork(entry: HeldEntry, message: InboundMessage, body: Uint8Array | undefined): Work {
  const { bodyEncoding, ...facts } = message;
  return {
    entry,
    facts: { ...facts, isLarge: bodyEncoding === "large", attemptsBefore: 0 },
    isNew: true,
    body,
    contentType: message.headers["content-type"],
  };
}

/** Entries that were given out before may have been written by the process that died, or lost its slot. */
async function withoutStored(
  runtime: Runtime,
  fresh: readonly Work[],
  sink: ProcessSink,
  treatment: Treatment,
): Promise<readonly Work[]> {
  const repeated = fresh.filter(({ entry }) => entry.deliveries > 1);
  if (repeated.length === 0) return fresh;
  const first = fresh.filter(({ entry }) => entry.deliveries <= 1);
  try {
    const outcomes = await loadOutcomes(
      runtime.sqlSystem,
      repeated.map(({ facts }) => facts.id),
    );
    for (const work of repeated) {
      const outcome = outcomes.get(work.facts.id);
      if (outcome === undefined) first.push(work);
      else finishAsStored(work, outcome, sink);
    }
  } catch (error) {
    sink.giveBack(
      repeated.map(({ entry }) => entry),
      error,
      treatment,
    );
  }
  return first;
}

async function loadReferences(
  runtime: Runtime,
  references: readonly Reference[],
  sink: ProcessSink,
  treatment: Treatment,
): Promise<Work[]> {
  if (references.length === 0) return [];
  let stored: Map<string, StoredReceipt>;
  try {
    stored = await loadReceipts(
      runtime.sqlSystem,
      references.map(({ message }) => message.id),
    );
  } catch (error) {
    sink.giveBack(
      references.map(({ entry }) => entry),
      error,
      treatment,
    );
    return [];
  }
  const loaded: Work[] = [];
  for (const { entry, message } of references) {
    const receipt = stored.get(message.id);
    const { body, contentType } = receipt ?? { body: undefined, contentType: undefined };
    const work: Work = {
      entry,
      facts: receipt?.facts ?? unknownFacts(message),
      isNew: false,
      body,
      contentType,
    };
    if (receipt !== undefined && isDecided(entry, receipt, runtime.clock.nowMs())) {
      finishAsStored(work, receipt, sink);
    } else if (receipt === undefined || (receipt.bodyDropped && body === undefined)) {
      sink.finish(
        finished(work, null, {
          status: "CANCELLED",
          code: "receipt_gone",
          message: "Retention dropped the receipt or its body",
        }),
      );
    } else {
      loaded.push(work);
    }
  }
  return loaded;
}

/** A final state, or a next try that was set when this entry was processed: references come when their time is over. */
function isDecided(entry: HeldEntry, receipt: StoredReceipt, nowMs: number): boolean {
  if (receipt.status === "RETRYING") return entry.deliveries > 1 && (receipt.nextRetryAtMs ?? 0) > nowMs;
  return receipt.status !== "HELD";
}

/** Only the books are still to be moved. */
function finishAsStored(work: Work, outcome: StoredOutcome, sink: ProcessSink): void {
  const { status, nextRetryAtMs } = outcome;
  sink.finish({ ...finished(work, null, { status, nextRetryAtMs }), isStored: true });
}

/** Facts of a reference that was not loaded, or whose receipt is gone. */
export function unknownFacts({ id, tenantId, endpointId }: InboundReference): ReceiptFacts {
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
