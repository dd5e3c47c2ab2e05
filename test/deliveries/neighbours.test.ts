import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { UNPROVEN_SLOTS } from "../../src/domain/deliveries/unproven-slots.ts";
import { type DeliveryFixture, Receiver, startDeliveries, startWorker, until } from "./delivery-fixture.ts";

const HANGING = 90;

let fixture: DeliveryFixture;

beforeAll(async () => {
  fixture = await startDeliveries({ WEBHOOK_TIMEOUT_SECONDS: "120" });
}, 60_000);

afterAll(() => fixture.stop(), 60_000);

describe("receivers that hang from their first request on", () => {
  test("hold no slot that one needs which is known to answer, be it by a process before this one", async () => {
    const good = new Receiver();
    const bad = new Receiver();
    const release = Promise.withResolvers<void>();
    bad.answer = async () => {
      await release.promise;
      return new Response();
    };
    await fixture.subscribe(good.url, { eventTypes: ["good.*"] });
    const before = await startWorker(fixture);
    await fixture.publish([{ type: "good.event" }]);
    await until("the good one has answered", () => good.requests.length === 1);
    await before.stop();

    const worker = await startWorker(fixture);
    for (let count = 0; count < HANGING; count++) await fixture.subscribe(bad.url, { eventTypes: ["bad.*"] });
    await fixture.publish([{ type: "bad.event" }, { type: "bad.event" }]);
    await until("they hang", () => bad.requests.length >= UNPROVEN_SLOTS);
    for (let count = 0; count < 20; count++) await fixture.publish([{ type: "good.event" }]);
    await until("the good one got everything", () => good.requests.length === 21);
    expect(bad.requests).toHaveLength(UNPROVEN_SLOTS);

    release.resolve();
    await until("the bad ones got theirs", () => bad.requests.length >= HANGING * 2);
    await worker.stop();
    expect(new Set(good.ids()).size).toBe(21);
    expect(new Set(bad.requests.map(({ headers }) => headers.get("hub-delivery-id"))).size).toBe(HANGING * 2);
    expect(bad.requests).toHaveLength(HANGING * 2);
    await Promise.all([good.stop(), bad.stop()]);
  }, 120_000);
});
