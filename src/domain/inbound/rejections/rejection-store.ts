import { storableText } from "../../../platform/postgres/storable.ts";
import type { Sql } from "../../../platform/postgres/client.ts";
import { floorId, timeOfId } from "../../../platform/uuid.ts";
import type { Transaction } from "../../context.ts";
import type { BodyState } from "./refused-request.ts";

/** A sample as it is written; `created_at` is the time inside the id. */
export interface NewRejectionRow {
  id: string;
  tenantId: string;
  endpointId: string | null;
  code: string;
  cause: string;
  responseStatus: number;
  method: string;
  /** Without the query. */
  path: string;
  bodySize: number | null;
  bodyState: BodyState;
  rawSealed: string;
  sourceIp: string;
  correlationId: string;
}

/** Columns that lists show. */
export interface RejectionRow extends Omit<NewRejectionRow, "tenantId" | "rawSealed"> {
  acceptedReceiptId: string | null;
  acceptedAt: Date | null;
  createdAt: Date;
}

/** What a list may be narrowed to; times in milliseconds, `toMs` not included. */
export interface RejectionFilter {
  endpointId?: string | undefined;
  code?: string | undefined;
  cause?: string | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
}

/** Refusals of one endpoint for one cause. */
export interface RejectionCount {
  endpointId: string;
  tenantId: string;
  cause: string;
  count: number;
  lastAtMs: number;
}

const columns = (tx: Transaction) => tx`
  id, endpoint_id as "endpointId", reason_code as code, cause, response_status as "responseStatus", method, path,
  body_size as "bodySize", body_state as "bodyState", source_ip as "sourceIp", correlation_id as "correlationId",
  accepted_receipt_id as "acceptedReceiptId", accepted_at as "acceptedAt", created_at as "createdAt"`;

const timeIn = (tx: Transaction, id: string) => tx`to_timestamp(${timeOfId(id)}::float8 / 1000)`;

/** Inserts samples with one statement. @param sql role hub_system */
export async function insertRejections(sql: Sql, rows: readonly NewRejectionRow[]): Promise<void> {
  const texts = (pick: (row: NewRejectionRow) => string): string[] =>
    rows.map((row) => storableText(pick(row)));
  await sql`
    insert into rejected_requests (
      id, created_at, tenant_id, endpoint_id, reason_code, cause, response_status, method, path, body_size, body_state,
      raw_sealed, source_ip, correlation_id
    )
    select id, to_timestamp(created_ms / 1000.0), tenant_id, endpoint_id, reason_code, cause, response_status, method,
      path, body_size, body_state, raw_sealed, source_ip, correlation_id
    from unnest(
      ${rows.map((row) => row.id)}::text[]::uuid[],
      ${rows.map((row) => timeOfId(row.id))}::float8[],
      ${rows.map((row) => row.tenantId)}::text[]::uuid[],
      ${rows.map((row) => row.endpointId)}::text[]::uuid[],
      ${texts((row) => row.code)}::text[],
      ${texts((row) => row.cause)}::text[],
      ${rows.map((row) => row.responseStatus)}::int[],
      ${texts((row) => row.method)}::text[],
      ${texts((row) => row.path)}::text[],
      ${rows.map((row) => row.bodySize)}::int[],
      ${rows.map((row) => row.bodyState)}::text[],
      ${rows.map((row) => row.rawSealed)}::text[],
      ${texts((row) => row.sourceIp)}::text[],
      ${texts((row) => row.correlationId)}::text[]
    ) as given(
      id, created_ms, tenant_id, endpoint_id, reason_code, cause, response_status, method, path, body_size, body_state,
      raw_sealed, source_ip, correlation_id
    )
    on conflict do nothing`;
}

/** Adds refusals to the endpoints' counts. Rows are taken in one order, so that two processes cannot lock each other. */
export async function addRejectionCounts(sql: Sql, counts: readonly RejectionCount[]): Promise<void> {
  await sql`
    insert into rejection_counts as c (endpoint_id, tenant_id, cause, total, last_at)
    select endpoint_id, tenant_id, cause, count, to_timestamp(last_ms / 1000.0)
    from unnest(
      ${counts.map((row) => row.endpointId)}::text[]::uuid[],
      ${counts.map((row) => row.tenantId)}::text[]::uuid[],
      ${counts.map((row) => row.cause)}::text[],
      ${counts.map((row) => row.count)}::bigint[],
      ${counts.map((row) => row.lastAtMs)}::float8[]
    ) as given(endpoint_id, tenant_id, cause, count, last_ms)
    order by endpoint_id, cause
    on conflict (endpoint_id, cause) do update set
      total = c.total + excluded.total, last_at = greatest(c.last_at, excluded.last_at)`;
}

