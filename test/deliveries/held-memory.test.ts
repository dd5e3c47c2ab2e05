import { describe, expect, test } from "bun:test";
import type { Delivery } from "../../src/domain/deliveries/delivery-work.ts";
import { HeldMemory } from "../../src/domain/deliveries/held-memory.ts";
import { Lane } from "../../src/domain/deliveries/lane.ts";
import { newId } from "../../src/platform/uuid.ts";

const ANSWERED = { timedOut: false, throttledForMs: undefined, elapsedMs: 2 };
const MIB = 1024 * 1024;

function fastLane(): Lane {
  const lane = new Lane(newId(), newId(), undefined as never);
  for (let answers = 0; answers < 64; answers++) lane.learn(ANSWERED, 0);
  return lane;
}

/** One that was taken out of its queue, with data of so many characters. */
function give(memory: HeldMemory, lane: Lane, size: number): Delivery {
  const delivery = { member: newId(), event: { data: { length: size } } } as unknown as Delivery;
  lane.held.add(delivery.member);
  memory.add(lane, delivery);
  return delivery;
}

function fill(memory: HeldMemory, lane: Lane, size: number): Delivery[] {
  const given: Delivery[] = [];
  while (memory.room(lane) > 0) {
    for (let count = memory.room(lane); count > 0 && memory.room(lane) > 0; count--)
      given.push(give(memory, lane, size));
  }
  return given;
}

describe("HeldMemory", () => {
  test("however many receivers stop answering with all that they may hold, another lane finds room", () => {
    const memory = new HeldMemory();
    for (let lanes = 0; lanes < 90; lanes++) {
      expect(memory.room(fastLane())).toBeGreaterThan(0);
      fill(memory, fastLane(), 100);
    }
    expect(memory.room(fastLane())).toBeGreaterThan(0);
    expect(memory.count).toBeLessThan(10_000 + 90 * 4);
  });

  test("receivers of large events that stop answering leave bytes to others", () => {
    const memory = new HeldMemory();
    for (let lanes = 0; lanes < 15; lanes++) {
      expect(fill(memory, fastLane(), MIB).length).toBeGreaterThan(0);
    }
    expect(memory.room(fastLane())).toBeGreaterThan(0);
    expect(memory.count).toBeLessThan(128);
  });

  test("what is over makes room again", () => {
    const memory = new HeldMemory();
    const lane = fastLane();
    const given = fill(memory, lane, MIB);
    for (const delivery of given) {
      lane.held.delete(delivery.member);
      memory.remove(lane, delivery);
    }
    expect(memory.count).toBe(0);
    expect(lane.heldBytes).toBe(0);
    expect(memory.room(lane)).toBe(lane.heldMax);
  });
});
