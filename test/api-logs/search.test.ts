import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendApiLogs, type ApiLogRow } from "../../src/domain/api-logs/append-api-logs.ts";
import { getApiLog } from "../../src/domain/api-logs/get-api-log.ts";
import { listIntegrationLogs } from "../../src/domain/api-logs/list-integration-logs.ts";
import type { ApiLogFilter } from "../../src/domain/api-logs/schema.ts";
import { searchApiLogs } from "../../src/domain/api-logs/search-api-logs.ts";
import { searchRange } from "../../src/domain/api-logs/search-range.ts";
import { readTimes } from "../../src/domain/read-times.ts";
import type { Context } from "../../src/domain/context.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { type Fixture, makeRow, startFixture } from "./fixture.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let fixture: Fixture;

beforeAll(async () => {
  fixture = await startFixture();
});

afterAll(() => fixture.stop());

async function store(...rows: ApiLogRow[]): Promise<void> {
  await appendApiLogs(fixture.runtime.sqlSystem, rows);
}

const found = async (ctx: Context, filter: ApiLogFilter): Promise<string[]> =>
  (await searchApiLogs(ctx, filter)).data.map((log) => log.id);

describe("searchRange()", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");

  test("searchRange() covers the last 24 hours when no time is given", () => {
    expect(searchRange(undefined, undefined, now)).toEqual({ fromMs: now + 1 - DAY_MS, toMs: now + 1 });
  });

  test("searchRange() covers the 24 hours before `to` when only that is given", () => {
    const { fromMs, toMs } = searchRange(undefined, "2026-01-10T00:00:00Z", now);
    expect([fromMs, toMs]).toEqual([Date.parse("2026-01-09T00:00:00Z"), Date.parse("2026-01-10T00:00:00Z")]);
  });

  test("searchRange() takes 31 days and refuses more", () => {
    expect(searchRange("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", now).fromMs).toBeLessThan(now);
    expect(() => searchRange("2026-01-01T00:00:00Z", "2026-02-01T00:00:01Z", now)).toThrow("at most 31 days");
  });

  test("searchRange() refuses what is no time and what ends before it begins", () => {
    expect(() => searchRange("yesterday", undefined, now)).toThrow("RFC 3339");
    expect(() => searchRange("1900-01-01", undefined, now)).toThrow("RFC 3339");
    expect(() => searchRange("2026-01-02", "2026-01-01", now)).toThrow("must be before to");
  });
});

describe("readTimes()", () => {
  test.each([
    ["2026-01-10", "2026-01-10T00:00:00Z"],
    ["2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999Z"],
    ["2026-01-10t10:00:00z", "2026-01-10T10:00:00Z"],
    ["2026-01-10 10:00:00+05:30", "2026-01-10T04:30:00Z"],
    ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"],
  ])("readTimes() takes %s for %s", (text, same) => {
    expect(readTimes({ from: text }).fromMs).toBe(Date.parse(same));
  });

  test.each([
    ["without an offset, which would mean the server's own zone", "2026-01-10T10:00:00"],
    ["a day that the month does not have", "2026-02-30T00:00:00Z"],
    ["February 29 of a common year", "2026-02-29"],
    ["hour 24", "2026-01-10T24:00:00Z"],
    ["seconds since the epoch", "1768000000"],
    ["years of five digits", "+010000-01-01T00:00:00Z"],
    ["years before 1970", "1969-12-31T23:59:59Z"],
    ["a month 13", "2026-13-01"],
    ["words", "January 1, 2026"],
  ])("readTimes() refuses %s", (_name, text) => {
    expect(() => readTimes({ to: text })).toThrow("to: must be a time as in RFC 3339");
  });
});

