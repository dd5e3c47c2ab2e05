import type { Transaction } from "../context.ts";

/** An event's row as lists show it. */
export interface EventListRow {
  id: string;
  type: string;
  source: "API" | "HUB";
  externalId: string | null;
  orderingKey: string | null;
  schemaVersion: number | null;
  dataSize: number;
  correlationId: string | null;
  occurredAt: Date;
  createdAt: Date;
}

/** Place in the list: what stands before it in time, and by id within one millisecond. */
export interface EventPosition {
  createdAtMs: number;
  id: string;
}

/** What a list may be narrowed to; times in milliseconds, `toMs` not included. */
export interface EventListFilter {
  /** A type, or a beginning before `*`. */
  pattern?: string | undefined;
  source?: "API" | "HUB" | undefined;
  orderingKey?: string | undefined;
  id?: string | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
}

const columns = (tx: Transaction) => tx`
  id, type, source, external_id as "externalId", ordering_key as "orderingKey", schema_version as "schemaVersion",
  payload_size as "dataSize", correlation_id as "correlationId", occurred_at as "occurredAt",
  created_at as "createdAt"`;

const typeIs = (tx: Transaction, pattern: string | undefined) => {
  if (pattern === undefined || pattern === "*") return tx``;
  return pattern.endsWith("*")
    ? tx`and starts_with(type, ${pattern.slice(0, -1)})`
    : tx`and type = ${pattern}`;
};

/** A page of the tenant's events, newest first by acceptance. */
export async function listEventRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; before: EventPosition | undefined },
  filter: EventListFilter,
): Promise<EventListRow[]> {
  const { before } = page;
  const at = (ms: number) => new Date(ms);
  return tx<EventListRow[]>`
    select ${columns(tx)} from events
    where tenant_id = ${tenantId} ${typeIs(tx, filter.pattern)}
      ${before === undefined ? tx`` : tx`and created_at <= ${at(before.createdAtMs)} and (created_at, id) < (${at(before.createdAtMs)}, ${before.id}::uuid)`}
      ${filter.source === undefined ? tx`` : tx`and source = ${filter.source}`}
      ${filter.orderingKey === undefined ? tx`` : tx`and ordering_key = ${filter.orderingKey}`}
      ${filter.id === undefined ? tx`` : tx`and id = ${filter.id}`}
      ${filter.fromMs === undefined ? tx`` : tx`and created_at >= ${at(filter.fromMs)}`}
      ${filter.toMs === undefined ? tx`` : tx`and created_at < ${at(filter.toMs)}`}
    order by created_at desc, id desc limit ${page.limit}`;
}

/** The tenant's event with this id, the newest where it was accepted twice; data as JSON text. */
export async function getEventRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<(EventListRow & { data: string }) | undefined> {
  const [row] = await tx<(EventListRow & { data: string })[]>`
    select ${columns(tx)}, convert_from(payload, 'UTF8') as data from events
    where tenant_id = ${tenantId} and id = ${id} order by created_at desc limit 1`;
  return row;
}

/** An event with its data as JSON text, for a live view. */
export interface LiveEventRow extends EventListRow {
  data: string;
}

/** Bounds of one read for a live view: as many events as fit, and one at least. */
export interface LivePage {
  rowsMax: number;
  /** Of data. */
  bytesMax: number;
}

/** The first of these events, oldest first by acceptance; `isWhole`: there are no others. */
export async function readLiveRows(
  tx: Transaction,
  tenantId: string,
  refs: readonly EventPosition[],
  page: LivePage,
): Promise<{ rows: LiveEventRow[]; isWhole: boolean }> {
  return readFitting(
    tx,
    tx`
      select e.* from unnest(
        ${refs.map(({ id }) => id)}::text[]::uuid[],
        ${refs.map(({ createdAtMs }) => new Date(createdAtMs).toISOString())}::text[]::timestamptz[]
      ) as r(id, created_at)
      join events e on e.tenant_id = ${tenantId} and e.id = r.id and e.created_at = r.created_at
      order by e.created_at, e.id limit ${page.rowsMax + 1}`,
    page,
  );
}

