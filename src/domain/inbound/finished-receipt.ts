import type { HeldEntry } from "../../platform/streams/stream-entry.ts";
import type { ReceiptStatus } from "./receipt-state.ts";

/** What is known of a receipt while it is processed, whether it came through the stream or from Postgres. */
export interface ReceiptFacts {
  id: string;
  tenantId: string;
  endpointId: string;
  eventKey: string;
  eventId: string | null;
  eventType: string | null;
  path: string;
  headers: Readonly<Record<string, string>>;
  sourceIp: string | null;
  requestId: string;
  bodySize: number;
  /** The body lies in `large_bodies`. */
  isLarge: boolean;
  /** Tries before this one. */
  attemptsBefore: number;
}

/** One receipt with what became of it, on its way to Postgres and out of the stream. */
export interface FinishedReceipt {
  entry: HeldEntry;
  receipt: ReceiptFacts;
  /** False when the row is there already: it came back by reference. */
  isNew: boolean;
  /** Postgres has the outcome already, or needs not know it: nothing is written there, only the books are moved. */
  isStored: boolean;
  /** Undefined when the row is there or the body is large. */
  body: Uint8Array | undefined;
  integrationId: string | null;
  targetService: string | null;
  status: ReceiptStatus;
  attemptCount: number;
  nextRetryAtMs: number | null;
  errorCode: string | null;
  errorMessage: string | null;
  /** What was routed, where a transformation made it: text where it is UTF-8. */
  output: string | Uint8Array | null;
  duplicateOf: string | null;
}
