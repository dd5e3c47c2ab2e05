/** Retries that may come at once before any call succeeded. */
const TOKENS_MAX = 20;
/** A call earns this much of a retry: in the long run at most a fifth of the calls are repetitions. */
const EARNED_BY_CALL = 0.2;
const UPSTREAMS_MAX = 10_000;

/**
 * Bounds the repetitions to each upstream, so that one which fails is not met by a multiple of its calls. Of one process;
 * a bound for all would cost each call another round trip for little.
 */
export class RetryBudget {
  readonly #tokens = new Map<string, number>();

  /** A call begins. */
  earn(upstream: string): void {
    const tokens = this.#tokens.get(upstream);
    if (tokens === undefined) return;
    // Full again: forgotten, so that only upstreams with trouble are remembered.
    if (tokens + EARNED_BY_CALL >= TOKENS_MAX) this.#tokens.delete(upstream);
    else this.#tokens.set(upstream, tokens + EARNED_BY_CALL);
  }

  /** @returns false when no repetition is left */
  take(upstream: string): boolean {
    const tokens = this.#tokens.get(upstream) ?? TOKENS_MAX;
    if (tokens < 1) return false;
    if (this.#tokens.size >= UPSTREAMS_MAX) this.#tokens.clear();
    this.#tokens.set(upstream, tokens - 1);
    return true;
  }
}
