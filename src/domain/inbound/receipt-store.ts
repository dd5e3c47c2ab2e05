import { floorId, newId, timeOfId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import { EVENT_KEY_LENGTH } from "./event-key.ts";
import type { ReceiptStatus } from "./receipt-state.ts";

/** Columns of webhook_receipts that lists show. */
export interface ReceiptListRow {
  id: string;
  endpointId: string;
  integrationId: string | null;
  eventId: string | null;
  eventType: string | null;
  status: ReceiptStatus;
  attemptCount: number;
  nextRetryAt: Date | null;
  errorCode: string | null;
  errorMessage: string | null;
  targetService: string | null;
  method: string | null;
  path: string | null;
  contentType: string | null;
  bodySize: number;
  bodyDropped: boolean;
  sourceIp: string | null;
  correlationId: string | null;
  duplicateOf: string | null;
  processedAt: Date | null;
  createdAt: Date;
}

/** A whole row. */
export interface ReceiptFullRow extends ReceiptListRow {
  eventKey: string;
  query: string | null;
  headers: Record<string, unknown> | null;
  contentEncoding: string | null;
  body: Uint8Array | null;
  largeBodyId: string | null;
  output: Uint8Array | null;
  traceparent: string | null;
}

/** What a list may be narrowed to; times in milliseconds, `toMs` not included. */
export interface ReceiptFilter {
  endpointId?: string | undefined;
  status?: ReceiptStatus | undefined;
  eventType?: string | undefined;
  eventId?: string | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
}

const listColumns = (tx: Transaction) => tx`
  id, endpoint_id as "endpointId", integration_id as "integrationId", event_id as "eventId", event_type as "eventType",
  status, attempt_count as "attemptCount", next_retry_at as "nextRetryAt", error_code as "errorCode",
  error_message as "errorMessage", target_service as "targetService", method, path, content_type as "contentType",
  body_size as "bodySize", body_dropped as "bodyDropped", source_ip as "sourceIp", correlation_id as "correlationId",
  duplicate_of as "duplicateOf", processed_at as "processedAt", created_at as "createdAt"`;

/** `created_at` of a receipt, which names its day. In numbers, because an id that is none of ours holds any time. */
const timeIn = (tx: Transaction, id: string) => tx`to_timestamp(${timeOfId(id)}::float8 / 1000)`;

/**
 * Ids of an event's receipts, by the event key of each of the tenant's endpoints (`eventKeyHasher`): another index, on
 * the event id, would make every insert dearer. `offset 0` keeps the planner from looking at the receipts first.
 */
const idsOfEvent = (tx: Transaction, tenantId: string, eventId: string) => tx`array(
  select found.id from webhook_endpoints e cross join lateral (
    select r.id from webhook_receipts r
    where r.endpoint_id = e.id and r.event_key = left(translate(
      encode(sha256(convert_to(e.id::text || E'\n' || ${eventId}::text, 'UTF8')), 'base64'), '+/', '-_'), ${EVENT_KEY_LENGTH})
    offset 0
  ) found
  where e.tenant_id = ${tenantId})`;

/** A page of the tenant's receipts, newest first, before the id `beforeId`. */
export async function listReceiptRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  filter: ReceiptFilter,
): Promise<ReceiptListRow[]> {
  const { endpointId, status, eventType, eventId, fromMs, toMs } = filter;
  // Days after the cursor cannot hold an earlier row.
  const endMs = Math.min(
    toMs ?? Infinity,
    page.beforeId === undefined ? Infinity : timeOfId(page.beforeId) + 1,
  );
  return tx<ReceiptListRow[]>`
    select ${listColumns(tx)} from webhook_receipts
    where tenant_id = ${tenantId}
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
      ${fromMs === undefined ? tx`` : tx`and created_at >= ${new Date(fromMs)} and id >= ${floorId(fromMs)}`}
      ${endMs === Infinity ? tx`` : tx`and created_at < to_timestamp(${endMs}::float8 / 1000)`}
      ${endpointId === undefined ? tx`` : tx`and endpoint_id = ${endpointId}`}
      ${status === undefined ? tx`` : tx`and status = ${status}`}
      ${eventType === undefined ? tx`` : tx`and event_type = ${eventType}`}
      ${eventId === undefined ? tx`` : tx`and event_id = ${eventId} and id = any(${idsOfEvent(tx, tenantId, eventId)})`}
    order by id desc limit ${page.limit}`;
}

/** The tenant's receipt with this id; the time in the id names its day. `lock` holds the row. */
export async function getReceiptRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  lock = false,
): Promise<ReceiptFullRow | undefined> {
  const [row] = await tx<ReceiptFullRow[]>`
    select ${listColumns(tx)}, event_key as "eventKey", query, headers, content_encoding as "contentEncoding", body,
      large_body_id as "largeBodyId", output, traceparent
    from webhook_receipts
    where tenant_id = ${tenantId} and id = ${id} and created_at = ${timeIn(tx, id)}
    ${lock ? tx`for update` : tx``}`;
  return row;
}

/** The tenant's body in `large_bodies`; undefined when it is not there. */
export async function getLargeBody(
  tx: Transaction,
  tenantId: string,
  receiptId: string,
): Promise<Uint8Array | undefined> {
  const rows = await tx<{ bytes: Uint8Array }[]>`
    select bytes from large_bodies where tenant_id = ${tenantId} and receipt_id = ${receiptId} order by part`;
  return rows.length === 0 ? undefined : Buffer.concat(rows.map((row) => row.bytes));
}