describe("searchApiLogs()", () => {
  test("searchApiLogs() finds nothing, and fails on nothing, at both ends of time", async () => {
    const ctx = await fixture.tenant();
    for (const to of ["1970-01-01T00:00:00.001Z", "1970-01-02", "9999-12-31T23:59:59.999Z"])
      expect(await found(ctx, { to })).toEqual([]);
  });

  test("searchApiLogs() gives every row once, newest first, page by page", async () => {
    const ctx = await fixture.tenant();
    const rows = Array.from({ length: 25 }, () => makeRow(ctx.tenantId));
    await store(...rows);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof searchApiLogs>> = await searchApiLogs(ctx, {
        limit: 7,
        ...(cursor === null ? {} : { cursor }),
      });
      expect(page.data.length).toBeLessThanOrEqual(7);
      seen.push(...page.data.map((log) => log.id));
      cursor = page.nextCursor;
      // Rows that come in while somebody reads do not move the pages.
      await store(makeRow(ctx.tenantId));
    } while (cursor !== null);
    expect(seen).toEqual(rows.map((row) => row.id).reverse());
  });

  test("searchApiLogs() finds by each filter", async () => {
    const ctx = await fixture.tenant();
    const special: Partial<ApiLogRow> = {
      integrationId: newId(),
      endpointId: newId(),
      direction: "INBOUND",
      method: "PATCH",
      url: "https://Other.example/Hook_100%/x",
      correlationId: "corr-7",
      status: "SERVER_ERROR",
    };
    const row = makeRow(ctx.tenantId, special);
    await store(makeRow(ctx.tenantId), row, makeRow(ctx.tenantId));
    const { url: _url, ...equal } = special;
    for (const [name, value] of Object.entries(equal)) {
      expect({ name, ids: await found(ctx, { [name]: value }) }).toEqual({ name, ids: [row.id] });
    }
    expect(await found(ctx, { url: "hook_100%" })).toEqual([row.id]);
    expect(await found(ctx, { url: "hook%100" })).toEqual([]);
    expect(await found(ctx, { ...(equal as ApiLogFilter), method: "GET" })).toEqual([]);
  });

  test("searchApiLogs() keeps to its time range, bounds exact to the millisecond", async () => {
    const ctx = await fixture.tenant();
    const atMs = Date.now() - 30_000;
    const row = makeRow(ctx.tenantId, { id: newId(atMs) });
    await store(row);
    const iso = (ms: number): string => new Date(ms).toISOString();
    expect(await found(ctx, { from: iso(atMs), to: iso(atMs + 1) })).toEqual([row.id]);
    expect(await found(ctx, { from: iso(atMs - 1000), to: iso(atMs) })).toEqual([]);
    expect(await found(ctx, { from: iso(atMs + 1) })).toEqual([]);
  });

  test("searchApiLogs() refuses a caller without logs:read, and a cursor that is none of ours", async () => {
    const ctx = await fixture.tenant();
    const stranger: Context = { ...ctx, actor: { ...ctx.actor, scopes: new Set(["webhooks:read"]) } };
    await expect(searchApiLogs(stranger, {})).rejects.toMatchObject({ code: "forbidden" });
    await expect(searchApiLogs(ctx, { cursor: "' or 1=1" })).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("searchApiLogs() and getApiLog() show no other tenant's rows", async () => {
    const [mine, other] = [await fixture.tenant(), await fixture.tenant()];
    const row = makeRow(other.tenantId, { correlationId: "shared" });
    await store(row);
    expect(await found(mine, { correlationId: "shared" })).toEqual([]);
    await expect(getApiLog(mine, { id: row.id })).rejects.toMatchObject({ code: "not_found" });
    await expect(getApiLog(mine, { id: crypto.randomUUID() })).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("listIntegrationLogs()", () => {
  test("listIntegrationLogs() answers not_found for an integration that the tenant does not have", async () => {
    const ctx = await fixture.tenant();
    await expect(listIntegrationLogs(ctx, { integrationId: newId() })).rejects.toMatchObject({
      code: "not_found",
    });
  });
});

describe("getApiLog()", () => {
  async function storeInbound(ctx: Context, body: string, contentType: string): Promise<string> {
    const id = newId();
    await fixture.runtime.sqlSystem`
      insert into webhook_receipts (id, tenant_id, endpoint_id, event_key, status, body, content_type, created_at)
      values (${id}, ${ctx.tenantId}, ${newId()}, 'key', 'PROCESSED', ${Buffer.from(body)}, ${contentType},
              ${new Date(timeOfId(id))})`;
    await store(makeRow(ctx.tenantId, { id, receiptId: id, direction: "INBOUND" }));
    return id;
  }

  test("getApiLog() shows the receipt's body of an inbound row, redacted", async () => {
    const ctx = await fixture.tenant();
    const id = await storeInbound(ctx, '{"load":7,"password":"hush-hush"}', "application/json");
    expect((await getApiLog(ctx, { id })).body).toBe('{"load":7,"password":"[redacted]"}');
  });

  test("getApiLog() cuts a receipt's body at LOG_BODY_MAX_BYTES, also in the middle of a character", async () => {
    const ctx = await fixture.tenant();
    const id = await storeInbound(ctx, `x${"é".repeat(60_000)}`, "text/plain");
    const shown = await getApiLog(ctx, { id });
    expect(shown.bodyEncoding).toBe("utf8");
    expect(shown.body).toBe(`x${"é".repeat(32_767)}`);
  });

  test("getApiLog() shows the beginning of a body that lies in pieces", async () => {
    const ctx = await fixture.tenant();
    const id = newId();
    const createdAt = new Date(timeOfId(id));
    await fixture.runtime.sqlSystem`
      insert into webhook_receipts (id, tenant_id, endpoint_id, event_key, status, large_body_id, content_type, created_at)
      values (${id}, ${ctx.tenantId}, ${newId()}, 'key', 'PROCESSED', ${id}, 'text/plain', ${createdAt})`;
    await fixture.runtime.sqlSystem`
      insert into large_bodies (receipt_id, part, tenant_id, bytes, created_at)
      values (${id}, 0, ${ctx.tenantId}, ${Buffer.alloc(262_144, "a")}, ${createdAt}),
             (${id}, 1, ${ctx.tenantId}, ${Buffer.alloc(10, "b")}, ${createdAt})`;
    await store(makeRow(ctx.tenantId, { id, receiptId: id, direction: "INBOUND" }));
    expect((await getApiLog(ctx, { id })).body).toBe("a".repeat(65_536));
  });
});
