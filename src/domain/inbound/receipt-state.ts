import type { InboundOutcome } from "../events/topics.ts";

/** States of a receipt (DESIGN.md section 8). RETRYING and HELD are not final. */
export type ReceiptStatus =
  | "PROCESSED"
  | "FILTERED"
  | "DUPLICATE"
  | "RETRYING"
  | "HELD"
  | "DEAD"
  | "CANCELLED";

/** Word of the ledger for each final state. */
export const LEDGER_WORDS: Readonly<Partial<Record<ReceiptStatus, InboundOutcome>>> = {
  PROCESSED: "processed",
  FILTERED: "filtered",
  DUPLICATE: "duplicate",
  DEAD: "dead",
  CANCELLED: "cancelled",
};

/** Waits after the first to the fifth failed try (specification, "Retry Policy"); the last one repeats. */
const RETRY_SECONDS = [60, 300, 900, 3600, 7200];

/** Share by which waits differ, so that what failed together does not come back together. */
const JITTER = 0.1;

/** What becomes of a receipt after a try. */
export interface NextState {
  status: ReceiptStatus;
  attemptCount: number;
  /** Set for RETRYING. */
  nextRetryAtMs: number | null;
}

/**
 * State after a failed try: RETRYING while tries are left and the cause may pass, else DEAD.
 *
 * @param attemptsBefore tries before this one
 * @param retriesMax WEBHOOK_MAX_RETRIES: tries after the first
 * @param random 0 to 1, for the jitter
 */
export function afterFailure(
  attemptsBefore: number,
  retryable: boolean,
  retriesMax: number,
  nowMs: number,
  random: number,
): NextState {
  const attemptCount = attemptsBefore + 1;
  if (!retryable || attemptCount > retriesMax) return { status: "DEAD", attemptCount, nextRetryAtMs: null };
  const seconds = RETRY_SECONDS[Math.min(attemptCount, RETRY_SECONDS.length) - 1]!;
  const waitMs = seconds * 1000 * (1 - JITTER + 2 * JITTER * random);
  return { status: "RETRYING", attemptCount, nextRetryAtMs: Math.round(nowMs + waitMs) };
}

/**
 * Compiles the event types of an endpoint: exact names, or a prefix before a trailing `*`; empty lets all through. A
 * batch carries its types with commas between, and passes when one of them does.
 */
export function compileTypeFilter(eventTypes: readonly string[]): (eventType: string | null) => boolean {
  if (eventTypes.length === 0 || eventTypes.includes("*")) return () => true;
  const exact = new Set(eventTypes.filter((type) => !type.endsWith("*")));
  const prefixes = eventTypes.filter((type) => type.endsWith("*")).map((type) => type.slice(0, -1));
  const passes = (type: string): boolean =>
    exact.has(type) || prefixes.some((prefix) => type.startsWith(prefix));
  return (eventType) => eventType !== null && (passes(eventType) || eventType.split(",").some(passes));
}
