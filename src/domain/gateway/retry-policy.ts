import type { AnswerClass } from "../providers/classify-answer.ts";

/** Upper bound of the first pause; it doubles with each retry. */
const BASE_MS = 200;
const CAP_MS = 10_000;
/** Methods that ask and change nothing (RFC 9110 section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** One try that did not succeed, and what speaks for another one. */
export interface FailedTry {
  method: string;
  /** What the answer meant, or how the exchange failed. */
  verdict: Exclude<AnswerClass, { action: "ok" }>;
  /** Some byte of the request may have left. */
  isSent: boolean;
  hasIdempotencyKey: boolean;
  /** The body can be sent again. */
  isBodyThere: boolean;
  /** 0 after the first try. */
  retries: number;
  retriesMax: number;
  /** Time that the caller still gives. */
  leftMs: number;
}

/**
 * Decides whether a call is tried again, and when. Only what did not reach the provider, cannot change anything, or can
 * be told as a repetition is sent twice. The pause is chosen anew from the whole span (full jitter), so that callers who
 * failed together do not come back together; the provider's own word is a lower bound.
 *
 * @param random from 0 to 1
 * @returns milliseconds to wait, or undefined: not again
 */
export function pauseBeforeRetry(failed: FailedTry, random: number): number | undefined {
  const { verdict, retries } = failed;
  if (verdict.action !== "retry" && verdict.action !== "rate_limited") return undefined;
  if (retries >= failed.retriesMax || !failed.isBodyThere) return undefined;
  if (!SAFE.has(failed.method) && failed.isSent && !failed.hasIdempotencyKey) return undefined;
  const span = Math.min(CAP_MS, BASE_MS * 2 ** retries);
  const pauseMs = Math.max(Math.round(span * random), verdict.retryAfterMs ?? 0);
  return pauseMs < failed.leftMs ? pauseMs : undefined;
}

/** True for a method that may be sent again without anybody's word. */
export function isSafe(method: string): boolean {
  return SAFE.has(method);
}
