import { Elysia } from "elysia";
import postgres from "postgres";
import { type ApiLogRow, appendApiLogs } from "../../src/domain/api-logs/append-api-logs.ts";
import { newId } from "../../src/platform/uuid.ts";

/**
 * Peer of the gateway benchmark: the least that a proxy with a durable row for every call can do. As `elysia-fetch.ts`,
 * and each call is inserted as the hub inserts it (same table, same columns, same statement, batches of 100), but nothing
 * is looked up, checked, limited or redacted. What the hub reaches of its rate is the price of everything else.
 *
 * Environment: PORT, TARGET (base address of the provider), CREDENTIAL, DATABASE_URL (role hub_system), TENANT_ID,
 * INTEGRATION_ID.
 */
const target = process.env["TARGET"]!;
const credential = process.env["CREDENTIAL"]!;
const tenantId = process.env["TENANT_ID"]!;
const integrationId = process.env["INTEGRATION_ID"]!;
const INFIX = "/proxy";
const FLUSH_ROWS = 100;
const FLUSH_MS = 20;
const ROWS_MAX = 200;

const sql = postgres(process.env["DATABASE_URL"]!, { max: 1, onnotice: () => undefined });
let waiting: ApiLogRow[] = [];
let writing: Promise<void> | undefined;

async function write(): Promise<void> {
  while (waiting.length > 0) {
    const rows = waiting.slice(0, ROWS_MAX);
    waiting = waiting.slice(ROWS_MAX);
    // oxlint-disable-next-line no-await-in-loop -- one statement at a time
    await appendApiLogs(sql, rows);
  }
  writing = undefined;
}

function log(row: ApiLogRow): void {
  waiting.push(row);
  if (waiting.length >= FLUSH_ROWS) writing ??= write();
}

const flushing = setInterval(() => {
  if (waiting.length > 0) writing ??= write();
}, FLUSH_MS);

const app = new Elysia()
  .all(
    "/api/v1/integrations/:id/proxy/*",
    async ({ request }) => {
      const startedMs = performance.now();
      const path = request.url.slice(request.url.indexOf(INFIX) + INFIX.length);
      const hasBody = request.method !== "GET" && request.method !== "HEAD";
      const headers = { authorization: credential, accept: "application/json" };
      const sent = hasBody ? await request.bytes() : null;
      const answer = await fetch(target + path, {
        method: request.method,
        headers,
        ...(sent === null ? {} : { body: sent }),
      });
      const body = await answer.bytes();
      const contentType = answer.headers.get("content-type") ?? "application/octet-stream";
      log({
        id: newId(),
        tenantId,
        integrationId,
        endpointId: null,
        direction: "OUTBOUND",
        method: request.method,
        url: target + path,
        path,
        queryParams: {},
        headers: { ...headers, authorization: "[redacted]" },
        body: sent,
        bodySize: sent?.byteLength ?? 0,
        responseStatus: answer.status,
        responseHeaders: { "content-type": contentType },
        responseBody: body,
        responseSize: body.byteLength,
        responseTimeMs: performance.now() - startedMs,
        correlationId: newId(),
        userId: null,
        sourceIp: "127.0.0.1",
        status: "SUCCESS",
        errorMessage: null,
        retryOf: null,
        attemptNumber: 1,
        timings: { total: Math.round(performance.now() - startedMs) },
      });
      return new Response(body, { status: answer.status, headers: { "content-type": contentType } });
    },
    { parse: "none" },
  )
  .listen({ hostname: "127.0.0.1", port: Number(process.env["PORT"]) });

process.on("SIGTERM", () => {
  clearInterval(flushing);
  void (async () => {
    await app.stop(true);
    await (writing ??= write());
    await sql.end({ timeout: 5 });
    process.exit(0);
  })();
});
console.log("ready");
