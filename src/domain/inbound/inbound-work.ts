import type { HeldEntry } from "../../platform/streams/stream-entry.ts";
import type { CachedEndpoint } from "./endpoint-cache.ts";
import type { FinishedReceipt, ReceiptFacts } from "./finished-receipt.ts";
import type { ReceiptStatus } from "./receipt-state.ts";

/** An entry as it is processed. `body` undefined: large. */
export interface Work {
  entry: HeldEntry;
  facts: ReceiptFacts;
  /** False when it came by reference: its row is in Postgres. */
  isNew: boolean;
  body: Uint8Array | undefined;
  contentType: string | undefined;
}

/** How an entry is treated, and treated again when it was given back. */
export type Treatment = "process" | "giveUp";

/** Where entries go; each one to exactly one of `finish`, `giveBack` and `discard`. */
export interface ProcessSink {
  finish(receipt: FinishedReceipt): void;
  /** Something that the hub itself needs is away: the entries are to be treated so again by this process. */
  giveBack(entries: readonly HeldEntry[], error: unknown, treatment: Treatment): void;
  /** The entry is none of the hub's own: it was never counted, so it is only removed. */
  discard(entry: HeldEntry, error: unknown): void;
}

/** What processing ends with. */
export interface Verdict {
  status: ReceiptStatus;
  code?: string;
  message?: string;
  output?: string | Uint8Array;
  duplicateOf?: string;
  attemptCount?: number;
  nextRetryAtMs?: number | null;
}

/** Puts a verdict into the form that is written; the attempts stay as they were unless the verdict says otherwise. */
export function finished(work: Work, endpoint: CachedEndpoint | null, verdict: Verdict): FinishedReceipt {
  return {
    entry: work.entry,
    receipt: work.facts,
    isNew: work.isNew,
    isStored: false,
    body: work.body,
    integrationId: endpoint?.integrationId ?? null,
    targetService: endpoint?.targetService ?? null,
    status: verdict.status,
    attemptCount: verdict.attemptCount ?? work.facts.attemptsBefore,
    nextRetryAtMs: verdict.nextRetryAtMs ?? null,
    errorCode: verdict.code ?? null,
    errorMessage: verdict.message ?? null,
    output: verdict.output ?? null,
    duplicateOf: verdict.duplicateOf ?? null,
  };
}
