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
    health.failed("a", 0, "timeout");
    expect(health.slotsOf("a")).toBe(8);
    // Left alone: everybody who waits is told.
    for (let timeout = 0; timeout < 5; timeout++) health.failed("a", 0, "timeout");
    expect(health.slotsOf("a")).toBe(16);
    // Back: it begins with the least.
    health.succeeded("a");
    expect(health.slotsOf("a")).toBe(2);
  });

  test("what waits for a place of a target that hangs is withheld once two requests timed out", async () => {
    const health = new TargetHealth();
    const slots = new FairSlots(64);
    const timeouts: (() => void)[] = [];
    let withheld = 0;
    const send = async (): Promise<void> => {
      await slots.acquire("a", () => health.slotsOf("a"));
      const mayStart = health.mayTry("a", 1);
      if (mayStart) await new Promise<void>((resolve) => timeouts.push(resolve));
      else withheld++;
      slots.release("a");
      // As a caller does: it judges after the place is free.
      await Promise.resolve();
      if (mayStart) health.failed("a", 1, "timeout");
    };
    for (let message = 0; message < 200; message++) void send();
    await Bun.sleep(0);
    expect([timeouts.length, withheld]).toEqual([4, 0]);
    for (const timeOut of timeouts.slice(0, 4)) {
      timeOut();
      await Bun.sleep(0);
    }
    expect(withheld).toBeGreaterThanOrEqual(200 - 6);
  });
});

describe("FairSlots", () => {
  /** Asks for so many slots; returns how many were given so far. */
  function ask(slots: FairSlots, key: string, count: number, limit?: () => number): () => number {
    let given = 0;
    for (let asked = 0; asked < count; asked++)
      void Promise.resolve(slots.acquire(key, limit)).then(() => given++);
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

  test("acquire() gives a key a quarter of the slots, or what its own limit says at the time", async () => {
    const slots = new FairSlots(16);
    let limit = 1;
    const given = ask(slots, "a", 10, () => limit);
    await Bun.sleep(0);
    expect(given()).toBe(1);
    limit = 6;
    slots.release("a");
    await Bun.sleep(0);
    expect(given()).toBe(1 + 6);
    const unbounded = ask(slots, "b", 10);
    await Bun.sleep(0);
    expect(unbounded()).toBe(4);
  });
});
