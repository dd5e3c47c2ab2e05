import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  attemptsOf,
  type DeliveryFixture,
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

describe("a delivery as a form", () => {
  test("has the members of its payload as fields, of a template's too", async () => {
    const receiver = new Receiver();
    const contentType = "application/x-www-form-urlencoded";
    const type = "order.as_form";
    await fixture.subscribe(receiver.url, { eventTypes: [type], contentType });
    const expression = '{ "a b": data.name, "n": data.n, "none": null, "list": [1, 2] }';
    const transformTemplate = { engine: "jsonata", expression } as const;
    await fixture.subscribe(receiver.url, { eventTypes: [type], contentType, transformTemplate });
    await fixture.publish([{ type, data: { name: "c&d ü", n: 1 } }]);
    await until("both have arrived", async () => receiver.requests.length === 2);
    const forms = receiver.requests.map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
    expect(forms).toContainEqual({
      id: expect.any(String),
      type,
      timestamp: expect.any(String),
      data: '{"name":"c&d ü","n":1}',
    });
    expect(forms).toContainEqual({ "a b": "c&d ü", n: "1", none: "", list: "[1,2]" });
    expect(new Set(receiver.requests.map(({ headers }) => headers.get("content-type")))).toEqual(
      new Set([contentType]),
    );
    await receiver.stop();
  }, 60_000);
});

describe("a delivery whose template", () => {
  test.each([
    ["loops", "($f := function($n) { $f($n + 1) }; $f(1))", "transform_timeout"],
    ["fails", '$error("no")', "transform_failed"],
  ])(
    "%s is a failed attempt with its cause; another subscription gets the event",
    async (_what, expression, errorCode) => {
      const receiver = new Receiver();
      const type = `order.${errorCode}`;
      const { id } = await fixture.subscribe(receiver.url, {
        eventTypes: [type],
        transformTemplate: { engine: "jsonata", expression },
        retryEnabled: false,
      });
      const healthy = await fixture.subscribe(receiver.url, { eventTypes: [type] });
      await fixture.publish([{ type }]);
      await until("both are stored", async () => {
        const [failed, delivered] = await Promise.all([
          attemptsOf(fixture, id),
          attemptsOf(fixture, healthy.id),
        ]);
        return failed.length === 1 && delivered.length === 1;
      });
      expect(await attemptsOf(fixture, id)).toMatchObject([
        { status: "FAILED", errorCode, responseStatus: null },
      ]);
      expect(await attemptsOf(fixture, healthy.id)).toMatchObject([{ status: "DELIVERED" }]);
      expect(receiver.requests).toHaveLength(1);
      await receiver.stop();
    },
    60_000,
  );
});
