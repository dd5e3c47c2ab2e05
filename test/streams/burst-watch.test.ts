import { describe, expect, test } from "bun:test";
import { type BurstState, judgeBurst, type StreamTotals } from "../../src/platform/streams/burst-watch.ts";

/** A second after `before`, with so many entries added and ended. */
function after(before: StreamTotals, added: number, ended: number): StreamTotals {
  return { atMs: before.atMs + 1000, added: before.added + added, length: before.length + added - ended };
}

const start: StreamTotals = { atMs: 0, added: 0, length: 0 };
const calm: BurstState = { inBurst: false, capacityPerSecond: 5_000 };

describe("judgeBurst()", () => {
  test("stays calm while processing can keep up or nearly so", () => {
    expect(judgeBurst(calm, start, after(start, 5_000, 5_000)).inBurst).toBe(false);
    expect(
      judgeBurst(calm, { ...start, length: 50_000 }, after({ ...start, length: 50_000 }, 8_000, 5_000))
        .inBurst,
    ).toBe(false);
  });

  test("begins a burst when twice the capacity comes in and enough waits", () => {
    expect(judgeBurst(calm, start, after(start, 12_000, 4_000)).inBurst).toBe(true);
    expect(judgeBurst(calm, start, after(start, 12_000, 11_000)).inBurst).toBe(false);
  });

  test("ends the burst when what comes in could nearly be processed", () => {
    const burst = { ...calm, inBurst: true };
    expect(judgeBurst(burst, start, after(start, 20_000, 500)).inBurst).toBe(true);
    expect(judgeBurst(burst, start, after(start, 5_000, 500)).inBurst).toBe(false);
  });

  test("learns the capacity from what was processed, and forgets a lucky moment slowly", () => {
    const learned = judgeBurst(
      calm,
      { ...start, length: 9_000 },
      after({ ...start, length: 9_000 }, 0, 9_000),
    );
    expect(learned.capacityPerSecond).toBe(9_000);
    const later = judgeBurst(learned, start, after(start, 10, 10));
    expect(later.capacityPerSecond).toBeGreaterThan(8_900);
    expect(later.capacityPerSecond).toBeLessThan(9_000);
  });
});
