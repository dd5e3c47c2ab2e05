import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkDeliveryConservation } from "../../../src/domain/deliveries/check-delivery-conservation.ts";
import { DELIVERY_JOBS } from "../../../src/domain/deliveries/delivery-jobs.ts";
import { SLOTS } from "../../../src/domain/deliveries/lane-turns.ts";
import { setSubscriptionStatus } from "../../../src/domain/subscriptions/set-subscription-status.ts";
import { deliveryQueueKey, partitionOf } from "../../../src/platform/redis/keys.ts";
import {
  type DeliveryFixture,
  openOf,
  startDeliveries,
  startWorker,
  until,
} from "../../deliveries/delivery-fixture.ts";
import { storeOverdue } from "./stored-deliveries.ts";
import { TallyReceiver } from "./tally-receiver.ts";

const COUNT = 100_000;
const TIMEOUT_MS = 300_000;

let fixture: DeliveryFixture;
let worker: Awaited<ReturnType<typeof startWorker>>;

beforeAll(async () => {
  fixture = await startDeliveries();
  worker = await startWorker(fixture);
}, TIMEOUT_MS);

afterAll(async () => {
  await worker.stop();
  await fixture.stop();
}, TIMEOUT_MS);

const forever = { isHeld: () => true, token: 1, ended: new AbortController().signal };

/** Runs the rebuild and the sweeper as the scheduler does. */
async function sweep(): Promise<void> {
  for (const job of DELIVERY_JOBS.slice(0, 2)) await job.run(worker.runtime, forever);
}

/** A paused subscription with 100,000 overdue retries in its queue. */
async function waiting(eventType: string) {
  const receiver = new TallyReceiver();
  const { id } = await fixture.subscribe(receiver.url, { eventTypes: [eventType], status: "PAUSED" });
  await storeOverdue(fixture, { subscriptionId: id, eventType, count: COUNT });
  await sweep();
  const { runtime } = fixture;
  const queue = deliveryQueueKey(partitionOf(id, runtime.config.streamPartitions), id);
  expect(await runtime.redis.zcard(queue)).toBe(COUNT);
  return { id, receiver, queue };
}

async function untilBooked(): Promise<void> {
  const isBooked = async (): Promise<boolean> =>
    (await checkDeliveryConservation(fixture.runtime)).live === 0;
  await until("everything is stored and booked", isBooked, TIMEOUT_MS);
}

describe("100,000 deliveries that wait", () => {
  test(
    "with the sweeper running beside them: each is sent once",
    async () => {
      const { id, receiver } = await waiting("order.swept");
      const startedMs = performance.now();
      await setSubscriptionStatus(fixture.ctx, { id, status: "ACTIVE" });
      let sweeps = 0;
      for (; receiver.ids.size < COUNT && performance.now() - startedMs < TIMEOUT_MS; sweeps++) {
        await sweep();
        await Bun.sleep(200);
      }
      await untilBooked();
      const seconds = (performance.now() - startedMs) / 1000;
      console.log(
        `waiting: ${receiver.ids.size} sent in ${seconds.toFixed(1)} s beside ${sweeps} sweeps, ${receiver.repeated} twice`,
      );
      expect({ sent: receiver.ids.size, twice: receiver.repeated }).toEqual({ sent: COUNT, twice: 0 });
      expect(await openOf(fixture, id)).toEqual([]);
      expect((await checkDeliveryConservation(fixture.runtime)).difference).toBe(0);
      await receiver.stop();
    },
    2 * TIMEOUT_MS,
  );

  test(
    "and a Redis that is wiped while they go out: every one comes back",
    async () => {
      const { id, receiver } = await waiting("order.wiped");
      await setSubscriptionStatus(fixture.ctx, { id, status: "ACTIVE" });
      await until("some arrived", () => receiver.ids.size > COUNT / 5, TIMEOUT_MS);
      const { redis } = fixture.runtime;
      const startedMs = performance.now();
      if ("nodes" in redis) await Promise.all(redis.nodes("master").map((node) => node.flushall()));
      else await redis.flushall();
      const before = receiver.ids.size;
      await sweep();
      const backMs = performance.now() - startedMs;
      await until("every one arrived", () => receiver.ids.size === COUNT, TIMEOUT_MS);
      await untilBooked();
      console.log(
        `waiting: Redis wiped after ${before} of ${COUNT}, back in the queues after ${(backMs / 1000).toFixed(1)} s, ` +
          `all sent ${((performance.now() - startedMs) / 1000).toFixed(1)} s after the wipe, ${receiver.repeated} twice`,
      );
      expect(receiver.repeated).toBeLessThanOrEqual(SLOTS);
      expect(await openOf(fixture, id)).toEqual([]);
      expect((await checkDeliveryConservation(fixture.runtime)).difference).toBe(0);
      await receiver.stop();
    },
    2 * TIMEOUT_MS,
  );
});
