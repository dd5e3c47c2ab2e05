import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkDeliveryConservation } from "../../src/domain/deliveries/check-delivery-conservation.ts";
import { getDelivery } from "../../src/domain/deliveries/get-delivery.ts";
import { listDeliveries } from "../../src/domain/deliveries/list-deliveries.ts";
import { subscriptionStatistics } from "../../src/domain/deliveries/subscription-statistics.ts";
import { testSubscription } from "../../src/domain/deliveries/test-subscription.ts";
import { getEvent } from "../../src/domain/events/get-event.ts";
import { deleteSubscription } from "../../src/domain/subscriptions/delete-subscription.ts";
import { getSubscription } from "../../src/domain/subscriptions/get-subscription.ts";
import { setSubscriptionStatus } from "../../src/domain/subscriptions/set-subscription-status.ts";
import { updateSubscription } from "../../src/domain/subscriptions/update-subscription.ts";
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
const receivers: Receiver[] = [];

beforeAll(async () => {
  fixture = await startDeliveries({ WEBHOOK_TIMEOUT_SECONDS: "2" });
  worker = await startWorker(fixture);
}, 60_000);

afterAll(async () => {
  await worker.stop();
  for (const receiver of receivers) await receiver.stop();
  await fixture.stop();
}, 60_000);

function receive(answer: (count: number) => Response | Promise<Response> = () => new Response()): Receiver {
  const receiver = new Receiver();
  receiver.answer = () => answer(receiver.requests.length);
  receivers.push(receiver);
  return receiver;
}

const eventType = (): string => `order.t${newId().replaceAll("-", "").slice(-12)}`;

