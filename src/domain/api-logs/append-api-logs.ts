import type { Sql, TransactionSql } from "postgres";
import { plainArrayText, quotedArrayText } from "../../platform/postgres/array-text.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { byteaArrayText, storableJson, storableText } from "../../platform/postgres/storable.ts";

export type ApiLogDirection = "INBOUND" | "OUTBOUND";
export type ApiLogStatus = "SUCCESS" | "CLIENT_ERROR" | "SERVER_ERROR" | "TIMEOUT";

/**
 * One row of `api_request_logs`, already redacted (see `redact.ts`). `created_at` is the time inside `id`. The row of
 * an inbound webhook carries the receipt's id as its own: a repeated insert meets itself, and the body is found there.
 */
export interface ApiLogRow {
  /** UUIDv7, made where the call happened. */
  id: string;
  tenantId: string;
  integrationId: string | null;
  /** Inbound endpoint, null for calls out. */
  endpointId: string | null;
  direction: ApiLogDirection;
  method: string;
  url: string;
  path: string | null;
  queryParams: Readonly<Record<string, unknown>> | null;
  headers: Readonly<Record<string, unknown>> | null;
  /** Null for inbound rows: the receipt holds it. */
  body: Uint8Array | null;
  bodySize: number | null;
  responseStatus: number | null;
  responseHeaders: Readonly<Record<string, unknown>> | null;
  responseBody: Uint8Array | null;
  responseSize: number | null;
  responseTimeMs: number | null;
  correlationId: string | null;
  userId: string | null;
  sourceIp: string | null;
  status: ApiLogStatus;
  errorMessage: string | null;
  /** Log row of the call that this one repeats. */
  retryOf: string | null;
  /** Receipt that holds the body of an inbound row: the same as `id`. */
  receiptId?: string | null;
  /** Our own code for a failure, for example `timeout` or `circuit_open`. */
  errorCode?: string | null;
  /** 1 for the first try. */
  attemptNumber?: number | null;
  /** W3C trace context of the call. */
  traceparent?: string | null;
  /** Where the time of a call out went, in milliseconds by phase. */
  timings?: Readonly<Record<string, number>> | null;
}

/** Largest value of an integer column; one number beyond it would refuse the whole batch (22003). */
const INTEGER_MAX = 2 ** 31 - 1;

/** LOG_BODY_MAX_BYTES where the caller has no configuration at hand. */
const BODY_BYTES_MAX_DEFAULT = 65_536;

/**
 * Inserts log rows with one statement, whatever their number; rows that are there already are left alone.
 *
 * @param sql a transaction or connection of role hub_system
 * @param rows redacted rows; texts are cut at 8 KB, bodies at `bodyBytesMax`, and made storable
 * @param bodyBytesMax LOG_BODY_MAX_BYTES
 * @throws PostgresError for the whole batch, for example when the day's partition is missing
 */
export async function appendApiLogs(
  sql: Sql | TransactionSql,
  rows: readonly ApiLogRow[],
  bodyBytesMax = BODY_BYTES_MAX_DEFAULT,
): Promise<void> {
  if (rows.length === 0) return;
  const texts = (pick: (row: ApiLogRow) => string | null): string =>
    quotedArrayText(rows.map((row) => ifAny(pick(row), storableText)));
  const ids = (pick: (row: ApiLogRow) => string | null): string => quotedArrayText(rows.map(pick));
  const numbers = (pick: (row: ApiLogRow) => number | null): string =>
    plainArrayText(rows.map((row) => ifAny(pick(row), wholeNumber)));
  const documents = (pick: (row: ApiLogRow) => Readonly<Record<string, unknown>> | null): string =>
    quotedArrayText(rows.map((row) => ifAny(pick(row), storableJson)));
  const bodies = (pick: (row: ApiLogRow) => Uint8Array | null): string =>
    byteaArrayText(rows.map((row) => pick(row)?.subarray(0, bodyBytesMax) ?? null));
  await sql`
    insert into api_request_logs (
      id, created_at, tenant_id, integration_id, endpoint_id, direction, method, url, path, query_params, headers, body,
      body_size, response_status, response_headers, response_body, response_size, response_time_ms, correlation_id,
      user_id, source_ip, status, error_message, retry_of, receipt_id, error_code, attempt_number, traceparent, timings
    )
    select id, to_timestamp(created_ms / 1000.0), tenant_id, integration_id, endpoint_id, direction, method, url, path,
      query_params, headers, body, body_size, response_status, response_headers, response_body, response_size,
      response_time_ms, correlation_id, user_id, source_ip, status, error_message, retry_of, receipt_id, error_code,
      attempt_number, traceparent, timings
    from unnest(
      ${ids((row) => row.id)}::text::uuid[],
      ${plainArrayText(rows.map((row) => timeOfId(row.id)))}::text::float8[],
      ${ids((row) => row.tenantId)}::text::uuid[],
      ${ids((row) => row.integrationId)}::text::uuid[],
      ${ids((row) => row.endpointId)}::text::uuid[],
      ${texts((row) => row.direction)}::text::text[],
      ${texts((row) => row.method)}::text::text[],
      ${texts((row) => row.url)}::text::text[],
      ${texts((row) => row.path)}::text::text[],
      ${documents((row) => row.queryParams)}::text::jsonb[],
      ${documents((row) => row.headers)}::text::jsonb[],
      ${bodies((row) => row.body)}::text::bytea[],
      ${numbers((row) => row.bodySize)}::text::int[],
      ${numbers((row) => row.responseStatus)}::text::int[],
      ${documents((row) => row.responseHeaders)}::text::jsonb[],
      ${bodies((row) => row.responseBody)}::text::bytea[],
      ${numbers((row) => row.responseSize)}::text::int[],
      ${numbers((row) => row.responseTimeMs)}::text::int[],
      ${texts((row) => row.correlationId)}::text::text[],
      ${ids((row) => row.userId)}::text::uuid[],
      ${texts((row) => row.sourceIp)}::text::text[],
      ${texts((row) => row.status)}::text::text[],
      ${texts((row) => row.errorMessage)}::text::text[],
      ${ids((row) => row.retryOf)}::text::uuid[],
      ${ids((row) => row.receiptId ?? null)}::text::uuid[],
      ${texts((row) => row.errorCode ?? null)}::text::text[],
      ${numbers((row) => row.attemptNumber ?? null)}::text::int[],
      ${texts((row) => row.traceparent ?? null)}::text::text[],
      ${documents((row) => row.timings ?? null)}::text::jsonb[]
    ) as given(
      id, created_ms, tenant_id, integration_id, endpoint_id, direction, method, url, path, query_params, headers, body,
      body_size, response_status, response_headers, response_body, response_size, response_time_ms, correlation_id,
      user_id, source_ip, status, error_message, retry_of, receipt_id, error_code, attempt_number, traceparent,
      timings
    )
    on conflict do nothing`;
}

function ifAny<In, Out>(value: In | null, change: (value: In) => Out): Out | null {
  return value === null ? null : change(value);
}

function wholeNumber(value: number): number {
  return Math.min(Math.round(value), INTEGER_MAX);
}
