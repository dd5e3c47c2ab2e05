import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { appendApiLogs, type ApiLogRow } from "../../src/domain/api-logs/append-api-logs.ts";
import { type ApiLogWriter, createApiLogWriter } from "../../src/domain/api-logs/api-log-writer.ts";
import { getApiLog } from "../../src/domain/api-logs/get-api-log.ts";
import type { Context } from "../../src/domain/context.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { type Fixture, makeRow, startFixture } from "./fixture.ts";

let fixture: Fixture;
let ctx: Context;
let writer: ApiLogWriter;

beforeAll(async () => {
  fixture = await startFixture({ LOG_BODY_MAX_BYTES: "1000" });
  ctx = await fixture.tenant();
  writer = createApiLogWriter(fixture.runtime);
});

afterAll(() => fixture.stop());

const show = (row: ApiLogRow) => getApiLog(ctx, { id: row.id });

describe("appendApiLogs()", () => {
  test("appendApiLogs() stores every column as it was given", async () => {
    const row = makeRow(ctx.tenantId, {
      integrationId: newId(),
      endpointId: newId(),
      direction: "OUTBOUND",
      body: Buffer.from('{"a":"ä"}'),
      bodySize: 10,
      responseHeaders: { "content-type": "text/plain" },
      responseBody: Buffer.from([0, 255]),
      correlationId: "corr-1",
      sourceIp: "2001:db8::1",
      status: "TIMEOUT",
      errorMessage: "no answer",
      errorCode: "timeout",
      attemptNumber: 2,
      retryOf: newId(),
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      timings: { limiter: 1, connect: 4, firstByte: 9, total: 12 },
    });
    await appendApiLogs(fixture.runtime.sqlSystem, [row]);
    const { tenantId: _tenantId, body: _body, responseBody: _responseBody, ...rest } = row;
    expect(await show(row)).toEqual({
      ...rest,
      receiptId: null,
      body: '{"a":"ä"}',
      bodyEncoding: "utf8",
      responseBody: "AP8=",
      responseBodyEncoding: "base64",
      createdAt: new Date(timeOfId(row.id)).toISOString(),
    } as never);
  });

  test("appendApiLogs() meets its own rows when it is repeated", async () => {
    const rows = [makeRow(ctx.tenantId), makeRow(ctx.tenantId)];
    await appendApiLogs(fixture.runtime.sqlSystem, rows);
    await appendApiLogs(fixture.runtime.sqlSystem, [...rows, makeRow(ctx.tenantId)]);
    const [found] = await fixture.runtime.sqlSystem<{ rows: string }[]>`
      select count(*) as rows from api_request_logs where id in ${fixture.runtime.sqlSystem(rows.map((row) => row.id))}`;
    expect(found?.rows).toBe("2");
  });

  test("appendApiLogs() stores NUL and lone surrogates as U+FFFD and keeps what only looks like them", async () => {
    const row = makeRow(ctx.tenantId, {
      url: "https://x/\u0000\ud800",
      headers: { a: "\u0000", b: "\udfff!", c: "\\u0000 \\ud800", d: "😀", "e\u0000": "x" },
      queryParams: { deep: ["\ud800\u0000"] },
      errorMessage: "\ud83d",
    });
    await appendApiLogs(fixture.runtime.sqlSystem, [row]);
    expect(await show(row)).toMatchObject({
      url: "https://x/\ufffd\ufffd",
      headers: { a: "\ufffd", b: "\ufffd!", c: "\\u0000 \\ud800", d: "😀", "e\ufffd": "x" },
      queryParams: { deep: ["\ufffd\ufffd"] },
      errorMessage: "\ufffd",
    });
  });

  test("appendApiLogs() cuts texts at 8 KB with a mark and bodies at the limit", async () => {
    const row = makeRow(ctx.tenantId, {
      url: `https://x/${"é".repeat(9000)}`,
      headers: { big: "x".repeat(70_000) },
      body: Buffer.alloc(5000, "b"),
      bodySize: 5000,
    });
    await appendApiLogs(fixture.runtime.sqlSystem, [row], 1000);
    const shown = await show(row);
    expect(shown.url).toEndWith("é… [cut, 18010 bytes]");
    expect(Buffer.byteLength(shown.url)).toBeLessThan(8300);
    expect(shown.headers).toEqual({ cut: true, bytes: 70_010 });
    expect(shown).toMatchObject({ body: "b".repeat(1000), bodySize: 5000 });
  });
});

describe("createApiLogWriter()", () => {
  test("add() is written without a call of flush()", async () => {
    const row = makeRow(ctx.tenantId);
    writer.add(row);
    while (
      (await fixture.runtime.sqlSystem`select from api_request_logs where id = ${row.id}`).length === 0
    ) {
      await Bun.sleep(10);
    }
    expect(await show(row)).toMatchObject({ id: row.id });
  });

  test("flush() writes a batch around a poisoned row and keeps that call on record", async () => {
    const tenant = await fixture.tenant();
    const poisoned = makeRow(tenant.tenantId, { integrationId: "no uuid", headers: { x: "left out" } });
    const rows = Array.from({ length: 40 }, () => makeRow(tenant.tenantId));
    rows.splice(17, 0, poisoned);
    for (const row of rows) writer.add(row);
    await writer.flush();
    expect(await countRows(tenant.tenantId)).toBe(41);
    expect(await getApiLog(tenant, { id: poisoned.id })).toMatchObject({
      url: poisoned.url,
      headers: null,
      errorMessage: "This row could not be stored as a whole (22P02).",
    });
  });

  test("flush() makes a missing day before it gives a row up", async () => {
    const tenant = await fixture.tenant();
    const day = new Date(Date.now() + 3 * 86_400_000);
    const partition = `api_request_logs_${day.toISOString().slice(0, 10).replaceAll("-", "")}`;
    const owner = postgres(fixture.postgres.ownerUrl, { max: 1 });
    await owner.unsafe(`drop table ${partition}`);
    await owner.end();
    writer.add(makeRow(tenant.tenantId, { id: newId(day.getTime()) }));
    await writer.flush();
    expect(await countRows(tenant.tenantId)).toBe(1);
  });

  test("add() sheds and counts what exceeds the backlog, and writes the rest", async () => {
    const tenant = await fixture.tenant();
    const body = Buffer.alloc(50 * 1024 * 1024);
    for (let index = 0; index < 4; index++) writer.add(makeRow(tenant.tenantId, { body }));
    await writer.flush();
    expect(await countRows(tenant.tenantId)).toBe(2);
    expect(await fixture.runtime.metrics.metrics()).toContain('hub_api_log_rows_total{outcome="shed"} 2');
  });

  test("shutdown writes what is waiting", async () => {
    const ending = await startFixture();
    const tenant = await ending.tenant();
    let written = -1;
    // Steps run in reverse, so this one comes behind the writer's and before the connection's.
    ending.runtime.shutdown.add("count", async () => {
      written = (await ending.runtime.sqlSystem`select from api_request_logs`).length;
    });
    const endingWriter = createApiLogWriter(ending.runtime);
    for (let index = 0; index < 1500; index++) endingWriter.add(makeRow(tenant.tenantId));
    await ending.stop();
    expect(written).toBe(1500);
  });
});

async function countRows(tenantId: string): Promise<number> {
  return (await fixture.runtime.sqlSystem`select from api_request_logs where tenant_id = ${tenantId}`).length;
}
