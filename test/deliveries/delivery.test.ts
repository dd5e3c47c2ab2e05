import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
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
const receivers: Receiver[] = [];

beforeAll(async () => {
  fixture = await startDeliveries();
  worker = await startWorker(fixture);
}, 60_000);

afterAll(async () => {
  await worker.stop();
  for (const receiver of receivers) await receiver.stop();
  await fixture.stop();
}, 60_000);

function receive(): Receiver {
  const receiver = new Receiver();
  receivers.push(receiver);
  return receiver;
}

describe("delivery", () => {
  test("an event arrives signed, with its id, type, time and data, and leaves one event row and one attempt row", async () => {
    const receiver = receive();
    const subscription = await fixture.subscribe(receiver.url, { eventTypes: ["order.signed"] });
    const [id] = await fixture.publish([{ type: "order.signed", data: { total: 12.5 } }]);
    await until("the event arrived", () => receiver.requests.length === 1);
    const { headers, body } = receiver.requests[0]!;
    const verified = new Webhook(subscription.secretKey).verify(body, Object.fromEntries(headers as never));
    expect(verified).toEqual({
      id,
      type: "order.signed",
      timestamp: expect.any(String),
      data: { total: 12.5 },
    });
    await until(
      "the attempt is stored",
      async () => (await attemptsOf(fixture, subscription.id)).length === 1,
    );
    expect(await attemptsOf(fixture, subscription.id)).toMatchObject([
      { eventId: id, attemptNumber: 1, status: "DELIVERED", responseStatus: 200, trigger: "EVENT" },
    ]);
    expect(await openOf(fixture, subscription.id)).toEqual([]);
    const events = () => fixture.runtime.sqlSystem`select from events where id = ${id!}`;
    await until("the event is stored", async () => (await events()).length === 1);
  });

  test("a receiver that fails k times gets the event again at the intervals, and never after its success", async () => {
    const receiver = receive();
    receiver.answer = () => new Response("no", { status: receiver.requests.length <= 2 ? 500 : 200 });
    const subscription = await fixture.subscribe(receiver.url, {
      eventTypes: ["order.flaky"],
      retryIntervals: [1],
    });
    const [id] = await fixture.publish([{ type: "order.flaky" }]);
    await until("it was delivered", async () =>
      (await attemptsOf(fixture, subscription.id)).some(({ status }) => status === "DELIVERED"),
    );
    await Bun.sleep(1500);
    expect(receiver.ids()).toEqual([id!, id!, id!]);
    const attempts = await attemptsOf(fixture, subscription.id);
    expect(attempts.map(({ status, attemptNumber }) => [status, attemptNumber])).toEqual([
      ["RETRYING", 1],
      ["RETRYING", 2],
      ["DELIVERED", 3],
    ]);
    expect(new Set(attempts.map(({ deliveryId }) => deliveryId)).size).toBe(1);
    expect(await openOf(fixture, subscription.id)).toEqual([]);
    const gapMs = receiver.requests[1]!.atMs - receiver.requests[0]!.atMs;
    expect(gapMs).toBeGreaterThan(890);
  }, 60_000);
});
