import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { checkEventConservation } from "../../src/domain/events/check-event-conservation.ts";
import { insertEvents } from "../../src/domain/events/store.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { ExactNumber } from "../../src/platform/formats/document.ts";
import { startTestApp, type Answer, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { storeStreamed, streamed } from "./events-fixture.ts";

// A Cluster takes seconds to form; a test cut short has its Redis killed by the runner.
setDefaultTimeout(60_000);

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp({ env: { STREAM_PARTITIONS: "4" } });
});
afterAll(() => hub.stop());

const PATH = "/api/v1/events";
const publish = (tenant: TestTenant, body: unknown): Promise<Answer> =>
  hub.call("POST", PATH, { key: tenant.apiKey, body });
const errorsOf = ({ json }: Answer): string[] =>
  ((json["errors"] ?? []) as { path: string }[]).map(({ path }) => path);

describe("POST /api/v1/events", () => {
  test("answers 202 for one event, which stands in its stream with all that was given", async () => {
    const tenant = await hub.newTenant();
    const id = crypto.randomUUID();
    const answer = await hub.call("POST", PATH, {
      key: tenant.apiKey,
      headers: { "x-request-id": "call-1" },
      body: {
        id: id.toUpperCase(),
        type: "order.created",
        occurredAt: "2026-03-02T10:00:00+01:00",
        orderingKey: "ORD-1",
        data: { n: 1 },
      },
    });
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ id, externalId: null, status: "accepted", isConflict: false });
    const [entry] = await streamed(hub.runtime, tenant.id);
    expect(entry!.data).toBe('{"n":1}');
    expect(entry!.message).toMatchObject({
      id,
      tenantId: tenant.id,
      type: "order.created",
      source: "API",
      orderingKey: "ORD-1",
      occurredAt: Date.parse("2026-03-02T09:00:00Z"),
      correlationId: "call-1",
    });
  });

  test("stores upper-case spellings dotted", async () => {
    const tenant = await hub.newTenant();
    await publish(tenant, { type: "ORDER_STATUS_CHANGED", data: null });
    const [entry] = await streamed(hub.runtime, tenant.id);
    expect(entry!.message.type).toBe("order.status_changed");
  });

  test("gives another text as id a UUIDv5 of the tenant, the same at each repetition", async () => {
    const [one, other] = [await hub.newTenant(), await hub.newTenant()];
    const body = { type: "order.created", id: "ORD-1/created", data: {} };
    const first = await publish(one, body);
    const again = await publish(one, body);
    const elsewhere = await publish(other, body);
    expect(first.json).toMatchObject({ externalId: "ORD-1/created", status: "accepted" });
    expect(String(first.json["id"])).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
    expect(again.json).toMatchObject({ id: first.json["id"], status: "duplicate", isConflict: false });
    expect(elsewhere.json["status"]).toBe("accepted");
    expect(elsewhere.json["id"]).not.toBe(first.json["id"]);
    expect((await streamed(hub.runtime, one.id)).length).toBe(1);
  });

  test("gives events without ids the same ones when a request comes again whose answer was lost", async () => {
    const tenant = await hub.newTenant();
    const event = { type: "order.created", data: { n: 1 } };
    const send = (body: unknown) =>
      hub.call("POST", PATH, { key: tenant.apiKey, body, headers: { "idempotency-key": "night-1" } });
    const receipts = (answer: Answer) => answer.json["events"] as { id: string; status: string }[];
    // The commit of the remembered answer is lost after the events are in their streams.
    const lose = () => hub.runtime.sqlSystem`delete from idempotency_keys where tenant_id = ${tenant.id}`;
    const first = receipts(await send({ events: [event, event] }));
    await lose();
    const again = receipts(await send({ events: [event, event] }));
    expect(again.map(({ id }) => id)).toEqual(first.map(({ id }) => id));
    expect(again.map(({ status }) => status)).toEqual(["duplicate", "duplicate"]);
    expect(new Set(first.map(({ id }) => id)).size).toBe(2);
    expect((await streamed(hub.runtime, tenant.id)).length).toBe(2);
    await lose();
    const other = await send({ events: [{ ...event, data: { n: 2 } }] });
    expect(receipts(other)).toMatchObject([{ status: "accepted" }]);
  });

  test("tells a repetition with another content, and keeps the first", async () => {
    const tenant = await hub.newTenant();
    const id = crypto.randomUUID();
    await publish(tenant, { type: "order.created", id, data: { n: 1 } });
    const second = await publish(tenant, { type: "order.created", id, data: { n: 2 } });
    expect(second.json).toMatchObject({ status: "duplicate", isConflict: true });
    expect((await streamed(hub.runtime, tenant.id)).map(({ data }) => data)).toEqual(['{"n":1}']);
  });

  test("takes a batch of 1,000 in order, also when the same id stands in it twice", async () => {
    const tenant = await hub.newTenant();
    const id = crypto.randomUUID();
    const events = Array.from({ length: 1000 }, (_, n) => ({
      type: "order.created",
      orderingKey: "one-key",
      data: { n },
      ...(n === 3 || n === 7 ? { id } : {}),
    }));
    const answer = await publish(tenant, { events });
    expect(answer.status).toBe(202);
    const receipts = answer.json["events"] as { status: string }[];
    expect(receipts.length).toBe(1000);
    expect(receipts.filter(({ status }) => status === "duplicate").length).toBe(1);
    const entries = await streamed(hub.runtime, tenant.id);
    const numbers = entries.map(({ data }) => (JSON.parse(data!) as { n: number }).n);
    expect(new Set(entries.map(({ partition }) => partition)).size).toBe(1);
    expect(numbers).toEqual(Array.from({ length: 1000 }, (_, n) => n).filter((n) => n !== 7));
  });

  test.each<[string, (good: object) => unknown, string]>([
    ["data is missing", () => ({ type: "a.b" }), "/events/3/data"],
    ["the type is none", (good) => ({ ...good, type: "Order Created" }), "/events/3/type"],
    ["the type is the hub's own", (good) => ({ ...good, type: "webhook.received" }), "/events/3/type"],
    ["a partner would get it from the hub", (good) => ({ ...good, type: "EDI_DOCUMENT" }), "/events/3/type"],
    [
      "the time is none",
      (good) => ({ ...good, occurredAt: "yesterday, at noon sharp" }),
      "/events/3/occurredAt",
    ],
    [
      "the day is none of its month",
      (good) => ({ ...good, occurredAt: "2026-02-30T00:00:00Z" }),
      "/events/3/occurredAt",
    ],
    ["a field is unknown", (good) => ({ ...good, more: 1 }), "/events/3/more"],
    ["the id is empty", (good) => ({ ...good, id: "" }), "/events/3/id"],
    ["the schema's version is none", (good) => ({ ...good, schemaVersion: 9 }), "/events/3/schemaVersion"],
    ["data is larger than 1 MiB", (good) => ({ ...good, data: "x".repeat(1024 * 1024) }), "/events/3/data"],
  ])("refuses the whole batch when %s", async (_name, bad, path) => {
    const tenant = await hub.newTenant();
    const good = { type: "order.created", data: {} };
    const answer = await publish(tenant, { events: [good, good, good, bad(good), good] });
    expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
    expect(errorsOf(answer)).toEqual([path]);
    expect(await streamed(hub.runtime, tenant.id)).toEqual([]);
  });

  test("refuses the whole batch when data holds NUL, and says where", async () => {
    const tenant = await hub.newTenant();
    const good = { type: "order.created", data: {} };
    const answer = await publish(tenant, { events: [good, good, good, { ...good, data: { a: "x\0" } }] });
    expect([answer.status, answer.json["code"]]).toEqual([400, "bad_request"]);
    expect(errorsOf(answer)).toEqual(["/events/3/data/a"]);
    expect(await streamed(hub.runtime, tenant.id)).toEqual([]);
  });

  test.each<[string, unknown, string[]]>([
    ["nothing", {}, ["/type", "/data"]],
    ["an event without data", { type: "a.b" }, ["/data"]],
    ["an event and a batch", { type: "a.b", events: [{ type: "a.b", data: 1 }] }, ["/type"]],
    ["an empty batch", { events: [] }, ["/events"]],
    ["1,001 events", { events: Array.from({ length: 1001 }, () => ({ type: "a.b", data: 1 })) }, ["/events"]],
  ])("refuses %s", async (_name, body, paths) => {
    const answer = await publish(await hub.newTenant(), body);
    expect([answer.status, errorsOf(answer)]).toEqual([422, paths]);
  });

  test("names the first faults of a batch in its detail, and more beside it", async () => {
    const events = Array.from({ length: 100 }, () => ({ type: "no type", data: 1 }));
    const { json } = await publish(await hub.newTenant(), { events });
    expect(json["errors"]).toHaveLength(20);
    expect(String(json["detail"])).toStartWith("/events/0/type: must be dotted words");
    expect(String(json["detail"])).toEndWith("; and 15 more");
  });

  test("refuses 10 MB with 413", async () => {
    const answer = await publish(await hub.newTenant(), { type: "a.b", data: "x".repeat(10_000_000) });
    expect([answer.status, answer.json["code"]]).toEqual([413, "body_too_large"]);
  });

  test("holds payloads to the newest schema of their type, or to the version that they name", async () => {
    const tenant = await hub.newTenant();
    const put = (schema: unknown): Promise<Answer> =>
      hub.call("PUT", "/api/v1/event-types/order.created", { key: tenant.apiKey, body: { schema } });
    const shape = (field: string) => ({
      type: "object",
      required: ["orders"],
      properties: { orders: { type: "array", items: { type: "object", required: [field] } } },
    });
    expect((await put(shape("id"))).status).toBe(201);
    expect((await put(shape("number"))).json).toMatchObject({ version: 2 });
    const event = (data: unknown, more: object = {}) => ({ type: "ORDER_CREATED", data, ...more });
    const old = { orders: [{ id: 1 }] };
    await retryUntil(
      async () => {
        const answer = await publish(tenant, { events: [event({ orders: [{ number: 1 }] }), event(old)] });
        expect([answer.status, errorsOf(answer)]).toEqual([422, ["/events/1/data/orders/0/number"]]);
      },
      { everyMs: 20, timeoutMs: 50_000 },
    );
    const wrong = await publish(tenant, event({ orders: [{}, 5, { number: 1 }] }));
    expect(errorsOf(wrong)).toEqual(["/data/orders/0/number", "/data/orders/1"]);
    expect((await publish(tenant, event(old, { schemaVersion: 1 }))).status).toBe(202);
    const [entry] = (await streamed(hub.runtime, tenant.id)).slice(-1);
    expect(entry!.message.schemaVersion).toBe(1);
  });

  test("keeps numbers that a double would change as they were written, also under a schema", async () => {
    const tenant = await hub.newTenant();
    const schema = { type: "object", properties: { id: { type: "integer", minimum: 1 } } };
    await hub.call("PUT", "/api/v1/event-types/order.exact", { key: tenant.apiKey, body: { schema } });
    const [id, huge] = ["12345678901234567890", "1e400"];
    const data = { id: new ExactNumber(id), huge: [new ExactNumber(huge)], text: id, price: 1.5 };
    const { status, json } = await publish(tenant, { type: "order.exact", data });
    expect(status).toBe(202);
    const text = `{"id":${id},"huge":[${huge}],"text":"${id}","price":1.5}`;
    const [entry] = await streamed(hub.runtime, tenant.id);
    expect(entry!.data).toBe(text);
    await storeStreamed(hub.runtime, tenant.id);
    const shown = await hub.call("GET", `${PATH}/${String(json["id"])}`, { key: tenant.apiKey });
    expect(shown.text).toContain(`"data":${text}`);
  });

  test("answers 503 when a partition is full, takes nothing of the batch, and the rest of the hub goes on", async () => {
    // A hub of its own: in a shared one each later event that falls into the full partition would be refused too.
    const small = await startTestApp({ env: { STREAM_PARTITIONS: "4", STREAM_CAPACITY: "2000" } });
    try {
      const tenant = await small.newTenant();
      const publishTo = (orderingKey: string, count: number): Promise<Answer> =>
        small.call("POST", PATH, {
          key: tenant.apiKey,
          body: { events: Array.from({ length: count }, (_, n) => ({ type: "a.b", orderingKey, data: n })) },
        });
      expect((await publishTo("full", 1000)).status).toBe(202);
      expect((await publishTo("full", 999)).status).toBe(202);
      const answer = await publishTo("full", 2);
      expect([answer.status, answer.json["code"]]).toEqual([503, "capacity_exceeded"]);
      expect(answer.headers.get("retry-after")).toBe("1");
      expect((await streamed(small.runtime, tenant.id)).length).toBe(1999);
      expect((await publishTo("full", 1)).status).toBe(202);
      const statuses = await Promise.all(
        Array.from({ length: 40 }, async (_, n) => (await publishTo(`elsewhere-${n}`, 1)).status),
      );
      expect(new Set(statuses)).toEqual(new Set([202, 503]));
    } finally {
      await small.stop();
    }
  });

  test("keeps the books: accepted equals what stands in the streams", async () => {
    const books = await checkEventConservation(hub.runtime);
    expect(books.accepted).toBeGreaterThan(0);
    expect(books.difference).toBe(0);
  });

  test("takes many calls at once, each event once", async () => {
    const hub2 = await startTestApp({ env: { STREAM_PARTITIONS: "4" } });
    try {
      const tenant = await hub2.newTenant();
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          hub2.call("POST", PATH, {
            key: tenant.apiKey,
            body: { type: "a.b", id: `event-${n % 100}`, data: n % 100 },
          }),
        ),
      );
      expect(answers.every(({ status }) => status === 202)).toBe(true);
      expect((await streamed(hub2.runtime, tenant.id)).length).toBe(100);
      expect((await checkEventConservation(hub2.runtime)).difference).toBe(0);
    } finally {
      await hub2.stop();
    }
  });
});

