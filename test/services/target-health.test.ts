import { describe, expect, test } from "bun:test";
import { TargetHealth } from "../../src/domain/services/target-health.ts";
import { FairSlots } from "../../src/platform/egress/fair-slots.ts";

describe("TargetHealth", () => {
  test("mayTry() leaves a target alone after two time-outs, and lets one message try after the pause", () => {
    const health = new TargetHealth();
    health.failed("a", 0, "timeout");
    expect(health.mayTry("a", 1)).toBe(true);
    health.failed("a", 1, "timeout");
    expect([health.mayTry("a", 2), health.mayTry("b", 2)]).toEqual([false, true]);
    expect([health.mayTry("a", 6000), health.mayTry("a", 6001)]).toEqual([true, false]);
  });

  test("mayTry() bears four refusals in a row, and a success ends the row", () => {
    const health = new TargetHealth();
    for (let failure = 0; failure < 4; failure++) health.failed("a", 0, "unavailable");
    expect(health.mayTry("a", 1)).toBe(true);
    health.succeeded("a");
    for (let failure = 0; failure < 4; failure++) health.failed("a", 0, "unavailable");
    expect(health.mayTry("a", 1)).toBe(true);
    health.failed("a", 0, "unavailable");
    expect(health.mayTry("a", 1)).toBe(false);
  });

  test("slotsOf() grows with each answer up to 16 and halves with each time-out down to 1", () => {
    const health = new TargetHealth();
    expect(health.slotsOf("a")).toBe(4);
    for (let answer = 0; answer < 20; answer++) health.succeeded("a");
    expect(health.slotsOf("a")).toBe(16);
    const shrunk = Array.from({ length: 6 }, () => {
      health.failed("a", 0, "timeout");
      return health.slotsOf("a");
    });
    expect(shrunk).toEqual([8, 4, 2, 1, 1, 1]);
    health.failed("a", 0, "unavailable");
    expect(health.slotsOf("a")).toBe(1);
  });
});

describe("FairSlots", () => {
  /** Asks for so many slots; returns how many were given so far. */
  function ask(slots: FairSlots, key: string, count: number, limit?: () => number): () => number {
    let given = 0;
    for (let asked = 0; asked < count; asked++) void slots.acquire(key, limit).then(() => given++);
    return () => given;
  }

  test("acquire() gives targets that never answered four slots each, so that four that hang leave room", async () => {
    const slots = new FairSlots(64);
    const health = new TargetHealth();
    for (const target of ["a", "b", "c", "d"]) ask(slots, target, 30, () => health.slotsOf(target));
    const healthy = ask(slots, "good", 16, () => 16);
    await Bun.sleep(0);
    expect(healthy()).toBe(16);
  });

  test("acquire() follows a limit that changes, and never gives a key more than a quarter", async () => {
    const slots = new FairSlots(16);
    let limit = 1;
    const given = ask(slots, "a", 10, () => limit);
    await Bun.sleep(0);
    expect(given()).toBe(1);
    limit = 100;
    slots.release("a");
    await Bun.sleep(0);
    expect(given()).toBe(5);
  });
});
