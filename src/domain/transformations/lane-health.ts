/** How a key (an endpoint) has behaved lately. Pure: the pool acts on it. */
export interface LaneHealth {
  /** Timeouts and exceeded memory since the last success. */
  failuresInRow: number;
  slowUntilMs: number;
  pausedUntilMs: number;
}

/** `normal`: any child; `slow`: one at a time, all such keys share one child; `probe`: paused before, one try; `paused`: none. */
export type LaneState = "normal" | "slow" | "probe" | "paused";

/** Time for which a key that failed runs where it can only delay its like. */
export const SLOW_MS = 60_000;

/** Failures in a row that pause a key, and for how long. */
export const PAUSE_AFTER_FAILURES = 3;
export const PAUSE_MS = 60_000;

export function newLaneHealth(): LaneHealth {
  return { failuresInRow: 0, slowUntilMs: 0, pausedUntilMs: 0 };
}

export function laneState(health: LaneHealth, nowMs: number): LaneState {
  if (nowMs < health.pausedUntilMs) return "paused";
  if (health.failuresInRow >= PAUSE_AFTER_FAILURES) return "probe";
  return nowMs < health.slowUntilMs ? "slow" : "normal";
}

export function afterFailure(health: LaneHealth, nowMs: number): LaneHealth {
  const failuresInRow = health.failuresInRow + 1;
  return {
    failuresInRow,
    slowUntilMs: nowMs + SLOW_MS,
    pausedUntilMs: failuresInRow >= PAUSE_AFTER_FAILURES ? nowMs + PAUSE_MS : 0,
  };
}

/** It held a child while no other was free: it waits for the one that slow keys share. That is no failure. */
export function afterSuspicion(health: LaneHealth, nowMs: number): LaneHealth {
  return { ...health, slowUntilMs: nowMs + SLOW_MS };
}

/** The row ends; a key stays slow until its time is over, because one good document proves little. */
export function afterSuccess(health: LaneHealth): LaneHealth {
  return { failuresInRow: 0, slowUntilMs: health.slowUntilMs, pausedUntilMs: 0 };
}

/** Nothing to remember any more: the lane can be forgotten when it is empty. */
export function isForgettable(health: LaneHealth, nowMs: number): boolean {
  const quietSinceMs = Math.max(health.slowUntilMs, health.pausedUntilMs);
  return health.failuresInRow === 0 ? nowMs >= quietSinceMs : nowMs >= quietSinceMs + PAUSE_MS;
}