describe("a delivery", () => {
  test("is FAILED after the first try and its retries, and tells so in the history", async () => {
    const type = eventType();
    const receiver = receive(() => new Response("broken", { status: 503 }));
    const { id } = await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      maxRetries: 2,
      retryIntervals: [1],
    });
    await fixture.publish([{ type }]);
    await until("it failed", async () =>
      (await attemptsOf(fixture, id)).some(({ status }) => status === "FAILED"),
    );
    expect((await attemptsOf(fixture, id)).map(({ status }) => status)).toEqual([
      "RETRYING",
      "RETRYING",
      "FAILED",
    ]);
    const page = await listDeliveries(fixture.ctx, { subscriptionId: id, status: "FAILED" });
    const detail = await getDelivery(fixture.ctx, {
      subscriptionId: id,
      deliveryId: page.data[0]!.deliveryId,
    });
    expect(detail).toMatchObject({ status: "FAILED", trigger: "EVENT" });
    expect(detail.attempts).toHaveLength(3);
    expect(detail.attempts[0]!.responseBody).toBe("broken");
    expect(await openOf(fixture, id)).toEqual([]);
    await until("the totals are written", async () => {
      const { totalSent, totalFailed } = await subscriptionStatistics(fixture.ctx, { subscriptionId: id });
      return totalSent === 1 && totalFailed === 1;
    });
  }, 60_000);

  test("shows the body that its template made, none where that was not kept, never the event's own", async () => {
    const receiver = new Receiver();
    const transformTemplate = { engine: "jsonata", expression: '{ "only": data.n }' } as const;
    const type = eventType();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], transformTemplate });
    await fixture.publish([{ type }]);
    await until("it is stored", async () => (await attemptsOf(fixture, id)).length === 1);
    const [attempt] = await attemptsOf(fixture, id);
    const shown = () => getDelivery(fixture.ctx, { subscriptionId: id, deliveryId: attempt!.deliveryId });
    expect((await shown()).requestBody).toBe(receiver.requests[0]!.body);
    expect(JSON.parse(receiver.requests[0]!.body)).toEqual({ only: 1 });
    await fixture.runtime
      .sqlSystem`update webhook_deliveries set request_body = null where subscription_id = ${id}`;
    expect((await shown()).requestBody).toBeNull();
    await receiver.stop();
  }, 60_000);

  test.each<[string, object, string]>([
    [
      "key",
      { authType: "API_KEY", authConfig: { name: "X-Key", value: "k3y-0f-the-receiver" } },
      "k3y-0f-the-receiver",
    ],
    [
      "password",
      { authType: "BASIC", authConfig: { username: "u", password: "p4ss-0f-the-hub" } },
      "p4ss-0f-the-hub",
    ],
  ])(
    "keeps what was answered without the %s and the cookie that come back in it",
    async (_name, auth, secret) => {
      const type = eventType();
      const receiver = receive(() => {
        const { headers } = receiver.requests.at(-1)!;
        const echo = JSON.stringify(Object.fromEntries(headers));
        return new Response(`you sent ${echo}`, {
          headers: { "x-echo": echo, "set-cookie": "session=c00kie-0f-the-receiver" },
        });
      });
      const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], ...auth });
      await fixture.publish([{ type }]);
      await until("it is stored", async () => (await attemptsOf(fixture, id)).length === 1);
      const { deliveryId } = (await attemptsOf(fixture, id))[0]!;
      const shown = JSON.stringify(await getDelivery(fixture.ctx, { subscriptionId: id, deliveryId }));
      expect(shown).toContain("you sent");
      for (const hidden of [secret, Buffer.from(`u:${secret}`).toString("base64"), "c00kie-0f-the-receiver"])
        expect(shown).not.toContain(hidden);
    },
    60_000,
  );

  test("is not repeated at a redirect's target, and says that it was one", async () => {
    const type = eventType();
    const target = receive();
    const receiver = receive(() => Response.redirect(target.url, 302));
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], retryEnabled: false });
    await fixture.publish([{ type }]);
    await until("it failed", async () => (await attemptsOf(fixture, id)).length === 1);
    expect(await attemptsOf(fixture, id)).toMatchObject([
      { status: "FAILED", errorCode: "redirect_not_followed" },
    ]);
    expect(target.requests).toEqual([]);
  }, 60_000);

  test("to a paused subscription that is answered 410 disables it", async () => {
    const type = eventType();
    const answer = Promise.withResolvers<Response>();
    const receiver = receive(() => answer.promise);
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type] });
    await fixture.publish([{ type }]);
    await until("it is on its way", () => receiver.requests.length === 1);
    await setSubscriptionStatus(fixture.ctx, { id, status: "PAUSED" });
    answer.resolve(new Response("", { status: 410 }));
    await until("it failed", async () => (await attemptsOf(fixture, id)).length === 1);
    expect(await getSubscription(fixture.ctx, { id })).toMatchObject({
      status: "FAILED",
      disabledReason: "The receiver answered 410 Gone",
    });
  }, 60_000);

  test("waits as long as Retry-After asks", async () => {
    const type = eventType();
    const receiver = receive(() => new Response("", { status: 429, headers: { "retry-after": "600" } }));
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], retryIntervals: [1] });
    await fixture.publish([{ type }]);
    await until("it was tried", async () => (await attemptsOf(fixture, id)).length === 1);
    const [attempt] = await attemptsOf(fixture, id);
    const waitMs = attempt!.nextRetryAt!.getTime() - attempt!.createdAt.getTime();
    expect(waitMs).toBeGreaterThanOrEqual(600_000);
    expect(await openOf(fixture, id)).toEqual([{ status: "RETRYING", attemptCount: 1 }]);
  }, 60_000);

  test("that hangs is one failed attempt with its cause, and does not delay another subscription", async () => {
    const type = eventType();
    const hanging = receive(() => new Promise<Response>(() => undefined));
    const healthy = receive();
    const { id } = await fixture.subscribe(hanging.url, { eventTypes: [type], retryEnabled: false });
    await fixture.subscribe(healthy.url, { eventTypes: [type] });
    await fixture.publish(Array.from({ length: 20 }, () => ({ type })));
    await until("the other one got all", () => healthy.requests.length === 20);
    await until("it timed out", async () => (await attemptsOf(fixture, id)).length > 0);
    expect((await attemptsOf(fixture, id))[0]).toMatchObject({ status: "FAILED", errorCode: "timeout" });
  }, 60_000);
});

