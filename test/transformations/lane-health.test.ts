import { describe, expect, test } from "bun:test";
import {
  afterFailure,
  afterSuccess,
  isForgettable,
  laneState,
  newLaneHealth,
  PAUSE_AFTER_FAILURES,
  PAUSE_MS,
  SLOW_MS,
} from "../../src/domain/transformations/lane-health.ts";

describe("laneState()", () => {
  test("is slow after a failure, and normal when its time is over", () => {
    const failed = afterFailure(newLaneHealth(), 1000);
    expect(laneState(newLaneHealth(), 1000)).toBe("normal");
    expect(laneState(failed, 1000)).toBe("slow");
    expect(laneState(failed, 1000 + SLOW_MS)).toBe("normal");
  });

  test("is paused after three failures in a row, tried once afterwards, and paused again when that fails", () => {
    let health = newLaneHealth();
    for (let count = 0; count < PAUSE_AFTER_FAILURES; count++) health = afterFailure(health, 0);
    expect(laneState(health, PAUSE_MS - 1)).toBe("paused");
    expect(laneState(health, PAUSE_MS)).toBe("probe");
    expect(laneState(afterFailure(health, PAUSE_MS), PAUSE_MS + 1)).toBe("paused");
    expect(laneState(afterSuccess(health), PAUSE_MS)).toBe("normal");
  });

  test("does not pause when successes come between", () => {
    let health = newLaneHealth();
    for (let count = 0; count < 10; count++) health = afterSuccess(afterFailure(health, 0));
    expect(laneState(health, 1)).toBe("slow");
  });
});

describe("isForgettable()", () => {
  test("forgets a key once nothing follows from its past", () => {
    expect(isForgettable(newLaneHealth(), 1)).toBe(true);
    const failed = afterFailure(newLaneHealth(), 0);
    expect(isForgettable(failed, SLOW_MS)).toBe(false);
    expect(isForgettable(failed, SLOW_MS + PAUSE_MS)).toBe(true);
  });
});
