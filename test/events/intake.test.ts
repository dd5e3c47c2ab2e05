import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { EventPublisher } from "../../src/domain/events/event-publisher.ts";
import { publishHubEvents } from "../../src/domain/events/publish-hub-event.ts";
import { OutboxRelay } from "../../src/domain/events/relay-outbox.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { EVENT_INTAKE_DEAD_KEY, EVENT_INTAKE_KEY } from "../../src/platform/redis/keys.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { startEventsWorker, streamed } from "./events-fixture.ts";

// A Cluster takes seconds to form; a test cut short has its Redis killed by the runner.
setDefaultTimeout(60_000);

let hub: TestApp;
let worker: { stop(): Promise<void> };
beforeAll(async () => {
  hub = await startTestApp({ env: { STREAM_PARTITIONS: "4" } });
  worker = await startEventsWorker(hub);
});
afterAll(async () => {
  await worker.stop();
  await hub.stop();
});

const until = (holds: () => Promise<void>): Promise<void> =>
  retryUntil(holds, { everyMs: 20, timeoutMs: 50_000 });
const put = (fields: Record<string, string>) =>
  hub.runtime.redis.xadd(EVENT_INTAKE_KEY, "*", ...Object.entries(fields).flat());
const putBytes = (...fields: (string | Buffer)[]) => hub.runtime.redis.xadd(EVENT_INTAKE_KEY, "*", ...fields);
const drained = () => until(async () => expect(await hub.runtime.redis.xlen(EVENT_INTAKE_KEY)).toBe(0));
const lettersOf = (tenant: TestTenant) => hub.runtime.sqlSystem<Record<string, unknown>[]>`
  select topic, event_type, reason_code, message, convert_from(body, 'UTF8') as body from dead_letters
  where tenant_id = ${tenant.id} order by id`;

