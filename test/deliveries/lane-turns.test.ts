import { describe, expect, test } from "bun:test";
import type { Delivery } from "../../src/domain/deliveries/delivery-work.ts";
import { Lane } from "../../src/domain/deliveries/lane.ts";
import { LaneTurns, SLOTS } from "../../src/domain/deliveries/lane-turns.ts";
import {
  OTHER_TENANT_SLOTS,
  SLOW_SLOTS,
  UNPROVEN_SLOTS,
} from "../../src/domain/deliveries/unproven-slots.ts";
import { newId } from "../../src/platform/uuid.ts";

const ANSWERED = { timedOut: false, throttledForMs: undefined, elapsedMs: 2 };
const TIMED_OUT = { timedOut: true, throttledForMs: undefined, elapsedMs: undefined };

/** Turns whose requests stay in flight until the test ends them. */
class Rig {
  nowMs = 1_000;
  readonly inFlight: { lane: Lane; delivery: Delivery }[] = [];
  readonly turns = new LaneTurns({
    nowMs: () => this.nowMs,
    waitMs: () => 0,
    send: (lane, delivery) => this.inFlight.push({ lane, delivery }),
  });

  lanes(count: number, tenantId = newId()): Lane[] {
    return Array.from({ length: count }, () => new Lane(newId(), tenantId, undefined as never));
  }

  /** Lanes whose receivers have answered. */
  proven(count: number): Lane[] {
    const lanes = this.lanes(count);
    for (const lane of lanes) lane.learn(ANSWERED, this.nowMs);
    return lanes;
  }

  give(lanes: readonly Lane[], each = 1): void {
    for (const lane of lanes) {
      for (let count = 0; count < each; count++) lane.push({ id: newId() } as Delivery);
      this.turns.ready(lane);
    }
  }

  /** Ends the requests of these lanes, and stores their results. */
  end(lanes: readonly Lane[], signal: typeof ANSWERED | typeof TIMED_OUT): void {
    for (const one of this.inFlight.filter(({ lane }) => lanes.includes(lane))) {
      this.inFlight.splice(this.inFlight.indexOf(one), 1);
      one.lane.learn(signal, this.nowMs);
      this.turns.end(one.lane, one.delivery);
      this.turns.free(1);
    }
  }

  of(lanes: readonly Lane[]): number {
    return this.inFlight.filter(({ lane }) => lanes.includes(lane)).length;
  }
}

describe("LaneTurns", () => {
  test("however many receivers hang from their first request on, those that have answered find slots", () => {
    const rig = new Rig();
    const good = rig.proven(10);
    const hanging = rig.lanes(90);
    rig.give(hanging, 5);
    expect(rig.of(hanging)).toBe(UNPROVEN_SLOTS);
    for (let round = 0; round < 20; round++) {
      rig.nowMs += 100;
      rig.give(good);
      expect(rig.of(good)).toBe(good.length);
      rig.end(good, ANSWERED);
    }
    expect(rig.of(hanging)).toBe(UNPROVEN_SLOTS);
  });

  test("a receiver that has not answered yet is delayed by few turns where others answer", () => {
    const rig = new Rig();
    const lanes = rig.lanes(500);
    rig.give(lanes);
    let turns = 0;
    const served = new Set<Lane>();
    while (rig.inFlight.length > 0) {
      const now = rig.inFlight.map(({ lane }) => lane);
      for (const lane of now) served.add(lane);
      rig.end(now, ANSWERED);
      turns++;
    }
    expect(served.size).toBe(500);
    expect(turns).toBeLessThanOrEqual(Math.ceil(500 / UNPROVEN_SLOTS));
  });

  test("one tenant's hanging receivers leave room for other tenants' new ones", () => {
    const rig = new Rig();
    rig.give(rig.lanes(90));
    const others = [rig.lanes(6), rig.lanes(6)];
    for (const lanes of others) rig.give(lanes);
    expect(others.map((lanes) => rig.of(lanes))).toEqual([OTHER_TENANT_SLOTS, OTHER_TENANT_SLOTS]);
    for (const lanes of others) rig.end(lanes, ANSWERED);
    expect(others.map((lanes) => rig.of(lanes))).toEqual([2, 2]);
  });

  test("those that timed out share a quarter of the slots, and one that answers again leaves them", () => {
    const rig = new Rig();
    const hanging = rig.lanes(30);
    rig.give(hanging, 3);
    rig.end(hanging, TIMED_OUT);
    expect(rig.of(hanging)).toBe(SLOW_SLOTS);
    const fresh = rig.lanes(16);
    rig.give(fresh);
    expect(rig.of(fresh)).toBe(UNPROVEN_SLOTS - SLOW_SLOTS);
    const [healed] = rig.inFlight.map(({ lane }) => lane);
    rig.end([healed!], ANSWERED);
    expect(healed!.isProven).toBe(true);
    expect(rig.of([healed!])).toBe(1);
    expect(rig.of(hanging)).toBe(SLOW_SLOTS + 1);
  });

  test("receivers that begin to hang count among those of which nobody knows", () => {
    const rig = new Rig();
    const known = rig.proven(20);
    rig.give(known);
    rig.nowMs += 2_000;
    const hanging = rig.lanes(90);
    rig.give(hanging);
    expect(rig.of(known) + rig.of(hanging)).toBe(UNPROVEN_SLOTS);
  });

  test("a lane that was emptied while it waited does not keep those behind it waiting", () => {
    const rig = new Rig();
    const hanging = rig.lanes(UNPROVEN_SLOTS);
    rig.give(hanging);
    const [emptied, behind] = rig.lanes(2, hanging[0]!.tenantId);
    rig.give([emptied!, behind!]);
    emptied!.clearWaiting();
    rig.end([hanging[0]!], ANSWERED);
    expect(rig.of([behind!])).toBe(1);
  });

  test("never has more than its slots in flight or waiting for their commit", () => {
    const rig = new Rig();
    rig.give(rig.proven(100), 3);
    rig.give(rig.lanes(100), 3);
    expect(rig.inFlight.length).toBe(SLOTS);
  });
});
