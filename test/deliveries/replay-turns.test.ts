import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DELIVERY_JOBS } from "../../src/domain/deliveries/delivery-jobs.ts";
import { getReplay } from "../../src/domain/deliveries/get-replay.ts";
import { replayDeliveries } from "../../src/domain/deliveries/replay-deliveries.ts";
import { ReplayPace } from "../../src/domain/deliveries/replay-pace.ts";
import { insertReplay } from "../../src/domain/deliveries/replay-store.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  attemptsOf,
  type DeliveryFixture,
  freshTenant,
  Receiver,
  startDeliveries,
  startWorker,
  until,
} from "./delivery-fixture.ts";

let fixture: DeliveryFixture;
let worker: Awaited<ReturnType<typeof startWorker>>;

beforeAll(async () => {
  fixture = await startDeliveries();
  worker = await startWorker(fixture);
}, 60_000);

afterAll(async () => {
  await worker.stop();
  await fixture.stop();
}, 60_000);

const forever = { isHeld: () => true, token: 1, ended: new AbortController().signal };
const runReplays = (): Promise<void> =>
  DELIVERY_JOBS.find(({ name }) => name === "replay deliveries")!.run(worker.runtime, forever);

const eventType = (): string => `order.t${newId().replaceAll("-", "").slice(-12)}`;

describe("replays", () => {
  test("of which nothing matched send nothing, whatever fails before they run", async () => {
    const type = eventType();
    const receiver = new Receiver();
    receiver.answer = () => new Response("", { status: 500 });
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], retryEnabled: false });
    const { replayId, matched } = await replayDeliveries(fixture.ctx, { subscriptionId: id });
    expect(matched).toBe(0);
    await fixture.publish([{ type }]);
    await until("it failed", async () => (await attemptsOf(fixture, id)).length === 1);
    await runReplays();
    await until(
      "it is over",
      async () => (await getReplay(fixture.ctx, { id: replayId! })).status === "COMPLETED",
    );
    expect((await getReplay(fixture.ctx, { id: replayId! })).replayed).toBe(0);
    expect(receiver.requests).toHaveLength(1);
    await receiver.stop();
  }, 60_000);

  test("of one tenant that has hundreds, slow ones, leave a place to another tenant's", async () => {
    const { sqlSystem } = fixture.runtime;
    const type = eventType();
    const receiver = new Receiver();
    receiver.answer = () => new Response("", { status: 500 });
    const busy = await fixture.subscribe(receiver.url, { eventTypes: [type], retryEnabled: false });
    await fixture.publish(Array.from({ length: 5 }, () => ({ type })));
    await until("all failed", async () => (await attemptsOf(fixture, busy.id)).length === 5);
    const [newest] = await sqlSystem<{ id: string }[]>`
      select id from webhook_deliveries where subscription_id = ${busy.id} order by id desc limit 1`;
    const slow = Array.from({ length: 150 }, () => ({
      id: newId(),
      tenantId: fixture.ctx.tenantId,
      subscriptionId: busy.id,
      deliveryId: null,
      filter: { status: "FAILED" as const },
      ratePerSecond: 1,
      matched: 5,
      untilId: newest!.id,
      createdBy: "test",
    }));
    await sqlSystem.begin(async (tx) => {
      for (const job of slow) await insertReplay(tx, job);
    });
    await runReplays();
    const other = await freshTenant(fixture.runtime);
    const { id } = await createSubscription(other, {
      name: "other",
      url: receiver.url,
      eventTypes: [type],
      retryEnabled: false,
    });
    await fixture.publish([{ type }], other);
    await until("it failed", async () => (await attemptsOf(fixture, id)).length === 1);
    const { replayId } = await replayDeliveries(other, { subscriptionId: id });
    // All places are taken by jobs of which each goes on for seconds.
    await until("the other tenant's is over", async () => {
      await runReplays();
      await Bun.sleep(50);
      return (await getReplay(other, { id: replayId! })).status === "COMPLETED";
    });
    const [row] = await sqlSystem<{ done: number }[]>`
      select count(*)::int as done from replay_jobs where subscription_id = ${busy.id} and status = 'COMPLETED'`;
    expect(row!.done).toBeLessThan(slow.length);
    await sqlSystem`update replay_jobs set status = 'CANCELLED' where subscription_id = ${busy.id}`;
    await receiver.stop();
  }, 60_000);
});

describe("ReplayPace", () => {
  test("allows the rate over any cut of the time, and catches up with a second at most", () => {
    const pace = new ReplayPace(10, 0);
    let sent = 0;
    for (let nowMs = 0; nowMs <= 5_000; nowMs += 70) {
      const count = Math.min(2, pace.allowed(nowMs));
      pace.charge(count, nowMs);
      sent += count;
    }
    expect(sent).toBe(50);
    expect(pace.allowed(60_000)).toBe(11);
  });
});
