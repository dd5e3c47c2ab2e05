import type { Sql, TransactionSql } from "postgres";
import { plainArrayText, quotedArrayText } from "../../platform/postgres/array-text.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { storableJson, storableText } from "../../platform/postgres/storable.ts";
import { joinLogParts } from "./join-log-parts.ts";

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
 * What is long stands in one text that the statement cuts up again (`joinLogParts`). A column in which no row has
 * anything is an empty array, which `unnest` fills up with NULL: a third of the columns of most batches.
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
  const { texts, ids, numbers, documents } = columnsOf(rows);
  const parts = joinLogParts(rows, bodyBytesMax);
  await sql`
    with joined as materialized (select convert_to(${parts.text}::text, 'UTF8') as bytes)
    insert into api_request_logs (
      id, created_at, tenant_id, integration_id, endpoint_id, direction, method, url, path, query_params, headers, body,
      body_size, response_status, response_headers, response_body, response_size, response_time_ms, correlation_id,
      user_id, source_ip, status, error_message, retry_of, receipt_id, error_code, attempt_number, traceparent, timings
    )
    select id, to_timestamp(created_ms / 1000.0), tenant_id, integration_id, endpoint_id, direction, method, url, path,
      query_params,
      case when asked > 0 then convert_from(substring(bytes from start for asked), 'UTF8')::jsonb end,
      case when sent < 0 then decode(convert_from(substring(bytes from sent_at for -sent), 'UTF8'), 'hex')
        else substring(bytes from sent_at for sent) end,
      body_size, response_status,
      case when answered > 0 then convert_from(substring(bytes from start + asked for answered), 'UTF8')::jsonb end,
      case when got < 0 then decode(convert_from(substring(bytes from got_at for -got), 'UTF8'), 'hex')
        else substring(bytes from got_at for got) end,
      response_size, response_time_ms, correlation_id, user_id, source_ip, status, error_message, retry_of, receipt_id,
      error_code, attempt_number, traceparent,
      case when timed > 0 then convert_from(substring(bytes from start + asked + answered for timed), 'UTF8')::jsonb end
    from joined, unnest(
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
      ${numbers((row) => row.bodySize)}::text::int[],
      ${numbers((row) => row.responseStatus)}::text::int[],
      ${numbers((row) => row.responseSize)}::text::int[],
      ${numbers((row) => row.responseTimeMs)}::text::int[],
      ${texts((row) => row.correlationId)}::text::text[],
      ${ids((row) => row.userId)}::text::uuid[],
      ${texts((row) => row.sourceIp)}::text::text[],
      ${texts((row) => row.status)}::text::text[],
      ${texts((row) => row.errorMessage)}::text::text[],
      ${ids((row) => row.retryOf)}::text::uuid[],
      ${ids((row) => row.receiptId)}::text::uuid[],
      ${texts((row) => row.errorCode)}::text::text[],
      ${numbers((row) => row.attemptNumber)}::text::int[],
      ${texts((row) => row.traceparent)}::text::text[],
      ${plainArrayText(parts.starts)}::text::int[],
      ${plainArrayText(parts.headers)}::text::int[],
      ${plainArrayText(parts.responseHeaders)}::text::int[],
      ${plainArrayText(parts.timings)}::text::int[],
      ${plainArrayText(parts.bodies)}::text::int[],
      ${plainArrayText(parts.responseBodies)}::text::int[]
    ) as given(
      id, created_ms, tenant_id, integration_id, endpoint_id, direction, method, url, path, query_params, body_size,
      response_status, response_size, response_time_ms, correlation_id, user_id, source_ip, status, error_message,
      retry_of, receipt_id, error_code, attempt_number, traceparent, start, asked, answered, timed, sent, got
    )
    cross join lateral (select start + asked + answered + timed as sent_at) as body_place
    cross join lateral (select sent_at + coalesce(abs(sent), 0) as got_at) as response_place
    on conflict do nothing`;
}

type Picker<Value> = (row: ApiLogRow) => Value | null | undefined;

/** Writers of columns, each as the text of an array. */
function columnsOf(rows: readonly ApiLogRow[]) {
  const column = <Value>(pick: Picker<Value>, write: (values: (Value | null)[]) => string): string => {
    const values = rows.map((row) => pick(row) ?? null);
    return values.every((value) => value === null) ? "{}" : write(values);
  };
  return {
    texts: (pick: Picker<string>): string =>
      column(pick, (values) => quotedArrayText(values.map((value) => ifAny(value, storableText)))),
    ids: (pick: Picker<string>): string => column(pick, quotedArrayText),
    numbers: (pick: Picker<number>): string =>
      column(pick, (values) => plainArrayText(values.map((value) => ifAny(value, wholeNumber)))),
    documents: (pick: Picker<object>): string =>
      column(pick, (values) => quotedArrayText(values.map((value) => ifAny(value, storableJson)))),
  };
}

function ifAny<In, Out>(value: In | null, change: (value: In) => Out): Out | null {
  return value === null ? null : change(value);
}

function wholeNumber(value: number): number {
  return Math.min(Math.round(value), INTEGER_MAX);
}