/** Names a receipt in Redis: see `receiptMember`. */
export interface ReceiptName {
  id: string;
  tenantId: string;
  endpointId: string;
}

/** Final states, from which a receipt may be processed again. */
export const REPLAYABLE: readonly ReceiptStatus[] = [
  "PROCESSED",
  "FILTERED",
  "DUPLICATE",
  "DEAD",
  "CANCELLED",
];

/**
 * Makes receipts due again, with all their tries before them, and marks their open dead letters as replayed. Passed over is what is not final, what lost
 * its body, and what has no endpoint any more. Rows are locked in the order of their ids, so that two calls cannot wait
 * for each other.
 *
 * @param ids any number, not empty
 * @returns those that were changed
 */
export async function markReceiptsRetrying(
  tx: Transaction,
  tenantId: string,
  ids: readonly string[],
  now: Date,
): Promise<ReceiptName[]> {
  const times = ids.map(timeOfId);
  const changed = await tx<ReceiptName[]>`
    with due as (
      select r.id, r.created_at from webhook_receipts r
      where r.tenant_id = ${tenantId} and r.id = any(${[...ids]}::text[]::uuid[])
        and r.created_at between ${new Date(Math.min(...times))} and ${new Date(Math.max(...times))}
        and r.status = any(${[...REPLAYABLE]}::text[]) and not r.body_dropped
        and exists (
          select from webhook_endpoints e
          where e.tenant_id = r.tenant_id and e.id = r.endpoint_id and e.deleted_at is null)
      order by r.id for update
    )
    update webhook_receipts r
    set status = 'RETRYING', attempt_count = 0, next_retry_at = ${now}, processed_at = null
    from due where r.id = due.id and r.created_at = due.created_at
    returning r.id, r.tenant_id as "tenantId", r.endpoint_id as "endpointId"`;
  if (changed.length > 0) {
    await tx`
      update dead_letters set status = 'REPLAYED', replayed_at = ${now}, updated_at = now()
      where tenant_id = ${tenantId} and receipt_id = any(${changed.map(({ id }) => id)}::text[]::uuid[])
        and status = 'OPEN'`;
  }
  return [...changed];
}

/**
 * Makes receipts anew from the copies in open dead letters whose own receipts retention has dropped, due at once, and
 * marks the dead letters as replayed. They get new ids, because the day of the old ones is gone; the event's id and key
 * stay. Passed over is what has no endpoint any more, and what has its receipt still.
 *
 * @param letterIds any number
 */
export async function reviveReceipts(
  tx: Transaction,
  tenantId: string,
  letterIds: readonly string[],
  now: Date,
): Promise<ReceiptName[]> {
  const newIds = letterIds.map(() => newId(now.getTime()));
  return tx<ReceiptName[]>`
    with revived as (
      select given.new_id, to_timestamp(given.new_ms / 1000.0) as new_at, d.*, l.receipt_id is not null as is_large, coalesce(l.size, octet_length(d.body), 0) as size
      from unnest(
        ${[...letterIds]}::text[]::uuid[], ${newIds}::text[]::uuid[], ${newIds.map(timeOfId)}::float8[]
      ) as given(letter_id, new_id, new_ms)
      join dead_letters d on d.id = given.letter_id
      left join lateral (
        select receipt_id, sum(octet_length(bytes)) as size from large_bodies
        where receipt_id = d.receipt_id and tenant_id = d.tenant_id group by receipt_id
      ) l on true
      where d.tenant_id = ${tenantId} and d.status = 'OPEN' and d.topic = 'inbound'
        and not exists (
          select from webhook_receipts r
          where r.id = d.receipt_id and r.created_at = coalesce(d.receipt_created_at, r.created_at))
        and exists (
          select from webhook_endpoints e
          where e.tenant_id = d.tenant_id and e.id = d.endpoint_id and e.deleted_at is null)
      for update of d
    ), moved as (
      update large_bodies b set receipt_id = revived.new_id, created_at = revived.new_at
      from revived where revived.is_large and b.receipt_id = revived.receipt_id
    ), marked as (
      update dead_letters d
      set receipt_id = revived.new_id, receipt_created_at = revived.new_at, status = 'REPLAYED', replayed_at = ${now},
        updated_at = now()
      from revived where d.id = revived.id
    )
    insert into webhook_receipts (
      id, created_at, tenant_id, endpoint_id, event_key, event_id, event_type, status, next_retry_at, method, headers,
      content_type, content_encoding, body, body_size, large_body_id, correlation_id, traceparent
    )
    select new_id, new_at, tenant_id, endpoint_id, coalesce(event_key, ''), event_id, event_type, 'RETRYING', ${now}, 'POST',
      headers, content_type, content_encoding, body, size, case when is_large then new_id end, correlation_id, traceparent
    from revived
    returning id, tenant_id as "tenantId", endpoint_id as "endpointId"`;
}

/** Ends a dead receipt for good. */
export async function cancelDeadReceipt(tx: Transaction, tenantId: string, id: string): Promise<void> {
  await tx`
    update webhook_receipts set status = 'CANCELLED'
    where tenant_id = ${tenantId} and id = ${id} and created_at = ${timeIn(tx, id)} and status = 'DEAD'`;
}
