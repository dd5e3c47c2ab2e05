import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkDeliveryConservation } from "../../src/domain/deliveries/check-delivery-conservation.ts";
import { deliveryIdOf } from "../../src/domain/deliveries/delivery-id.ts";
import { DELIVERY_JOBS } from "../../src/domain/deliveries/delivery-jobs.ts";
import { writeOpenDeliveries } from "../../src/domain/deliveries/open-delivery-store.ts";
import { setSubscriptionStatus } from "../../src/domain/subscriptions/set-subscription-status.ts";
import { deliveryQueueKey, partitionOf } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  type DeliveryFixture,
  openOf,
  Receiver,
  startDeliveries,
  startWorker,
  until,
} from "./delivery-fixture.ts";

/** A loaded machine writes what was in memory at the pause in its own time. */
const BOOKED_MS = 60_000;
/** One pause in twenty met deliveries on their way out of the queue. */
const PAUSES = 8;

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

/** Runs the sweeper and the rebuild as the scheduler does. */
async function sweep(): Promise<void> {
  for (const job of DELIVERY_JOBS.slice(0, 2)) await job.run(worker.runtime, forever);
}

describe("deliveries that wait", () => {
  test("all overdue, with the sweeper running: nothing is sent twice", async () => {
    const type = "order.waiting";
    const receiver = new Receiver();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], status: "PAUSED" });
    const { sqlSystem, redis, config } = fixture.runtime;
    // Events, open deliveries and queue of a subscription that has waited for hours.
    const count = Number(process.env["WAITING_DELIVERIES"] ?? 20_000);
    const createdAt = new Date(Date.now() - 3_600_000);
    const eventIds = Array.from({ length: count }, () => newId());
    const due = new Date(Date.now() - 600_000);
    for (let start = 0; start < count; start += 10_000) {
      const ids = eventIds.slice(start, start + 10_000);
      const deliveryIds = ids.map((eventId) => deliveryIdOf({ eventId, subscriptionId: id }));
      await sqlSystem`
        insert into events (id, tenant_id, type, source, payload, payload_size, occurred_at, created_at)
        select given.id, ${fixture.ctx.tenantId}, ${type}, 'API', '{}'::bytea, 2, ${createdAt}, ${createdAt}
        from unnest(${ids}::text[]::uuid[]) as given(id)`;
      await sqlSystem`
        insert into open_deliveries (id, tenant_id, subscription_id, event_id, event_created_at, event_type, attempt_count,
          status, next_retry_at, created_at, updated_at)
        select given.id, ${fixture.ctx.tenantId}, ${id}, given.event_id, ${createdAt}, ${type}, 1, 'RETRYING', ${due},
          ${due}, ${due}
        from unnest(${deliveryIds}::text[]::uuid[], ${ids}::text[]::uuid[]) as given(id, event_id)`;
    }
    // Redis knows none of them: the sweeper enlists each once.
    await sweep();
    const queue = deliveryQueueKey(partitionOf(id, config.streamPartitions), id);
    expect(await redis.zcard(queue)).toBe(count);
    if (!("nodes" in redis)) {
      const bytes = Number(await redis.memory("USAGE", queue, "SAMPLES", 0));
      expect(bytes / count).toBeLessThan(400);
    }
    await sweep();
    expect(await redis.zcard(queue)).toBe(count);
    const { accepted, difference } = await checkDeliveryConservation(fixture.runtime);
    expect({ accepted, difference }).toEqual({ accepted: count, difference: 0 });
    // Some go out while the sweeper runs beside.
    const sent = new Set<string>();
    let twice = 0;
    receiver.answer = (request) => {
      if (sent.has(request.id)) twice++;
      sent.add(request.id);
      return new Response();
    };
    await setSubscriptionStatus(fixture.ctx, { id, status: "ACTIVE" });
    await until("some arrived", () => sent.size > 1_000);
    await sweep();
    await until("more arrived", () => sent.size > 5_000);
    await sweep();
    await setSubscriptionStatus(fixture.ctx, { id, status: "PAUSED" });
    const booked = () =>
      until(
        "everything is stored and booked",
        async () => {
          const books = await checkDeliveryConservation(fixture.runtime);
          return books.taken === 0 && books.difference === 0 && books.live === count - sent.size;
        },
        BOOKED_MS,
      );
    await booked();
    // A pause meets deliveries that are in flight, and such as are on their way out of the queue: they go back to it.
    for (let round = 0; round < PAUSES; round++) {
      const before = sent.size;
      await setSubscriptionStatus(fixture.ctx, { id, status: "ACTIVE" });
      await until("more arrived again", () => sent.size > before + 100);
      await setSubscriptionStatus(fixture.ctx, { id, status: "PAUSED" });
      await booked();
    }
    expect(twice).toBe(0);
    await until("what waits is held", async () =>
      (await openOf(fixture, id)).every(({ status }) => status === "HELD"),
    );
    expect((await openOf(fixture, id)).length).toBe(count - sent.size);
    await receiver.stop();
  }, 120_000);

  test("of which a fan-out elsewhere believed the subscription paused, and was late: they are not sent again", async () => {
    const receiver = new Receiver();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: ["late.*"] });
    const [eventId] = await fixture.publish([{ type: "late.event" }]);
    const stored = async () =>
      fixture.runtime.sqlSystem<{ createdAt: Date }[]>`
        select d.event_id, e.created_at as "createdAt" from webhook_deliveries d join events e on e.id = d.event_id
        where d.subscription_id = ${id}`;
    await until("it is delivered and stored", async () => (await stored()).length === 1);
    const [event] = await stored();
    await writeOpenDeliveries(fixture.runtime.sqlSystem, [
      {
        id: deliveryIdOf({ eventId: eventId!, subscriptionId: id }),
        tenantId: fixture.ctx.tenantId,
        subscriptionId: id,
        eventId: eventId!,
        eventCreatedAtMs: event!.createdAt.getTime(),
        eventType: "late.event",
        orderingKey: null,
        replayId: null,
        attemptCount: 0,
        status: "HELD",
        nextRetryAtMs: null,
        errorCode: null,
        errorMessage: null,
      },
    ]);
    await fixture.runtime.sqlSystem`
      update open_deliveries set updated_at = now() - interval '10 minutes' where subscription_id = ${id}`;
    // A sweep passes over what Redis still holds: the delivery's end is booked there some ms after its row was written.
    await until("its row is gone", async () => {
      await sweep();
      return (await openOf(fixture, id)).length === 0;
    });
    expect(receiver.requests).toHaveLength(1);
    await until("the books are even", async () => {
      const { taken, difference } = await checkDeliveryConservation(fixture.runtime);
      return taken === 0 && difference === 0;
    });
    await receiver.stop();
  }, 60_000);
});
