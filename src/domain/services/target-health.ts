/** Failures in a row after which a target is left alone for a while. */
const FAILURES_MAX = 5;
/** Time for which nothing is sent to it; then one message tries. */
const PAUSE_MS = 5_000;

interface State {
  failures: number;
  pausedUntilMs: number;
}

/**
 * Which targets answer, as this process sees it: while one is down, its messages go to their retry at once instead of
 * each holding a connection for the whole time-out.
 */
export class TargetHealth {
  readonly #states = new Map<string, State>();

  /** @returns true when a message may be sent now; of those that come after a pause, the first one only */
  mayTry(target: string, nowMs: number): boolean {
    const state = this.#states.get(target);
    if (state === undefined || state.failures < FAILURES_MAX) return true;
    if (nowMs < state.pausedUntilMs) return false;
    state.pausedUntilMs = nowMs + PAUSE_MS;
    return true;
  }

  succeeded(target: string): void {
    this.#states.delete(target);
  }

  failed(target: string, nowMs: number): void {
    const state = this.#states.get(target) ?? { failures: 0, pausedUntilMs: 0 };
    state.failures++;
    if (state.failures >= FAILURES_MAX) state.pausedUntilMs = nowMs + PAUSE_MS;
    this.#states.set(target, state);
  }
}
