import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { deleteExpiredAnswers } from "../../src/domain/idempotency/delete-expired-answers.ts";
import { deleteOrphanedBodies } from "../../src/domain/inbound/delete-orphaned-bodies.ts";
import type { Lease } from "../../src/platform/lease.ts";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { retention } from "../../workers/retention.ts";
import { scheduler } from "../../workers/scheduler.ts";
import { type Fixture, startFixture } from "../api-logs/fixture.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const lease: Lease = { token: 1, isHeld: () => true, ended: new AbortController().signal };

let fixture: Fixture;
let tenantId: string;

beforeAll(async () => {
  fixture = await startFixture({ LOG_RETENTION_DAYS: "3" });
  ({ tenantId } = await fixture.tenant());
});

afterAll(() => fixture.stop());

async function partitions(table: string): Promise<string[]> {
  const rows = await fixture.runtime.sqlSystem<{ name: string }[]>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = ${table}::regclass order by 1`;
  return rows.map((row) => row.name);
}

const dayName = (table: string, daysAgo: number): string =>
  `${table}_${new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;

describe("retention", () => {
  test("retention drops the days past LOG_RETENTION_DAYS and keeps the others", async () => {
    await fixture.runtime.sqlSystem`select hub_create_day_partitions(6, 4)`;
    const { stop } = retention.start(fixture.runtime);
    while ((await partitions("api_request_logs")).includes(dayName("api_request_logs", 4)))
      await Bun.sleep(20);
    await stop();
    const left = await partitions("api_request_logs");
    expect(left).toContain(dayName("api_request_logs", 2));
    expect(left).toContain(dayName("api_request_logs", 0));
    expect(left).not.toContain(dayName("api_request_logs", 5));
  });

  test("scheduler makes the days ahead that are missing", async () => {
    const { stop } = scheduler.start(fixture.runtime);
    while (!(await partitions("events")).includes(dayName("events", -4))) await Bun.sleep(20);
    await stop();
  });
});

describe("deleteOrphanedBodies()", () => {
  async function storeBody(ageMs: number): Promise<string> {
    const id = newId(Date.now() - ageMs);
    const createdAt = new Date(timeOfId(id));
    await fixture.runtime.sqlSystem`
      insert into large_bodies (receipt_id, part, tenant_id, bytes, created_at)
      values (${id}, 0, ${tenantId}, ${Buffer.from("a")}, ${createdAt}), (${id}, 1, ${tenantId}, ${Buffer.from("b")}, ${createdAt})`;
    return id;
  }

  async function storeReceipt(id: string): Promise<void> {
    await fixture.runtime.sqlSystem`
      insert into webhook_receipts (id, tenant_id, endpoint_id, event_key, status, created_at)
      values (${id}, ${tenantId}, ${newId()}, 'key', 'PROCESSED', ${new Date(timeOfId(id))})`;
  }

  const stored = async (): Promise<string[]> => {
    const rows = await fixture.runtime.sqlSystem<{ id: string }[]>`
      select distinct receipt_id as id from large_bodies order by 1`;
    return rows.map((row) => row.id);
  };

  test("deleteOrphanedBodies() deletes what no receipt and no dead letter refers to, and nothing young", async () => {
    const orphan = await storeBody(3 * HOUR_MS);
    const withReceipt = await storeBody(3 * HOUR_MS);
    await storeReceipt(withReceipt);
    const withDeadLetter = await storeBody(3 * HOUR_MS);
    await fixture.runtime.sqlSystem`
      insert into dead_letters (tenant_id, topic, receipt_id, reason_code)
      values (${tenantId}, 'inbound', ${withDeadLetter}, 'schema_mismatch')`;
    const young = await storeBody(60_000);
    expect(await deleteOrphanedBodies(fixture.runtime, lease)).toBe(1);
    expect(await stored()).toEqual([withReceipt, withDeadLetter, young].sort());
    expect(await stored()).not.toContain(orphan);
  });

  test("deleteOrphanedBodies() keeps bodies of a backlog, however old it is", async () => {
    const waiting = await storeBody(30 * HOUR_MS);
    const stream = inboundKeys(1).stream;
    await fixture.runtime.redis.xadd(stream, `${timeOfId(waiting) + 5}-0`, "m", "{}");
    expect(await deleteOrphanedBodies(fixture.runtime, lease)).toBe(0);
    await fixture.runtime.redis.del(stream);
    expect(await deleteOrphanedBodies(fixture.runtime, lease)).toBe(1);
  });

  test("deleteOrphanedBodies() stops when the lease is lost", async () => {
    await storeBody(30 * HOUR_MS);
    expect(await deleteOrphanedBodies(fixture.runtime, { ...lease, isHeld: () => false })).toBe(0);
  });
});

describe("deleteExpiredAnswers()", () => {
  test("deleteExpiredAnswers() deletes what has expired only", async () => {
    await fixture.runtime.sqlSystem`
      insert into idempotency_keys (tenant_id, key, request_hash, expires_at)
      values (${tenantId}, 'old', 'h', now() - interval '1 minute'), (${tenantId}, 'new', 'h', now() + interval '1 hour')`;
    expect(await deleteExpiredAnswers(fixture.runtime, lease)).toBe(1);
    const rows = await fixture.runtime.sqlSystem<{ key: string }[]>`select key from idempotency_keys`;
    expect(rows.map((row) => row.key)).toEqual(["new"]);
  });
});
