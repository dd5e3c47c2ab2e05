/** What a job that was held up may catch up with at once. */
const CATCH_UP_MS = 1_000;

/** Keeps a replay to its rate, however its work is cut into pages and turns. */
export class ReplayPace {
  readonly #intervalMs: number;
  #nextAtMs: number;

  constructor(ratePerSecond: number, nowMs: number) {
    this.#intervalMs = 1000 / ratePerSecond;
    this.#nextAtMs = nowMs;
  }

  /** Deliveries that may be put on their way now. */
  allowed(nowMs: number): number {
    const sinceMs = nowMs - this.#from(nowMs);
    return sinceMs < 0 ? 0 : Math.floor(sinceMs / this.#intervalMs) + 1;
  }

  /** So many were. */
  charge(count: number, nowMs: number): void {
    this.#nextAtMs = this.#from(nowMs) + count * this.#intervalMs;
  }

  #from(nowMs: number): number {
    return Math.max(this.#nextAtMs, nowMs - CATCH_UP_MS);
  }
}