describe("the intake stream events:in", () => {
  test("keeps numbers that a double would change as they were written", async () => {
    const tenant = await hub.newTenant();
    const data = '{"id":12345678901234567890}';
    await put({ tenantId: tenant.id, type: "a.b", data });
    await drained();
    expect((await streamed(hub.runtime, tenant.id)).map((entry) => entry.data)).toEqual([data]);
  });

  test("gives each entry to its tenant's stream in order, and is emptied", async () => {
    const tenant = await hub.newTenant();
    for (let n = 0; n < 50; n++) {
      await put({
        tenantId: tenant.id,
        type: "LOAD_DELIVERED",
        data: JSON.stringify({ n }),
        orderingKey: "L-1",
        ...(n === 0 ? { id: "first", correlationId: "c-1" } : {}),
      });
    }
    await drained();
    const entries = await streamed(hub.runtime, tenant.id);
    expect(entries.map(({ data }) => (JSON.parse(data!) as { n: number }).n)).toEqual(
      Array.from({ length: 50 }, (_, n) => n),
    );
    expect(entries[0]!.message).toMatchObject({
      type: "load.delivered",
      externalId: "first",
      correlationId: "c-1",
      source: "API",
    });
    expect(entries[1]!.message.externalId).toBeUndefined();
  });

  test("makes bytes that are no text a dead letter, and takes the character that stands for such", async () => {
    const tenant = await hub.newTenant();
    const broken = Buffer.concat([Buffer.from('"'), Buffer.from([0xe9]), Buffer.from('"')]);
    await putBytes("tenantId", tenant.id, "type", "a.b", "data", broken);
    await putBytes("tenantId", tenant.id, "type", "a.b", "data", '"\uFFFD"');
    await drained();
    expect((await streamed(hub.runtime, tenant.id)).map(({ data }) => data)).toEqual(['"\uFFFD"']);
    expect(await lettersOf(tenant)).toMatchObject([{ message: "holds bytes that are not UTF-8" }]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["data that is no JSON", { type: "a.b", data: "{" }, "/data"],
    ["no data", { type: "a.b" }, "/data"],
    ["no type", { data: "1" }, "/type"],
    ["a type of the hub's own", { type: "sync.failed", data: "1" }, "/type"],
    ["a time that is none", { type: "a.b", data: "1", occurredAt: "2026-99-99T00:00:00Z" }, "/occurredAt"],
    ["a version that is no number", { type: "a.b", data: "1", schemaVersion: "x" }, "/schemaVersion"],
    ["a type with NUL", { type: "a\u0000b", data: "1" }, "/type"],
  ])("makes %s a dead letter of its tenant", async (_name, fields, path) => {
    const tenant = await hub.newTenant();
    await put({ tenantId: tenant.id, ...fields });
    await drained();
    const [letter] = await lettersOf(tenant);
    expect(letter).toMatchObject({ topic: "events", reason_code: "event_invalid" });
    expect(String(letter!["message"])).toStartWith(path);
    expect(await streamed(hub.runtime, tenant.id)).toEqual([]);
    for (const [topic, count] of [
      ["events", 1],
      ["inbound", 0],
    ] as const) {
      const listed = await hub.call("GET", `/api/v1/dead-letters?topic=${topic}`, { key: tenant.apiKey });
      expect(listed.json["data"]).toHaveLength(count);
    }
  });

  test("publishes a dead letter that was mended, under the id that it would have had", async () => {
    const tenant = await hub.newTenant();
    await put({ tenantId: tenant.id, type: "a.b", id: "own-id", orderingKey: "k", data: "{" });
    await drained();
    const listed = await hub.call("GET", "/api/v1/dead-letters", { key: tenant.apiKey });
    const path = `/api/v1/dead-letters/${(listed.json["data"] as { id: string }[])[0]!.id}`;
    const replay = () => hub.call("POST", `${path}/replay`, { key: tenant.apiKey });
    expect((await replay()).status).toBe(422);
    const mended = await hub.call("PUT", path, { key: tenant.apiKey, body: { body: '{"n":1}' } });
    expect(mended.status).toBe(200);
    const replayed = await replay();
    expect([replayed.status, replayed.json["status"]]).toEqual([202, "REPLAYED"]);
    await until(async () => expect((await streamed(hub.runtime, tenant.id)).length).toBe(1));
    const [entry] = await streamed(hub.runtime, tenant.id);
    expect(entry).toMatchObject({
      data: '{"n":1}',
      message: { type: "a.b", externalId: "own-id", orderingKey: "k", source: "API" },
    });
    expect((await replay()).status).toBe(409);
  });

  test("keeps what names no tenant for the operator, and goes on", async () => {
    const tenant = await hub.newTenant();
    await put({ tenantId: crypto.randomUUID(), type: "a.b", data: "1" });
    await put({ type: "a.b", data: "2" });
    await put({ tenantId: tenant.id, type: "a.b", data: "3" });
    await drained();
    const kept = await hub.runtime.redis.xrange(EVENT_INTAKE_DEAD_KEY, "-", "+");
    expect(kept.map(([, fields]) => fields[fields.indexOf("data") + 1]).slice(-2)).toEqual(["1", "2"]);
    expect((await streamed(hub.runtime, tenant.id)).length).toBe(1);
  });
});

describe("entries of events:in without a tenant", () => {
  const size = async (): Promise<{ count: number; bytes: number }> => {
    const kept = await hub.runtime.redis.xrange(EVENT_INTAKE_DEAD_KEY, "-", "+");
    return { count: kept.length, bytes: kept.flatMap(([, fields]) => fields).join("").length };
  };

  test("are bounded by their bytes: the oldest make room, the newest stay", async () => {
    const data = (n: number): string => JSON.stringify({ n, text: "x".repeat(900_000) });
    for (let n = 0; n < 40; n++) await put({ type: "a.b", orderingKey: `k-${n}`, data: data(n) });
    await drained();
    const { count, bytes } = await size();
    expect(bytes).toBeLessThan(17 * 1024 * 1024);
    expect(count).toBeGreaterThan(15);
    const [newest] = await hub.runtime.redis.xrevrange(EVENT_INTAKE_DEAD_KEY, "+", "-", "COUNT", 1);
    const field = (name: string): string => newest![1][newest![1].indexOf(name) + 1]!;
    expect([field("orderingKey"), field("type"), field("data")]).toEqual(["k-39", "a.b", data(39)]);
  }, 60_000);

  test("leave out data that no event may have, and say how much it was", async () => {
    await put({ tenantId: "nobody", type: "a.b", data: "x".repeat(3_000_000) });
    await drained();
    const [newest] = await hub.runtime.redis.xrevrange(EVENT_INTAKE_DEAD_KEY, "+", "-", "COUNT", 1);
    const field = (name: string): string => newest![1][newest![1].indexOf(name) + 1]!;
    expect([field("data"), field("dataBytes")]).toEqual(["", "3000000"]);
  });
});

describe("OutboxRelay", () => {
  test("moves hub events that a subscription asks for into their streams, once, under the row's id", async () => {
    const tenant = await hub.newTenant();
    const input = { name: "s", url: "https://receiver.example.com/", eventTypes: ["INTEGRATION_*"] };
    await createSubscription(tenant.ctx, { ...input, status: "PAUSED" });
    const written = await hub.runtime.sqlSystem.begin((tx) =>
      publishHubEvents(tx, [
        { tenantId: tenant.id, type: "integration.updated", data: { n: 1 }, orderingKey: "i-1" },
        { tenantId: tenant.id, type: "sync.failed", data: { n: 2 } },
      ]),
    );
    expect(written).toBe(1);
    await until(async () => expect((await streamed(hub.runtime, tenant.id)).length).toBe(1));
    await until(async () => {
      const rows = await hub.runtime.sqlSystem`select id from outbox where tenant_id = ${tenant.id}`;
      expect(rows.length).toBe(0);
    });
    const [entry] = await streamed(hub.runtime, tenant.id);
    expect(entry).toMatchObject({ data: '{"n":1}', message: { source: "HUB", orderingKey: "i-1" } });
  });

  test("publishes a row that it finds again under the same id, so that nothing comes twice", async () => {
    const tenant = await hub.newTenant();
    const id = Bun.randomUUIDv7();
    const insert = () => hub.runtime.sqlSystem`
      insert into outbox (id, tenant_id, event_type, payload) values (${id}, ${tenant.id}, 'sync.failed', '{"n":1}')`;
    for (let round = 0; round < 2; round++) {
      await insert();
      await until(async () => {
        expect((await hub.runtime.sqlSystem`select 1 from outbox where id = ${id}`).length).toBe(0);
      });
    }
    const entries = await streamed(hub.runtime, tenant.id);
    expect(entries.map(({ message }) => message.id)).toEqual([id]);
  });

  test("asks for a tenant that has no room less and less often, and goes on once there is room", async () => {
    const [tenant, other] = [await hub.newTenant(), await hub.newTenant()];
    const insert = (to: TestTenant) => hub.runtime.sqlSystem`
      insert into outbox (id, tenant_id, event_type, payload)
      values (${Bun.randomUUIDv7()}, ${to.id}, 'sync.failed', '{}')`;
    await worker.stop();
    let nowMs = Date.now();
    const own = createRuntime(loadConfig(hub.env), "worker", { clock: { nowMs: () => nowMs } });
    let asked = 0;
    let isFull = true;
    const publisher = new EventPublisher(own, {
      refusal: (tenantId) => (tenantId === tenant.id && ++asked > 0 && isFull ? "full" : undefined),
      isNearCapacity: () => false,
    });
    const relay = new OutboxRelay(own, publisher);
    const run = () => relay.run({ isHeld: () => true });
    await insert(tenant);
    for (let round = 0; round < 10; round++) expect(await run()).toBe(0);
    expect(asked).toBe(1);
    await insert(other);
    expect(await run()).toBe(1);
    // One minute in steps of 100 ms: 600 looks.
    for (const endMs = nowMs + 60_000; nowMs < endMs; nowMs += 100) await run();
    expect(asked).toBeLessThan(25);
    isFull = false;
    nowMs += 20_000;
    expect(await run()).toBe(1);
    await own.shutdown.run();
    worker = await startEventsWorker(hub);
  }, 60_000);
});
