import { describe, expect, test } from "bun:test";
import { nextLimit, type Strain } from "../../src/platform/streams/burst-watch.ts";

const quick: Strain = { waitedMs: 3, arrivalsPerSecond: 8_000, waiting: 50_000, idleShare: 0.1 };
const behind: Strain = { ...quick, waitedMs: 20 };
const FREE = Number.POSITIVE_INFINITY;

/** The limit after so many equal reports, when all that it allows is read. */
function after(reports: number, limit: number, strain: Strain): number {
  let next = limit;
  for (let report = 0; report < reports; report++) next = nextLimit({ limit: next, read: next }, strain);
  return next;
}

describe("nextLimit()", () => {
  test("gives way step by step while senders wait and processing is behind, and never stands still", () => {
    expect(nextLimit({ limit: FREE, read: 6_000 }, behind)).toBeCloseTo(4_200);
    expect(after(100, 4_200, behind)).toBe(500);
  });

  test("takes its share back when senders no longer wait, and is free when the limit holds nobody back", () => {
    expect(after(10, 1_000, quick)).toBeGreaterThan(2_000);
    expect(nextLimit({ limit: 9_000, read: 1_000 }, quick)).toBe(FREE);
    expect(nextLimit({ limit: FREE, read: 6_000 }, quick)).toBe(FREE);
  });

  test("does not give way while it keeps up, unless no processor time is left", () => {
    const keepsUp: Strain = { ...behind, waiting: 3_000 };
    expect(nextLimit({ limit: FREE, read: 6_000 }, keepsUp)).toBe(FREE);
    expect(nextLimit({ limit: FREE, read: 6_000 }, { ...keepsUp, idleShare: 0.02 })).toBeCloseTo(4_200);
  });

  test("does not give way while processor time is free: the senders wait for something else", () => {
    expect(nextLimit({ limit: FREE, read: 6_000 }, { ...behind, idleShare: 0.4 })).toBe(FREE);
  });

  test("lets senders wait longer the more waits to be processed", () => {
    expect(nextLimit({ limit: FREE, read: 6_000 }, { ...behind, waiting: 200_000 })).toBe(FREE);
    expect(nextLimit({ limit: FREE, read: 6_000 }, { ...behind, waiting: 150_000 })).toBeCloseTo(4_200);
  });

  test("gives way when it is behind where the kernel does not tell what is free", () => {
    expect(nextLimit({ limit: FREE, read: 6_000 }, { ...behind, idleShare: undefined })).toBeCloseTo(4_200);
  });
});