describe("a subscription", () => {
  test("is disabled after ten failed attempts in a row; what waits is HELD and goes out after enabling", async () => {
    const type = eventType();
    const receiver = receive(() => new Response("", { status: 500 }));
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], retryEnabled: false });
    await fixture.publish(Array.from({ length: 40 }, () => ({ type })));
    await until(
      "it is disabled",
      async () => (await getSubscription(fixture.ctx, { id })).status === "FAILED",
    );
    expect((await getSubscription(fixture.ctx, { id })).disabledReason).toContain(
      "10 failed attempts in a row",
    );
    await fixture.publish(Array.from({ length: 5 }, () => ({ type })));
    const failed = async (): Promise<number> => (await attemptsOf(fixture, id)).length;
    await until("the rest is held", async () => {
      const open = await openOf(fixture, id);
      return open.every(({ status }) => status === "HELD") && open.length === 45 - (await failed());
    });
    const attempted = await failed();
    receiver.answer = () => new Response();
    await setSubscriptionStatus(fixture.ctx, { id, status: "ACTIVE" });
    await until("all that waited arrived", async () => (await failed()) === 45);
    const delivered = (await attemptsOf(fixture, id)).filter(({ status }) => status === "DELIVERED");
    expect(delivered).toHaveLength(45 - attempted);
    await until("nothing is open", async () => (await openOf(fixture, id)).length === 0);
  }, 60_000);

  test("is disabled at once by 410", async () => {
    const type = eventType();
    const receiver = receive(() => new Response("", { status: 410 }));
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type] });
    await fixture.publish([{ type }]);
    await until(
      "it is disabled",
      async () => (await getSubscription(fixture.ctx, { id })).status === "FAILED",
    );
    expect((await getSubscription(fixture.ctx, { id })).disabledReason).toContain("410");
    expect(await attemptsOf(fixture, id)).toMatchObject([{ status: "FAILED", responseStatus: 410 }]);
  }, 60_000);

  test("gets what came while it was paused after resuming", async () => {
    const type = eventType();
    const receiver = receive();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], status: "PAUSED" });
    const ids = await fixture.publish(Array.from({ length: 30 }, () => ({ type })));
    await until("all are held", async () => (await openOf(fixture, id)).length === 30);
    expect(receiver.requests).toEqual([]);
    await setSubscriptionStatus(fixture.ctx, { id, status: "ACTIVE" });
    await until("all arrived", () => receiver.requests.length === 30);
    expect(new Set(receiver.ids())).toEqual(new Set(ids));
    await until("nothing is open", async () => (await openOf(fixture, id)).length === 0);
  }, 60_000);

  test("that is deleted has its waiting deliveries cancelled", async () => {
    const type = eventType();
    const receiver = receive();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], status: "PAUSED" });
    await fixture.publish([{ type }, { type }]);
    await until("both are held", async () => (await openOf(fixture, id)).length === 2);
    await deleteSubscription(fixture.ctx, { id });
    await until("nothing is open", async () => (await openOf(fixture, id)).length === 0);
    expect(receiver.requests).toEqual([]);
  }, 60_000);

  test("that is deleted keeps its history, and shows what it has cancelled at once, whenever that was due", async () => {
    const type = eventType();
    const receiver = receive(() => new Response("", { status: 500 }));
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [type], retryIntervals: [3600] });
    const [eventId] = await fixture.publish([{ type }]);
    await until("it failed once", async () => (await attemptsOf(fixture, id)).length === 1);
    const deliveryId = (await attemptsOf(fixture, id))[0]!.deliveryId;
    const ofEvent = async () => (await getEvent(fixture.ctx, { id: eventId! })).deliveries;
    const shown = () => getDelivery(fixture.ctx, { subscriptionId: id, deliveryId });
    expect(await ofEvent()).toMatchObject([{ status: "RETRYING", attempts: 1, responseStatus: 500 }]);
    expect(await shown()).toMatchObject({ status: "RETRYING" });
    await deleteSubscription(fixture.ctx, { id });
    expect(await ofEvent()).toMatchObject([{ status: "CANCELLED", attempts: 1, nextRetryAt: null }]);
    expect(await shown()).toMatchObject({ status: "CANCELLED", nextRetryAt: null });
    const listed = async (filter: string): Promise<number> =>
      (await listDeliveries(fixture.ctx, { subscriptionId: id, eventType: filter })).data.length;
    expect([await listed("*"), await listed(`${type.slice(0, -2)}*`), await listed("order.x*")]).toEqual([
      1, 1, 0,
    ]);
  }, 60_000);

  test("with a rate gets no more than it allows", async () => {
    const type = eventType();
    const receiver = receive();
    const { id } = await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      rateLimit: { limit: 5, windowSeconds: 1, burst: 1 },
    });
    await fixture.publish(Array.from({ length: 10 }, () => ({ type })));
    await until("all are stored", async () => (await attemptsOf(fixture, id)).length === 10);
    // When they were sent: how long they travelled is not the hub's to say.
    const times = (await attemptsOf(fixture, id)).map(({ createdAt }) => createdAt.getTime());
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(1_600);
  }, 60_000);

  test("whose rate is raised gets at once what waited behind the old one, and shows it as waiting until then", async () => {
    const type = eventType();
    const receiver = receive();
    const { id } = await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      rateLimit: { limit: 1, windowSeconds: 86_400, burst: 1 },
    });
    await fixture.publish(Array.from({ length: 20 }, () => ({ type })));
    await until("one went out, the others wait", async () => {
      const { open } = await subscriptionStatistics(fixture.ctx, { subscriptionId: id });
      return receiver.requests.length === 1 && open.waiting === 19;
    });
    await updateSubscription(fixture.ctx, { id, changes: { rateLimit: { limit: 100, windowSeconds: 1 } } });
    await until("all went out", () => receiver.requests.length === 20);
    await until("none waits", async () => {
      const { open, totalDelivered } = await subscriptionStatistics(fixture.ctx, { subscriptionId: id });
      return open.waiting === 0 && totalDelivered === 20;
    });
  }, 60_000);

  test("of orderingMode KEY gets each key's events in order, and a failing key waits alone", async () => {
    const type = eventType();
    const seen: string[] = [];
    let isFailing = true;
    const receiver = receive();
    receiver.answer = ({ body }) => {
      const { data } = JSON.parse(body) as { data: { key: string; n: number } };
      if (data.key === "a" && data.n === 0 && isFailing) return new Response("", { status: 500 });
      seen.push(`${data.key}${data.n}`);
      return new Response();
    };
    const { id } = await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      orderingMode: "KEY",
      maxRetries: 20,
      retryIntervals: [1],
    });
    const numbers = Array.from({ length: 8 }, (_, n) => n);
    await fixture.publish(
      numbers.flatMap((n) => ["a", "b"].map((key) => ({ type, orderingKey: key, data: { key, n } }))),
    );
    await until("b is through", () => seen.filter((name) => name.startsWith("b")).length === 8);
    expect(seen.filter((name) => name.startsWith("a"))).toEqual([]);
    await until("the parked ones are visible", async () =>
      (await openOf(fixture, id)).some(({ status }) => status === "PARKED"),
    );
    isFailing = false;
    await until("a is through", () => seen.length === 16);
    for (const key of ["a", "b"])
      expect(seen.filter((name) => name.startsWith(key))).toEqual(numbers.map((n) => `${key}${n}`));
    await until("nothing is open", async () => (await openOf(fixture, id)).length === 0);
  }, 60_000);

  test("can be tested: in the history, in no count", async () => {
    const receiver = receive();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [eventType()] });
    const attempt = await testSubscription(fixture.ctx, { subscriptionId: id });
    expect(attempt).toMatchObject({ status: "DELIVERED", trigger: "TEST", eventType: "webhook.test" });
    expect(JSON.parse(receiver.requests[0]!.body)).toMatchObject({ type: "webhook.test" });
    expect(await subscriptionStatistics(fixture.ctx, { subscriptionId: id })).toMatchObject({
      totalSent: 0,
      responseTimeMs: { attempts: 0 },
    });
  }, 60_000);

  test("can be tested with the sample of an event type, and refuses one that is not known", async () => {
    const receiver = receive();
    const { id } = await fixture.subscribe(receiver.url, { eventTypes: [eventType()] });
    const send = (type: string) => testSubscription(fixture.ctx, { subscriptionId: id, eventType: type });
    expect(await send("integration.updated")).toMatchObject({ trigger: "TEST", status: "DELIVERED" });
    expect(JSON.parse(receiver.requests[0]!.body)).toMatchObject({
      type: "integration.updated",
      data: { changedFields: expect.any(Array) },
    });
    for (const odd of [eventType(), "No Type"])
      expect(await send(odd).catch((error: unknown) => error)).toMatchObject({
        code: "invalid_input",
        errors: [{ path: "/eventType", message: expect.any(String) }],
      });
    expect(receiver.requests.length).toBe(1);
  }, 60_000);
});

describe("the books", () => {
  test("balance", async () => {
    await until("nothing is live but what waits for its retry", async () => {
      const { difference, taken } = await checkDeliveryConservation(fixture.runtime);
      return difference === 0 && taken === 0;
    });
  }, 60_000);
});
