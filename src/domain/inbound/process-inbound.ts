import type { HeldEntry } from "../../platform/streams/stream-entry.ts";
import { decodeInboundEntry, type InboundReference } from "../events/topics.ts";
import type { CachedEndpoint, EndpointCache } from "./endpoint-cache.ts";
import type { DeferredEntry } from "./endpoint-share.ts";
import type { FinishedReceipt } from "./finished-receipt.ts";
import { finished, type ProcessSink, type Verdict, type Work } from "./inbound-work.ts";
import type { LateDuplicates } from "./late-duplicates.ts";
import { openEntries, unknownFacts } from "./open-entries.ts";
import { afterFailure, compileTypeFilter } from "./receipt-state.ts";
import type { RouteDeps } from "./route-deps.ts";
import { RouteDuplicate, RouteFailure } from "./route-failure.ts";
import { routeMessage } from "./route-message.ts";

/** What processing needs; made once in a process. */
export interface ProcessDeps extends RouteDeps {
  endpoints: EndpointCache;
  lateDuplicates: LateDuplicates;
}

/** What a transformation made is kept with the receipt up to this length; a larger one can be made again. */
const STORED_OUTPUT_MAX = 256 * 1024;

const typeFilters = new WeakMap<CachedEndpoint, (eventType: string | null) => boolean>();

/**
 * Processes entries of the inbound topic: endpoint, late duplicates, pause, type filter, decode, transform, model, target.
 * Each on its own: a slow one delays itself only. Resolves when all are begun; never rejects.
 */
export async function processInbound(
  deps: ProcessDeps,
  entries: readonly HeldEntry[],
  sink: ProcessSink,
): Promise<void> {
  const work = await openEntries(deps.runtime, entries, sink, "process");
  const duplicates = await findDuplicates(deps, work);
  for (const one of work) {
    void processOne(deps, one, duplicates.get(one.facts.id)).then(
      (receipt) => sink.finish(receipt),
      (error: unknown) => sink.giveBack([one.entry], error, "process"),
    );
  }
}

/** The receipts of entries that took their process down each time; they are not processed again. Never rejects. */
export async function giveUpCrashed(
  deps: ProcessDeps,
  entries: readonly HeldEntry[],
  sink: ProcessSink,
): Promise<void> {
  const work = await openEntries(deps.runtime, entries, sink, "giveUp");
  for (const one of work) {
    sink.finish(
      finished(one, await knownEndpoint(deps, one), {
        status: "DEAD",
        code: "worker_crashed",
        message: "Processing it ended the worker process three times",
      }),
    );
  }
}

/**
 * Sends entries away for a while, because their endpoint holds up this process; not counted as a try. What Postgres has
 * already is not loaded and not written for that. Never rejects.
 */
export async function deferEntries(
  deps: ProcessDeps,
  deferred: readonly DeferredEntry[],
  sink: ProcessSink,
): Promise<void> {
  const dueMs = new Map(deferred.map(({ entry, dueMs: time }) => [entry, time]));
  const verdict = (entry: HeldEntry): Verdict => ({
    status: "RETRYING",
    code: "endpoint_busy",
    message: "The endpoint's earlier messages are slow; this one waits",
    nextRetryAtMs: dueMs.get(entry)!,
  });
  const toOpen: HeldEntry[] = [];
  for (const { entry } of deferred) {
    const reference = referenceOf(entry);
    if (reference === undefined) toOpen.push(entry);
    else {
      const facts = unknownFacts(reference);
      const work: Work = { entry, facts, isNew: false, body: undefined, contentType: undefined };
      sink.finish({ ...finished(work, null, verdict(entry)), isStored: true });
    }
  }
  if (toOpen.length === 0) return;
  // Given back they come to the share anew, which decides again.
  const work = await openEntries(deps.runtime, toOpen, sink, "process");
  const duplicates = await findDuplicates(deps, work);
  for (const one of work) {
    const duplicateOf = duplicates.get(one.facts.id);
    sink.finish(
      finished(
        one,
        await knownEndpoint(deps, one),
        duplicateOf === undefined ? verdict(one.entry) : { status: "DUPLICATE", duplicateOf },
      ),
    );
  }
}

/** Looked for once, when a receipt is seen first: a replayed duplicate is to be routed. */
function findDuplicates(deps: ProcessDeps, work: readonly Work[]): Promise<Map<string, string>> {
  return deps.lateDuplicates.find(work.filter(({ isNew }) => isNew).map(({ facts }) => facts));
}

/** The endpoint, for what is only noted with the receipt: null also while Postgres is away. */
async function knownEndpoint(deps: ProcessDeps, { facts }: Work): Promise<CachedEndpoint | null> {
  try {
    return await deps.endpoints.byId(facts.endpointId);
  } catch {
    return null;
  }
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

async function processOne(
  deps: ProcessDeps,
  work: Work,
  duplicateOf: string | undefined,
): Promise<FinishedReceipt> {
  const { facts } = work;
  const endpoint = await deps.endpoints.byId(facts.endpointId);
  if (endpoint === null) {
    return finished(work, null, {
      status: "CANCELLED",
      code: "endpoint_deleted",
      message: "The endpoint was deleted",
    });
  }
  // Before the pause, because what was held comes back by reference and is not looked at again.
  if (duplicateOf !== undefined) return finished(work, endpoint, { status: "DUPLICATE", duplicateOf });
  if (endpoint.paused) return finished(work, endpoint, { status: "HELD" });
  if (!typeFilter(endpoint)(facts.eventType)) return finished(work, endpoint, { status: "FILTERED" });
  return finished(work, endpoint, await verdictOfRouting(deps, work, endpoint));
}

async function verdictOfRouting(deps: ProcessDeps, work: Work, endpoint: CachedEndpoint): Promise<Verdict> {
  const { attemptsBefore } = work.facts;
  try {
    const output = await routeMessage(deps, work, endpoint);
    const verdict: Verdict = { status: "PROCESSED", attemptCount: attemptsBefore + 1 };
    return output === undefined || output.length > STORED_OUTPUT_MAX ? verdict : { ...verdict, output };
  } catch (error) {
    if (error instanceof RouteDuplicate) return { status: "DUPLICATE", duplicateOf: error.duplicateOf };
    const failure = asFailure(error);
    const { config, clock } = deps.runtime;
    const next = afterFailure(
      attemptsBefore,
      failure.retryable,
      config.webhookMaxRetries,
      clock.nowMs(),
      Math.random(),
    );
    return { ...next, code: failure.code, message: failure.message };
  }
}

/** @throws the error itself when something that the hub needs is away, which is no fault of this message */
function asFailure(error: unknown): RouteFailure {
  if (error instanceof RouteFailure) return error;
  // A body that our own code stumbles over does so each time; kept, it would occupy the queue for ever.
  if (error instanceof TypeError || error instanceof RangeError) {
    return new RouteFailure("processing_failed", `Processing failed: ${error.message}`, false);
  }
  throw error;
}

function typeFilter(endpoint: CachedEndpoint): (eventType: string | null) => boolean {
  let filter = typeFilters.get(endpoint);
  if (filter === undefined) typeFilters.set(endpoint, (filter = compileTypeFilter(endpoint.eventTypes)));
  return filter;
}