/** Events accepted after a position, oldest first; `isWhole`: there are no others. */
export async function readRowsAfter(
  tx: Transaction,
  tenantId: string,
  after: EventPosition,
  page: LivePage,
): Promise<{ rows: LiveEventRow[]; isWhole: boolean }> {
  const at = new Date(after.createdAtMs);
  return readFitting(
    tx,
    tx`
      select * from events
      where tenant_id = ${tenantId} and created_at >= ${at} and (created_at, id) > (${at}, ${after.id}::uuid)
      order by created_at, id limit ${page.rowsMax + 1}`,
    page,
  );
}

/** Data is read of what fits only: its length is known without it. */
async function readFitting(
  tx: Transaction,
  candidates: ReturnType<Transaction>,
  page: LivePage,
): Promise<{ rows: LiveEventRow[]; isWhole: boolean }> {
  const found = await tx<(LiveEventRow & { candidates: number })[]>`
    select ${columns(tx)}, convert_from(payload, 'UTF8') as data, candidates
    from (
      select c.*, (count(*) over ())::int as candidates, row_number() over w as place,
        sum(octet_length(payload)) over w - octet_length(payload) as bytes_before
      from (${candidates}) c window w as (order by created_at, id)
    ) sized
    where place <= ${page.rowsMax} and bytes_before < ${page.bytesMax}
    order by created_at, id`;
  const rows = found.map(({ candidates: _count, ...row }) => row);
  return { rows, isWhole: rows.length === (found[0]?.candidates ?? 0) };
}

/** A delivery of an event: its newest attempt, or where it waits. */
export interface EventDeliveryRow {
  deliveryId: string | null;
  subscriptionId: string;
  trigger: string;
  status: string;
  attempts: number;
  responseStatus: number | null;
  errorCode: string | null;
  nextRetryAt: Date | null;
  lastAttemptAt: Date | null;
}

/** Attempts of an event that are looked at; one event may have 100,000 deliveries. */
const ATTEMPTS_MAX = 5_000;

/** The newest attempts of an event's deliveries, one row a delivery, newest first. */
export async function listAttemptedDeliveries(
  tx: Transaction,
  tenantId: string,
  eventId: string,
  limit: number,
): Promise<EventDeliveryRow[]> {
  return tx<EventDeliveryRow[]>`
    select * from (
      select distinct on (subscription_id, delivery_id) delivery_id as "deliveryId",
        subscription_id as "subscriptionId", trigger, status, attempt_number as attempts,
        response_status as "responseStatus", error_code as "errorCode", next_retry_at as "nextRetryAt",
        created_at as "lastAttemptAt"
      from (
        select * from webhook_deliveries where tenant_id = ${tenantId} and event_id = ${eventId}
        order by id desc limit ${ATTEMPTS_MAX}
      ) a
      order by subscription_id, delivery_id, id desc
    ) d order by "lastAttemptAt" desc limit ${limit}`;
}

/**
 * Deliveries of an event that wait, newest first: those of `ids`, and up to `limit` of all. CANCELLED: the subscription was
 * deleted, and its queue ends them in time.
 */
export async function listOpenDeliveries(
  tx: Transaction,
  tenantId: string,
  eventId: string,
  { ids, limit }: { ids: readonly string[]; limit: number },
): Promise<EventDeliveryRow[]> {
  return tx<EventDeliveryRow[]>`
    with newest as (
      select id from open_deliveries where tenant_id = ${tenantId} and event_id = ${eventId}
      order by updated_at desc limit ${limit}
    )
    select o.id as "deliveryId", o.subscription_id as "subscriptionId",
      case when o.replay_id is null then 'EVENT' else 'REPLAY' end as trigger,
      case when s.deleted_at is null then o.status else 'CANCELLED' end as status, o.attempt_count as attempts,
      null::integer as "responseStatus", o.error_code as "errorCode",
      case when s.deleted_at is null then o.next_retry_at end as "nextRetryAt", null::timestamptz as "lastAttemptAt"
    from open_deliveries o join webhook_subscriptions s on s.tenant_id = o.tenant_id and s.id = o.subscription_id
    where o.tenant_id = ${tenantId} and o.event_id = ${eventId}
      and (o.id = any(${ids as string[]}::uuid[]) or o.id in (select id from newest))
    order by o.updated_at desc`;
}
