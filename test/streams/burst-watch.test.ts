import { describe, expect, test } from "bun:test";
import {
  type BurstState,
  CALM,
  judgeBurst,
  type StreamTotals,
} from "../../src/platform/streams/burst-watch.ts";

/** A second after `before`, with so many entries added and ended; the process waited for a CPU for most of it. */
function after(before: StreamTotals, added: number, ended: number, waitedMs = 700): StreamTotals {
  return {
    atMs: before.atMs + 1000,
    added: before.added + added,
    length: before.length + added - ended,
    waitedMs: (before.waitedMs ?? 0) + waitedMs,
  };
}

const waiting = (length: number): StreamTotals => ({ atMs: 0, added: length, length, waitedMs: 0 });
const quiet: BurstState = { ...CALM, nextProbeMs: 60_000, arrivalsPerSecond: 10_000 };
const burst: BurstState = { ...CALM, mode: "burst", pacePerSecond: 5_000 };

describe("judgeBurst()", () => {
  test("stays calm while processing keeps up, or little comes in, or little waits", () => {
    expect(judgeBurst(quiet, waiting(9_000), after(waiting(9_000), 5_000, 4_800)).mode).toBe("calm");
    expect(judgeBurst(quiet, waiting(9_000), after(waiting(9_000), 1_500, 0)).mode).toBe("calm");
    expect(judgeBurst(quiet, waiting(0), after(waiting(0), 3_000, 2_400)).mode).toBe("calm");
  });

  test("begins a burst when processing falls behind, with the pace that it had", () => {
    const state = judgeBurst(quiet, waiting(2_000), after(waiting(2_000), 9_000, 6_000));
    expect(state).toMatchObject({ mode: "burst", pacePerSecond: 6_000 });
  });

  test("probes when much comes in, and begins a burst when more came while processing paused", () => {
    const probe = judgeBurst(CALM, waiting(0), after(waiting(0), 6_000, 6_000));
    expect(probe.mode).toBe("probe");
    expect(judgeBurst(probe, waiting(0), after(waiting(0), 9_000, 500)).mode).toBe("burst");
  });

  test("does not probe while the machine keeps up; where nobody can tell, it probes", () => {
    expect(judgeBurst(CALM, waiting(0), after(waiting(0), 6_000, 6_000, 400)).mode).toBe("calm");
    const untold = { ...after(waiting(0), 6_000, 6_000), waitedMs: undefined };
    expect(judgeBurst(CALM, waiting(0), untold).mode).toBe("probe");
  });

  test("probes before its time when much more comes in than at the latest probe", () => {
    const early: BurstState = { ...quiet, arrivalsPerSecond: 4_000 };
    expect(judgeBurst(early, waiting(0), after(waiting(0), 5_000, 5_000)).mode).toBe("calm");
    expect(judgeBurst(early, waiting(0), after(waiting(0), 6_000, 6_000)).mode).toBe("probe");
  });

  test("does not begin a burst of what it has managed to process before", () => {
    const able: BurstState = { ...quiet, pacePerSecond: 10_000 };
    expect(judgeBurst(able, waiting(2_000), after(waiting(2_000), 9_000, 6_000)).mode).toBe("calm");
    const probing: BurstState = { ...able, mode: "probe", arrivalsPerSecond: 6_000 };
    expect(judgeBurst(probing, waiting(0), after(waiting(0), 9_000, 500)).mode).toBe("calm");
  });

  test("probes less and less often while nobody was waiting", () => {
    let state = CALM;
    const pauses: number[] = [];
    for (let round = 0; round < 6; round++) {
      const start = { ...waiting(0), atMs: state.nextProbeMs };
      state = judgeBurst(state, start, after(start, 6_000, 6_000));
      const next = after(start, 6_000, 6_000);
      state = judgeBurst(state, next, after(next, 6_000, 6_000));
      pauses.push(state.nextProbeMs - after(next, 0, 0).atMs);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  });

  test("ends the burst when what comes in could be processed, or too much waits", () => {
    expect(judgeBurst(burst, waiting(9_000), after(waiting(9_000), 20_000, 1_000)).mode).toBe("burst");
    expect(judgeBurst(burst, waiting(9_000), after(waiting(9_000), 4_000, 1_000)).mode).toBe("calm");
    expect(judgeBurst(burst, waiting(1_200_000), after(waiting(1_200_000), 20_000, 1_000)).mode).toBe("calm");
  });
});
