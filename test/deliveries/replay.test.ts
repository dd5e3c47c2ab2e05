import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cancelReplay } from "../../src/domain/deliveries/cancel-replay.ts";
import { DELIVERY_JOBS } from "../../src/domain/deliveries/delivery-jobs.ts";
import { getReplay } from "../../src/domain/deliveries/get-replay.ts";
import { listDeliveries } from "../../src/domain/deliveries/list-deliveries.ts";
import { readReplayRange } from "../../src/domain/deliveries/replay-range.ts";
import { replayDeliveries } from "../../src/domain/deliveries/replay-deliveries.ts";
import { subscriptionStatistics } from "../../src/domain/deliveries/subscription-statistics.ts";
import { deleteSubscription } from "../../src/domain/subscriptions/delete-subscription.ts";
import { setSubscriptionStatus } from "../../src/domain/subscriptions/set-subscription-status.ts";
import { startJobs } from "../../src/platform/jobs.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  type DeliveryFixture,
  openOf,
  Receiver,
  startDeliveries,
  startWorker,
  until,
} from "./delivery-fixture.ts";

let fixture: DeliveryFixture;
let worker: Awaited<ReturnType<typeof startWorker>>;
let stopJobs: () => Promise<void>;

beforeAll(async () => {
  fixture = await startDeliveries();
  worker = await startWorker(fixture);
  stopJobs = startJobs(worker.runtime, "test", DELIVERY_JOBS);
}, 60_000);

afterAll(async () => {
  await stopJobs();
  await worker.stop();
  await fixture.stop();
}, 60_000);

const eventType = (): string => `order.t${newId().replaceAll("-", "").slice(-12)}`;

/** Deliveries that failed for good, and a success now and then so that the subscription stays enabled. */
async function failMany(receiver: Receiver, count: number) {
  const type = eventType();
  let turn = 0;
  receiver.answer = () => new Response("", { status: turn++ % 5 === 4 ? 200 : 500 });
  const subscription = await fixture.subscribe(receiver.url, {
    eventTypes: [type],
    retryEnabled: false,
    concurrencyMax: 1,
  });
  await fixture.publish(Array.from({ length: count }, () => ({ type })));
  const stored = async (): Promise<number> => {
    const [row] = await fixture.runtime
      .sqlSystem`select count(*)::int as n from webhook_deliveries where subscription_id = ${subscription.id}`;
    return row!["n"] as number;
  };
  await until("all were tried", async () => (await stored()) === count);
  receiver.requests.length = 0;
  receiver.answer = () => new Response();
  return { subscription, failed: count - Math.floor(count / 5), stored };
}

describe("readReplayRange()", () => {
  test.each(["1", "2026-02-30", "Jan 1, 2026", "2026-01-01T10:00:00"])(
    "refuses %s, which is no time",
    (from) => {
      expect(() => readReplayRange({ from })).toThrow("/filter/from: must be a time as in RFC 3339");
    },
  );

  test("takes a type in both spellings or its beginning, and refuses what is none", () => {
    expect(readReplayRange({ eventType: "ORDER_CREATED" }).typePattern).toBe("order.created");
    expect(readReplayRange({ eventType: "order.*" }).typePattern).toBe("order.*");
    expect(() => readReplayRange({ eventType: "no type" })).toThrow(
      "/filter/eventType: must be an event type",
    );
  });
});