/** Ids of those tenants that exist, by slug or id as it stood in a URL. @param sql role hub_system */
export async function findTenantIds(sql: Sql, references: readonly string[]): Promise<Map<string, string>> {
  const rows = await sql<{ id: string; slug: string }[]>`
    select id, slug from tenants
    where slug = any(${[...references]}::text[]) or id::text = any(${[...references]}::text[])`;
  return new Map(rows.flatMap(({ id, slug }) => [[slug, id] as const, [id, id] as const]));
}

/** A page of the tenant's samples, newest first, before the id `beforeId`. */
export async function listRejectionRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  filter: RejectionFilter,
): Promise<RejectionRow[]> {
  const { endpointId, code, cause, fromMs, toMs } = filter;
  // Days after the cursor cannot hold an earlier row.
  const endMs = Math.min(
    toMs ?? Infinity,
    page.beforeId === undefined ? Infinity : timeOfId(page.beforeId) + 1,
  );
  return tx<RejectionRow[]>`
    select ${columns(tx)} from rejected_requests
    where tenant_id = ${tenantId}
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
      ${fromMs === undefined ? tx`` : tx`and created_at >= ${new Date(fromMs)} and id >= ${floorId(fromMs)}`}
      ${endMs === Infinity ? tx`` : tx`and created_at < to_timestamp(${endMs}::float8 / 1000)`}
      ${endpointId === undefined ? tx`` : tx`and endpoint_id = ${endpointId}`}
      ${code === undefined ? tx`` : tx`and reason_code = ${code}`}
      ${cause === undefined ? tx`` : tx`and cause = ${cause}`}
    order by id desc limit ${page.limit}`;
}

/** The tenant's sample with this id, with the sealed request; the time in the id names its day. */
export async function getRejectionRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<(RejectionRow & { rawSealed: string }) | undefined> {
  const [row] = await tx<(RejectionRow & { rawSealed: string })[]>`
    select ${columns(tx)}, raw_sealed as "rawSealed" from rejected_requests
    where tenant_id = ${tenantId} and id = ${id} and created_at = ${timeIn(tx, id)}`;
  return row;
}

/** Time after which a claim that nobody finished or released is void. */
const CLAIM_SECONDS = 60;

/**
 * Claims a sample for putting it through.
 *
 * @returns false when it was put through, or another call is about to
 */
export async function claimRejection(
  tx: Transaction,
  tenantId: string,
  id: string,
  at: Date,
): Promise<boolean> {
  const rows = await tx`
    update rejected_requests set accepted_at = ${at}
    where tenant_id = ${tenantId} and id = ${id} and created_at = ${timeIn(tx, id)} and accepted_receipt_id is null
      and (accepted_at is null or accepted_at < ${at}::timestamptz - make_interval(secs => ${CLAIM_SECONDS}))
    returning id`;
  return rows.length === 1;
}

/** Gives a claim up that came to nothing. */
export async function releaseRejection(tx: Transaction, tenantId: string, id: string): Promise<void> {
  await tx`
    update rejected_requests set accepted_at = null
    where tenant_id = ${tenantId} and id = ${id} and created_at = ${timeIn(tx, id)} and accepted_receipt_id is null`;
}

/** Notes the receipt under which a sample was put through; the first one stays. */
export async function markRejectionAccepted(
  tx: Transaction,
  tenantId: string,
  id: string,
  accepted: { receiptId: string; at: Date },
): Promise<void> {
  await tx`
    update rejected_requests set accepted_receipt_id = ${accepted.receiptId}, accepted_at = ${accepted.at}
    where tenant_id = ${tenantId} and id = ${id} and created_at = ${timeIn(tx, id)} and accepted_receipt_id is null`;
}

/** The tenant's counts by endpoint and cause, largest first. */
export async function listRejectionCountRows(
  tx: Transaction,
  tenantId: string,
  filter: { endpointId: string | undefined; limit: number },
): Promise<{ endpointId: string; cause: string; total: number; lastAt: Date }[]> {
  return tx`
    select endpoint_id as "endpointId", cause, total::float8 as total, last_at as "lastAt" from rejection_counts
    where tenant_id = ${tenantId} ${filter.endpointId === undefined ? tx`` : tx`and endpoint_id = ${filter.endpointId}`}
    order by total desc, endpoint_id, cause limit ${filter.limit}`;
}
