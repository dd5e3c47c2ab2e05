import { describe, expect, test } from "bun:test";
import { type BurstState, judgeBurst, type StreamTotals } from "../../src/platform/streams/burst-watch.ts";

/** A second after `before`, with so many entries added and ended. */
function after(before: StreamTotals, added: number, ended: number): StreamTotals {
  return { atMs: before.atMs + 1000, added: before.added + added, length: before.length + added - ended };
}

const waiting = (length: number): StreamTotals => ({ atMs: 0, added: length, length });
const calm: BurstState = { inBurst: false, pacePerSecond: 0 };
const burst: BurstState = { inBurst: true, pacePerSecond: 5_000 };

describe("judgeBurst()", () => {
  test("stays calm while processing keeps up, or little comes in, or little waits", () => {
    expect(judgeBurst(calm, waiting(9_000), after(waiting(9_000), 5_000, 4_800)).inBurst).toBe(false);
    expect(judgeBurst(calm, waiting(9_000), after(waiting(9_000), 1_500, 0)).inBurst).toBe(false);
    expect(judgeBurst(calm, waiting(0), after(waiting(0), 6_000, 4_500)).inBurst).toBe(false);
  });

  test("begins a burst with the pace that processing had", () => {
    expect(judgeBurst(calm, waiting(2_000), after(waiting(2_000), 9_000, 6_000))).toEqual({
      inBurst: true,
      pacePerSecond: 6_000,
    });
  });

  test("ends it when what comes in could be processed", () => {
    expect(judgeBurst(burst, waiting(9_000), after(waiting(9_000), 20_000, 1_000)).inBurst).toBe(true);
    expect(judgeBurst(burst, waiting(9_000), after(waiting(9_000), 4_000, 1_000)).inBurst).toBe(false);
  });

  test("ends it when too much waits", () => {
    expect(judgeBurst(burst, waiting(1_200_000), after(waiting(1_200_000), 20_000, 1_000)).inBurst).toBe(
      false,
    );
  });
});
