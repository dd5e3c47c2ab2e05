/** Failures in a row after which a target is left alone for a while. */
const FAILURES_MAX = 5;
/** A time-out counts for so many: it cost a place for its whole time, where a refusal costs a millisecond. */
const TIMEOUT_WEIGHT = 2.5;
/** Time for which nothing is sent to it; then one message tries. */
const PAUSE_MS = 5_000;

/** Places of a target that has not answered yet: four of them that hang leave most places to the others. */
const SLOTS_FIRST = 4;
/** Places of one that answers; the most that one target may ever have. */
const SLOTS_MAX = 16;

/** How sending ended, as far as it tells of the target. */
export type TargetFailure = "timeout" | "unavailable";

interface State {
  /** Failures in a row, weighed. */
  failures: number;
  pausedUntilMs: number;
  slots: number;
}

/**
 * Which targets answer, as this process sees it: while one is down, its messages go to their retry at once instead of
 * each holding a connection for the whole time-out. A target earns its places by answering and loses them by hanging
 * (slow start and halving, as TCP does: RFC 5681 section 3.1).
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

  /**
   * Requests that may be in flight to the target, 1 to 16. All 16 while it is left alone: what waits for a place then
   * only gets one to be told so, and would else wait behind the one message that tries.
   */
  slotsOf(target: string): number {
    const state = this.#states.get(target);
    if (state === undefined) return SLOTS_FIRST;
    return state.failures >= FAILURES_MAX ? SLOTS_MAX : state.slots;
  }

  succeeded(target: string): void {
    const state = this.#stateOf(target);
    state.failures = 0;
    state.slots = Math.min(SLOTS_MAX, state.slots + 1);
  }

  failed(target: string, nowMs: number, failure: TargetFailure): void {
    const state = this.#stateOf(target);
    state.failures += failure === "timeout" ? TIMEOUT_WEIGHT : 1;
    if (failure === "timeout") state.slots = Math.max(1, state.slots >> 1);
    if (state.failures >= FAILURES_MAX) state.pausedUntilMs = nowMs + PAUSE_MS;
  }

  #stateOf(target: string): State {
    let state = this.#states.get(target);
    if (state === undefined) {
      state = { failures: 0, pausedUntilMs: 0, slots: SLOTS_FIRST };
      this.#states.set(target, state);
    }
    return state;
  }
}
