import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { encodeMember } from "../../src/domain/deliveries/delivery-id.ts";
import { deliveryScripts } from "../../src/domain/deliveries/delivery-scripts.ts";
import type { OwnedPartition } from "../../src/domain/deliveries/delivery-work.ts";
import { enqueueDeliveries } from "../../src/domain/deliveries/enqueue-deliveries.ts";
import { takeDeliveries } from "../../src/domain/deliveries/take-deliveries.ts";
import { setSubscriptionStatus } from "../../src/domain/subscriptions/set-subscription-status.ts";
import { deliveryKeys } from "../../src/platform/redis/keys.ts";
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

beforeAll(async () => {
  fixture = await startDeliveries({ STREAM_PARTITIONS: "1" });
}, 60_000);

afterAll(() => fixture.stop(), 60_000);

describe("takeDeliveries()", () => {
  test("tells what it marked when the answer to its first call was lost, and marks no more", async () => {
    const { runtime, ctx } = fixture;
    const scripts = deliveryScripts(runtime.redis);
    const subscriptionId = newId();
    const owned: OwnedPartition = {
      partition: 0,
      token: "7",
      lease: { token: 7, isHeld: () => true, ended: new AbortController().signal },
    };
    await runtime.redis.hset(deliveryKeys(0).owner, "token", owned.token);
    const members = Array.from({ length: 5 }, () =>
      encodeMember({ eventId: newId(), eventCreatedAtMs: Date.now() }),
    );
    const deliveries = members.map((member) => ({
      subscriptionId,
      tenantId: ctx.tenantId,
      isActive: true,
      member,
      due: "now" as const,
    }));
    await enqueueDeliveries(scripts, [{ partition: 0, token: "", deliveries }]);
    let calls = 0;
    const losing = {
      async take(...call: Parameters<typeof scripts.take>): Promise<unknown> {
        const reply = await scripts.take(...call);
        if (++calls === 1) throw new Error("Command timed out");
        return reply;
      },
    };
    const take = (call: number) =>
      takeDeliveries({ runtime, scripts: losing }, owned, [{ subscriptionId, count: 3 }], call);
    const [taken] = await take(1);
    expect(calls).toBe(2);
    expect(taken).toHaveLength(3);
    const [rest] = await take(2);
    expect([...taken!, ...rest!].toSorted()).toEqual(members.toSorted());
    await runtime.redis.del(...Object.values(deliveryKeys(0)), deliveryKeys(0).owner);
  });
});

describe("held queues", () => {
  test("of 1,100 subscriptions are all looked at: one whose resume was not heard of gets its event", async () => {
    const type = `order.t${newId().slice(-12)}`;
    const receiver = new Receiver();
    const ids: string[] = [];
    for (let start = 0; start < 1_100; start += 100) {
      const made = await Promise.all(
        Array.from({ length: 100 }, () => fixture.subscribe(receiver.url, { eventTypes: [type] })),
      );
      ids.push(...made.map(({ id }) => id));
    }
    const last = ids.toSorted().at(-1)!;
    const { sqlSystem } = fixture.runtime;
    await sqlSystem`update webhook_subscriptions set status = 'PAUSED' where id in ${sqlSystem(ids)}`;
    await setSubscriptionStatus(fixture.ctx, { id: ids[0]!, status: "PAUSED" });
    const first = await startWorker(fixture);
    await fixture.publish([{ type }]);
    await until("the last one's delivery is held", async () => (await openOf(fixture, last)).length === 1);
    await first.stop();
    expect(receiver.requests).toHaveLength(0);
    await sqlSystem`update webhook_subscriptions set status = 'ACTIVE' where id = ${last}`;
    const second = await startWorker(fixture);
    await until("it arrived", () => receiver.requests.length === 1);
    await second.stop();
    await receiver.stop();
  }, 120_000);
});
