import { floorId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import type { ApiLog, ApiLogFilter } from "./schema.ts";
import type { TimeRange } from "./search-range.ts";

/** A row as lists need it. */
export type ApiLogListRow = Omit<ApiLog, "createdAt"> & { createdAt: Date };

/** A row with all columns; bodies as bytes. */
export type ApiLogFullRow = ApiLogListRow & {
  queryParams: Record<string, unknown> | null;
  headers: Record<string, unknown> | null;
  body: Uint8Array | null;
  responseHeaders: Record<string, unknown> | null;
  responseBody: Uint8Array | null;
  traceparent: string | null;
  timings: Record<string, number> | null;
};

const listColumns = (tx: Transaction) => tx`
  l.id, l.integration_id as "integrationId", l.endpoint_id as "endpointId", l.receipt_id as "receiptId", l.direction,
  l.method, l.url, l.path, l.body_size as "bodySize", l.response_status as "responseStatus",
  l.response_size as "responseSize", l.response_time_ms as "responseTimeMs", l.correlation_id as "correlationId",
  l.user_id as "userId", l.source_ip as "sourceIp", l.status, l.error_code as "errorCode",
  l.error_message as "errorMessage", l.attempt_number as "attemptNumber", l.retry_of as "retryOf",
  l.created_at as "createdAt"`;

/**
 * A page of the tenant's rows in a span of time, newest first. The bounds on created_at choose the partitions, those
 * on id let the index give the order.
 */
export async function searchApiLogRows(
  tx: Transaction,
  tenantId: string,
  range: TimeRange,
  filter: ApiLogFilter,
  page: { limit: number; beforeId: string | undefined },
): Promise<ApiLogListRow[]> {
  const equal = (column: string, value: string | undefined) =>
    value === undefined ? tx`` : tx`and l.${tx(column)} = ${value}`;
  return tx<ApiLogListRow[]>`
    select ${listColumns(tx)} from api_request_logs l
    where l.tenant_id = ${tenantId}
      and l.created_at >= ${new Date(range.fromMs)} and l.created_at < ${new Date(range.toMs)}
      and l.id >= ${floorId(range.fromMs)} and l.id < ${floorId(range.toMs)}
      ${page.beforeId === undefined ? tx`` : tx`and l.id < ${page.beforeId}`}
      ${equal("status", filter.status)} ${equal("direction", filter.direction)} ${equal("method", filter.method)}
      ${equal("correlation_id", filter.correlationId)} ${equal("endpoint_id", filter.endpointId)}
      ${equal("integration_id", filter.integrationId)}
      ${filter.url === undefined ? tx`` : tx`and strpos(lower(l.url), lower(${filter.url})) > 0`}
    order by l.id desc limit ${page.limit}`;
}

/**
 * One row of the tenant.
 *
 * @param createdAtMs the time inside the id; only its day's partition is read. A number, because an id that is no
 *   UUIDv7 can hold a year that Postgres does not read from text
 */
export async function getApiLogRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  createdAtMs: number,
): Promise<ApiLogFullRow | undefined> {
  const [row] = await tx<ApiLogFullRow[]>`
    select ${listColumns(tx)}, l.query_params as "queryParams", l.headers, l.body,
           l.response_headers as "responseHeaders", l.response_body as "responseBody", l.traceparent, l.timings
    from api_request_logs l
    where l.tenant_id = ${tenantId} and l.id = ${id} and l.created_at = to_timestamp(${createdAtMs}::float8 / 1000)`;
  return row;
}

/**
 * The first bytes of a receipt's body and its media type; undefined when there is no such receipt, a null body when it
 * was empty or dropped.
 *
 * @param bytesMax how much is read; a large body is never loaded as a whole
 */
export async function getReceiptBody(
  tx: Transaction,
  tenantId: string,
  receiptId: string,
  createdAtMs: number,
  bytesMax: number,
): Promise<{ body: Uint8Array | null; contentType: string | null } | undefined> {
  const [row] = await tx<{ body: Uint8Array | null; contentType: string | null }[]>`
    select coalesce(
             substring(r.body from 1 for ${bytesMax}),
             (select substring(b.bytes from 1 for ${bytesMax}) from large_bodies b
              where b.receipt_id = r.large_body_id and b.tenant_id = r.tenant_id and b.part = 0)
           ) as body,
           r.content_type as "contentType"
    from webhook_receipts r
    where r.tenant_id = ${tenantId} and r.id = ${receiptId} and r.created_at = to_timestamp(${createdAtMs}::float8 / 1000)`;
  return row;
}

/** True when the tenant has this integration. */
export async function integrationExists(tx: Transaction, tenantId: string, id: string): Promise<boolean> {
  const rows = await tx`
    select from integrations where tenant_id = ${tenantId} and id = ${id} and deleted_at is null`;
  return rows.length > 0;
}
