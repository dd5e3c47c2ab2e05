import { describe, expect, test } from "bun:test";
import { afterFailure, compileTypeFilter } from "../../src/domain/inbound/receipt-state.ts";

const NOW_MS = 1_800_000_000_000;
const RETRIES_MAX = 5;

/** Waits in seconds after each of six failures. */
function waits(random: number): (number | null)[] {
  return Array.from({ length: 6 }, (_, attemptsBefore) => {
    const { nextRetryAtMs } = afterFailure(attemptsBefore, true, RETRIES_MAX, NOW_MS, random);
    return nextRetryAtMs === null ? null : (nextRetryAtMs - NOW_MS) / 1000;
  });
}

describe("afterFailure()", () => {
  test("waits 1 m, 5 m, 15 m, 1 h and 2 h, and gives up after the sixth try", () => {
    expect(waits(0.5)).toEqual([60, 300, 900, 3600, 7200, null]);
    expect(afterFailure(5, true, RETRIES_MAX, NOW_MS, 0.5)).toEqual({
      status: "DEAD",
      attemptCount: 6,
      nextRetryAtMs: null,
    });
  });

  test("spreads each wait by a tenth to both sides", () => {
    expect(waits(0)).toEqual([54, 270, 810, 3240, 6480, null]);
    expect(waits(1)).toEqual([66, 330, 990, 3960, 7920, null]);
  });

  test("counts the try, also where it is the last", () => {
    expect(afterFailure(0, true, RETRIES_MAX, NOW_MS, 0.5)).toMatchObject({
      status: "RETRYING",
      attemptCount: 1,
    });
    expect(afterFailure(2, false, RETRIES_MAX, NOW_MS, 0.5)).toMatchObject({
      status: "DEAD",
      attemptCount: 3,
    });
  });

  test("gives up at once what cannot pass later", () => {
    expect(afterFailure(0, false, RETRIES_MAX, NOW_MS, 0.5).status).toBe("DEAD");
  });

  test("keeps to WEBHOOK_MAX_RETRIES: none at 0, the last wait again beyond five", () => {
    expect(afterFailure(0, true, 0, NOW_MS, 0.5).status).toBe("DEAD");
    expect(afterFailure(7, true, 10, NOW_MS, 0.5).nextRetryAtMs).toBe(NOW_MS + 7_200_000);
  });
});

describe("compileTypeFilter()", () => {
  test("lets everything through without types, and with a star", () => {
    for (const types of [[], ["*"], ["order.created", "*"]]) {
      const filter = compileTypeFilter(types);
      expect([filter("load.delivered"), filter(null)]).toEqual([true, true]);
    }
  });

  test("knows exact names and prefixes, and nothing without a type", () => {
    const filter = compileTypeFilter(["order.created", "load.*"]);
    expect(["order.created", "load.delivered", "load."].map(filter)).toEqual([true, true, true]);
    expect(["order.created.v2", "order", "load", "Load.delivered", "", null].map(filter)).toEqual(
      Array.from({ length: 6 }, () => false),
    );
  });
});
