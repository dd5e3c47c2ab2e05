import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkDeliveryConservation } from "../../src/domain/deliveries/check-delivery-conservation.ts";
import { SLOTS } from "../../src/domain/deliveries/lane-turns.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  attemptsOf,
  type DeliveryFixture,
  Receiver,
  startDeliveries,
  startWorkerProcess,
  until,
} from "./delivery-fixture.ts";

let fixture: DeliveryFixture;

beforeAll(async () => {
  fixture = await startDeliveries();
}, 60_000);

afterAll(() => fixture.stop(), 60_000);

const eventType = (): string => `order.t${newId().replaceAll("-", "").slice(-12)}`;

async function publishMany(type: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let start = 0; start < count; start += 500) {
    const size = Math.min(500, count - start);
    ids.push(...(await fixture.publish(Array.from({ length: size }, () => ({ type })))));
  }
  return ids;
}

describe("worker processes that are killed", () => {
  test("lose nothing: each event arrives, repetitions bounded by the slots in flight, the books balance", async () => {
    const type = eventType();
    const receiver = new Receiver();
    receiver.answer = async () => {
      await Bun.sleep(5);
      return new Response();
    };
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type] });
    let workers = [await startWorkerProcess(fixture), await startWorkerProcess(fixture)];
    const count = 4_000;
    const publishing = publishMany(type, count);
    const kills = 3;
    for (let kill = 0; kill < kills; kill++) {
      const goal = receiver.requests.length + 300;
      await until("some arrived", () => receiver.requests.length >= goal);
      const [victim, ...rest] = workers;
      await victim!.kill();
      workers = [...rest, await startWorkerProcess(fixture)];
    }
    const ids = await publishing;
    await until("every event arrived", () => new Set(receiver.ids()).size === count, 60_000);
    await until(
      "every result is stored and booked",
      async () => {
        const { difference, live } = await checkDeliveryConservation(fixture.runtime);
        return difference === 0 && live === 0;
      },
      60_000,
    );
    expect(new Set(receiver.ids())).toEqual(new Set(ids));
    expect(receiver.requests.length - count).toBeLessThanOrEqual(SLOTS * kills);
    const delivered = (await attemptsOf(fixture, id)).filter(({ status }) => status === "DELIVERED");
    expect(new Set(delivered.map(({ deliveryId }) => deliveryId)).size).toBe(count);
    await Promise.all(workers.map((worker) => worker.stop()));
    await receiver.stop();
  }, 150_000);

  test("that stop in order hand over without a repetition", async () => {
    const type = eventType();
    const receiver = new Receiver();
    receiver.answer = async () => {
      await Bun.sleep(20);
      return new Response();
    };
    await fixture.subscribe(receiver.url, { eventTypes: [type] });
    const first = await startWorkerProcess(fixture);
    const ids = await publishMany(type, 1_000);
    await until("some arrived", () => receiver.requests.length >= 100);
    const second = await startWorkerProcess(fixture);
    expect(await first.stop()).toBe(0);
    await until("all arrived", () => new Set(receiver.ids()).size === ids.length, 60_000);
    expect(receiver.requests.length).toBe(ids.length);
    await second.stop();
    await receiver.stop();
  }, 120_000);
});

describe("Redis that is wiped while deliveries wait", () => {
  test("gets every one back from Postgres", async () => {
    const [flakyType, limitedType] = [eventType(), eventType()];
    const receiver = new Receiver();
    receiver.answer = () => new Response("", { status: 503 });
    const flaky = await fixture.subscribe(receiver.url, { eventTypes: [flakyType], retryIntervals: [3] });
    const limited = new Receiver();
    await fixture.subscribe(limited.url, {
      eventTypes: [limitedType],
      rateLimit: { limit: 20, windowSeconds: 1, burst: 1 },
    });
    const worker = await startWorkerProcess(fixture);
    const ids = await publishMany(flakyType, 5);
    const more = await publishMany(limitedType, 120);
    const tried = async (): Promise<number> =>
      new Set((await attemptsOf(fixture, flaky.id)).map(({ eventId }) => eventId)).size;
    await until("all were tried", async () => (await tried()) === 5);
    await until("the events are stored", async () => {
      const [row] = await fixture.runtime
        .sqlSystem`select count(*)::int as n from events where type = ${limitedType}`;
      return row!["n"] === 120;
    });
    const { redis } = fixture.runtime;
    if ("nodes" in redis) await Promise.all(redis.nodes("master").map((node) => node.flushall()));
    else await redis.flushall();
    const arrived = new Set<string>();
    receiver.answer = ({ id }) => {
      arrived.add(id);
      return new Response();
    };
    await until("the limited one got all", () => new Set(limited.ids()).size === more.length, 60_000);
    await until("the flaky one got all", () => arrived.size === ids.length, 60_000);
    expect(new Set(limited.ids())).toEqual(new Set(more));
    expect(arrived).toEqual(new Set(ids));
    await until("the books balance", async () => {
      const { difference, live } = await checkDeliveryConservation(fixture.runtime);
      return difference === 0 && live === 0;
    });
    await worker.stop();
    await Promise.all([receiver.stop(), limited.stop()]);
  }, 150_000);
});