describe("GET /api/v1/events", () => {
  test("lists newest first over pages, and narrows by type, source, key and the publisher's id", async () => {
    const tenant = await hub.newTenant();
    for (let n = 0; n < 5; n++) {
      await publish(tenant, { type: n === 2 ? "load.delivered" : "order.created", id: `e-${n}`, data: n });
    }
    await storeStreamed(hub.runtime, tenant.id);
    const list = async (query: string): Promise<Record<string, unknown>> =>
      (await hub.call("GET", `${PATH}?${query}`, { key: tenant.apiKey })).json;
    const seen: unknown[] = [];
    let cursor: unknown = "";
    do {
      const page = await list(`limit=2&cursor=${String(cursor)}`);
      seen.push(...(page["data"] as { externalId: string }[]).map(({ externalId }) => externalId));
      cursor = page["nextCursor"];
    } while (cursor !== null);
    expect(seen.toSorted()).toEqual(["e-0", "e-1", "e-2", "e-3", "e-4"]);
    const typed = (await list("type=LOAD_*"))["data"] as { type: string }[];
    expect(typed.map(({ type }) => type)).toEqual(["load.delivered"]);
    expect(((await list("externalId=e-3"))["data"] as unknown[]).length).toBe(1);
    expect(((await list("source=HUB"))["data"] as unknown[]).length).toBe(0);
  });

  test("shows an event with its data, large data too", async () => {
    const tenant = await hub.newTenant();
    const data = { text: "ü".repeat(100_000) };
    const { json } = await publish(tenant, { type: "order.created", data });
    const [entry] = await streamed(hub.runtime, tenant.id);
    expect([entry!.message.bodyEncoding, entry!.data]).toEqual(["large", undefined]);
    await storeStreamed(hub.runtime, tenant.id);
    const shown = await hub.call("GET", `${PATH}/${String(json["id"])}`, { key: tenant.apiKey });
    expect(shown.json).toMatchObject({ type: "order.created", data, deliveries: [] });
    const [row] = await hub.runtime.sqlSystem`
      select count(*)::int as count from large_bodies where tenant_id = ${tenant.id}`;
    expect(row!["count"]).toBe(0);
  });

  test("shows each delivery of an event once, with its newest state", async () => {
    const tenant = await hub.newTenant();
    const { json } = await publish(tenant, { type: "order.created", data: 1 });
    const eventId = String(json["id"]);
    await storeStreamed(hub.runtime, tenant.id);
    const input = { name: "s", url: "https://receiver.example.com/", eventTypes: ["*"] };
    const subscription = await createSubscription(tenant.ctx, input);
    const [done, open] = [crypto.randomUUID(), crypto.randomUUID()];
    const attempt = (deliveryId: string, number: number, status: string) => hub.runtime.sqlSystem`
      insert into webhook_deliveries (id, tenant_id, subscription_id, delivery_id, event_type, event_id, attempt_number,
                                      request_url, response_status, status, created_at)
      values (${Bun.randomUUIDv7()}, ${tenant.id}, ${subscription.id}, ${deliveryId}, 'order.created', ${eventId},
              ${number}, 'https://receiver.example.com/', 503, ${status}, now())`;
    await attempt(done, 1, "RETRYING");
    await attempt(done, 2, "DELIVERED");
    await attempt(open, 1, "RETRYING");
    await hub.runtime.sqlSystem`
      insert into open_deliveries (id, tenant_id, subscription_id, event_id, event_created_at, event_type, attempt_count,
                                   status, created_at)
      values (${open}, ${tenant.id}, ${subscription.id}, ${eventId}, now(), 'order.created', 1, 'HELD', now())`;
    const shown = await hub.call("GET", `${PATH}/${eventId}`, { key: tenant.apiKey });
    const deliveries = shown.json["deliveries"] as Record<string, unknown>[];
    expect(deliveries.map(({ deliveryId, status, attempts }) => [deliveryId, status, attempts])).toEqual([
      [open, "HELD", 1],
      [done, "DELIVERED", 2],
    ]);
    expect(deliveries[0]).toMatchObject({ responseStatus: 503, trigger: "EVENT" });
  });
});

describe("insertEvents()", () => {
  test("leaves a row that is there as it is and adds the others, alone and in a transaction", async () => {
    const tenant = await hub.newTenant();
    const body = { events: Array.from({ length: 4 }, (_, n) => ({ type: "order.created", data: { n } })) };
    expect((await publish(tenant, body)).status).toBe(202);
    const events = await streamed(hub.runtime, tenant.id);
    const changed = events.map((event) => ({ ...event, data: '{"n":"changed"}' }));
    const { sqlSystem } = hub.runtime;
    await insertEvents(sqlSystem, events.slice(0, 1));
    await insertEvents(sqlSystem, [...changed.slice(0, 1), ...events.slice(1, 3)]);
    await sqlSystem.begin((tx) => insertEvents(tx, [...changed.slice(0, 3), events[3]!]));
    const rows = await sqlSystem<{ id: string; data: string }[]>`
      select id, convert_from(payload, 'UTF8') as data from events where tenant_id = ${tenant.id}`;
    const byId = (list: readonly { id: string; data: string | undefined }[]) =>
      list.toSorted((a, b) => a.id.localeCompare(b.id));
    expect(byId([...rows])).toEqual(byId(events.map(({ message: { id }, data }) => ({ id, data }))));
  });
});