describe("replayDeliveries()", () => {
  test("sends what failed again, under the same id with a header that says so, and tells its progress", async () => {
    const receiver = new Receiver();
    const { subscription, failed } = await failMany(receiver, 50);
    const subscriptionId = subscription.id;
    const plan = await replayDeliveries(fixture.ctx, { subscriptionId, dryRun: true });
    expect(plan).toEqual({ replayId: null, matched: failed });
    const { replayId, matched } = await replayDeliveries(fixture.ctx, {
      subscriptionId,
      filter: { status: "FAILED" },
    });
    expect(matched).toBe(failed);
    await until("all were delivered", async () => {
      const { status, delivered } = await getReplay(fixture.ctx, { id: replayId! });
      return status === "COMPLETED" && delivered === failed;
    });
    expect(await getReplay(fixture.ctx, { id: replayId! })).toMatchObject({ replayed: failed, failed: 0 });
    expect(receiver.requests.length).toBe(failed);
    expect(new Set(receiver.requests.map(({ headers }) => headers.get("hub-replay")))).toEqual(
      new Set([replayId!]),
    );
    const history = await listDeliveries(fixture.ctx, { subscriptionId, trigger: "REPLAY", limit: 200 });
    expect(new Set(history.data.map(({ eventId }) => eventId))).toEqual(new Set(receiver.ids()));
    const again = await replayDeliveries(fixture.ctx, { subscriptionId, dryRun: true });
    expect(again.matched).toBe(0);
    await receiver.stop();
  }, 60_000);

  test("sends one delivery again, also one that was delivered", async () => {
    const receiver = new Receiver();
    const { subscription } = await failMany(receiver, 5);
    const page = await listDeliveries(fixture.ctx, { subscriptionId: subscription.id, status: "DELIVERED" });
    const { deliveryId, eventId } = page.data[0]!;
    await replayDeliveries(fixture.ctx, { subscriptionId: subscription.id, deliveryId });
    await until("it arrived", () => receiver.requests.length === 1);
    expect(receiver.ids()).toEqual([eventId]);
    await receiver.stop();
  }, 60_000);

  test("keeps to a rate and ends when it is cancelled", async () => {
    const receiver = new Receiver();
    const { subscription, failed } = await failMany(receiver, 100);
    const { replayId } = await replayDeliveries(fixture.ctx, {
      subscriptionId: subscription.id,
      ratePerSecond: 10,
    });
    await until("some arrived", () => receiver.requests.length >= 5);
    const cancelled = await cancelReplay(fixture.ctx, { id: replayId! });
    expect(cancelled.status).toBe("CANCELLED");
    await Bun.sleep(1_500);
    expect(receiver.requests.length).toBeLessThan(failed);
    expect(receiver.requests.length).toBeLessThanOrEqual(cancelled.replayed);
    await receiver.stop();
  }, 60_000);

  test("to a paused subscription is held and seen so, and can be cancelled when all is on its way", async () => {
    const receiver = new Receiver();
    const { subscription, failed } = await failMany(receiver, 10);
    const subscriptionId = subscription.id;
    await setSubscriptionStatus(fixture.ctx, { id: subscriptionId, status: "PAUSED" });
    const { replayId } = await replayDeliveries(fixture.ctx, { subscriptionId });
    const shown = () => getReplay(fixture.ctx, { id: replayId! });
    await until("it is on its way", async () => (await shown()).status === "COMPLETED");
    await until("all are held", async () => {
      const { open } = await subscriptionStatistics(fixture.ctx, { subscriptionId });
      return open.held === failed && open.waiting === 0;
    });
    expect((await cancelReplay(fixture.ctx, { id: replayId! })).status).toBe("CANCELLED");
    await setSubscriptionStatus(fixture.ctx, { id: subscriptionId, status: "ACTIVE" });
    await until("nothing is open", async () => (await openOf(fixture, subscriptionId)).length === 0);
    expect(receiver.requests).toEqual([]);
    await receiver.stop();
  }, 60_000);

  test("ends with its subscription, and says so", async () => {
    const receiver = new Receiver();
    const { subscription } = await failMany(receiver, 20);
    const { replayId } = await replayDeliveries(fixture.ctx, {
      subscriptionId: subscription.id,
      ratePerSecond: 1,
    });
    await until("some arrived", () => receiver.requests.length > 0);
    await deleteSubscription(fixture.ctx, { id: subscription.id });
    const shown = () => getReplay(fixture.ctx, { id: replayId! });
    await until("it is cancelled", async () => (await shown()).status === "CANCELLED");
    expect((await shown()).errorMessage).toBe("The subscription was deleted");
    await receiver.stop();
  }, 60_000);
});
