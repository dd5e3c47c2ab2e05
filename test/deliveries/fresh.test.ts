import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkDeliveryConservation } from "../../src/domain/deliveries/check-delivery-conservation.ts";
import type { Delivery } from "../../src/domain/deliveries/delivery-work.ts";
import { FreshDeliveries } from "../../src/domain/deliveries/fresh-deliveries.ts";
import { Lane } from "../../src/domain/deliveries/lane.ts";
import { setSubscriptionStatus } from "../../src/domain/subscriptions/set-subscription-status.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  attemptsOf,
  type DeliveryFixture,
  openOf,
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

describe("a burst of events that a lane cannot hold", () => {
  test("reaches its receiver once each, also across a pause and with failures in between", async () => {
    const receiver = new Receiver();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: ["burst.*"], retryIntervals: [1] });
    let answered = 0;
    receiver.answer = async () => {
      await Bun.sleep(2);
      // One in fifty fails once or more: what comes back by its retry was tried before.
      return new Response(null, { status: ++answered % 50 === 0 ? 500 : 204 });
    };
    const published: string[] = [];
    for (let batch = 0; batch < 6; batch++) {
      const events = Array.from({ length: 500 }, (_, n) => ({ type: "burst.event", data: { batch, n } }));
      published.push(...(await fixture.publish(events)));
    }
    await until("some arrived", () => receiver.requests.length > 300);
    await setSubscriptionStatus(fixture.ctx, { id, status: "PAUSED" });
    await until(
      "nothing is under way",
      async () => (await checkDeliveryConservation(fixture.runtime)).taken === 0,
    );
    await setSubscriptionStatus(fixture.ctx, { id, status: "ACTIVE" });
    await until(
      "everything is delivered and booked",
      async () => {
        const { live, taken, difference } = await checkDeliveryConservation(fixture.runtime);
        return live === 0 && taken === 0 && difference === 0 && (await openOf(fixture, id)).length === 0;
      },
      60_000,
    );
    const attempts = await attemptsOf(fixture, id);
    const delivered = attempts.filter(({ status }) => status === "DELIVERED");
    expect(new Set(delivered.map(({ eventId }) => eventId))).toEqual(new Set(published));
    expect(delivered).toHaveLength(published.length);
    // Every request is an attempt of its own number.
    expect(new Set(attempts.map(({ eventId, attemptNumber }) => `${eventId} ${attemptNumber}`)).size).toBe(
      attempts.length,
    );
    expect(receiver.requests).toHaveLength(attempts.length);
    await receiver.stop();
  }, 120_000);
});

describe("FreshDeliveries", () => {
  const owned = {
    partition: 0,
    token: "1",
    lease: { isHeld: () => true, token: 1, ended: new AbortController().signal },
  };
  const lane = (): Lane => new Lane(newId(), newId(), owned);
  const delivery = (member: string, data = "{}"): Delivery =>
    ({ member, event: { data } }) as unknown as Delivery;

  test("gives each delivery once", () => {
    const fresh = new FreshDeliveries();
    const [one, other] = [lane(), lane()];
    const kept = delivery("a");
    fresh.add(one, kept);
    expect(fresh.take(other, "a")).toBeUndefined();
    expect(fresh.take(one, "a")).toBe(kept);
    expect(fresh.take(one, "a")).toBeUndefined();
  });

  test("keeps nothing for a lane that is held, and forgets what it kept", () => {
    const fresh = new FreshDeliveries();
    const held = lane();
    fresh.add(held, delivery("a"));
    fresh.forget(held);
    held.isParked = true;
    fresh.add(held, delivery("b"));
    expect([fresh.take(held, "a"), fresh.take(held, "b")]).toEqual([undefined, undefined]);
  });

  test("is bounded by deliveries and by bytes, and what is taken makes room", () => {
    const many = new FreshDeliveries();
    const lanes = [lane(), lane(), lane()];
    for (const one of lanes)
      for (let index = 0; index < 5_000; index++) many.add(one, delivery(String(index)));
    const [full, , rest] = lanes as [Lane, Lane, Lane];
    expect(many.take(full, "4000")).toBeUndefined();
    expect(many.take(rest, "2000")).toBeUndefined();
    many.take(full, "0");
    many.add(rest, delivery("2000"));
    expect(many.take(rest, "2000")).toBeDefined();
    const large = new FreshDeliveries();
    const data = "x".repeat(8 * 1024 * 1024);
    for (let index = 0; index < 20; index++) large.add(full, delivery(String(index), data));
    expect(
      Array.from({ length: 20 }, (_, index) => large.take(full, String(index))).filter(Boolean),
    ).toHaveLength(8);
  });
});
