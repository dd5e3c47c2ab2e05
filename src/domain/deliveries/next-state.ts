/** What one attempt came to. */
export type AttemptOutcome =
  | { kind: "delivered" }
  | {
      kind: "failed";
      /** False when a repetition would fail in the same way. */
      retryable: boolean;
      /** Of the receiver's `Retry-After`. */
      retryAfterMs?: number | undefined;
    };

/** How a subscription wants failures to be repeated. */
export interface RetryPolicy {
  retryEnabled: boolean;
  maxRetries: number;
  /** Seconds; the last one repeats. */
  retryIntervalsSeconds: readonly number[];
}

export type NextState =
  | { status: "DELIVERED" }
  | { status: "RETRYING"; nextRetryAtMs: number }
  | { status: "FAILED" };

/** Longest wait that a receiver can ask for. */
export const RETRY_AFTER_MAX_MS = 24 * 60 * 60 * 1000;

/** Failed attempts in a row after which a subscription is disabled (specification, "Business Rules"). */
export const FAILURES_TO_DISABLE = 10;

/** Intervals vary by a tenth to both sides, so that what failed together is not repeated together. */
const JITTER = 0.1;

/**
 * What follows an attempt: after the first try `maxRetries` more, at the intervals of the policy. `Retry-After` lengthens
 * an interval, up to 24 h, and never shortens it.
 *
 * @param attemptNumber 1 for the first try
 * @param random from 0 to 1
 */
export function nextState(
  outcome: AttemptOutcome,
  attemptNumber: number,
  policy: RetryPolicy,
  nowMs: number,
  random: number,
): NextState {
  if (outcome.kind === "delivered") return { status: "DELIVERED" };
  if (!outcome.retryable || !policy.retryEnabled || attemptNumber > policy.maxRetries)
    return { status: "FAILED" };
  const intervals = policy.retryIntervalsSeconds;
  const seconds = intervals[Math.min(attemptNumber, intervals.length) - 1] ?? 60;
  const waitMs = seconds * 1000 * (1 - JITTER + 2 * JITTER * random);
  const askedMs = Math.min(outcome.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
  return { status: "RETRYING", nextRetryAtMs: Math.round(nowMs + Math.max(waitMs, askedMs)) };
}
