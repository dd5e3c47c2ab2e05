import { plainArrayText, quotedArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import { storableText } from "../../platform/postgres/storable.ts";
import type { Transaction } from "../context.ts";

export type OpenStatus = "RETRYING" | "HELD" | "PARKED" | "WAITING";

/** A delivery that has not ended and that Postgres has to know of. */
export interface OpenDelivery {
  id: string;
  tenantId: string;
  subscriptionId: string;
  eventId: string;
  eventCreatedAtMs: number;
  eventType: string;
  orderingKey: string | null;
  replayId: string | null;
  attemptCount: number;
  status: OpenStatus;
  nextRetryAtMs: number | null;
  errorCode: string | null;
  errorMessage: string | null;
}

/**
 * Writes open deliveries in their present state, over what stood there. What is only HELD, PARKED or WAITING leaves the
 * counts and times of a row that is there.
 */
export async function writeOpenDeliveries(
  tx: Transaction | Sql,
  given: readonly OpenDelivery[],
): Promise<void> {
  if (given.length === 0) return;
  // One statement may not touch a row twice.
  const rows = [...new Map(given.map((row) => [row.id, row])).values()];
  const plain = (pick: (row: OpenDelivery) => string | number | null): string =>
    plainArrayText(rows.map(pick));
  const quoted = (pick: (row: OpenDelivery) => string | null): string =>
    quotedArrayText(
      rows.map((row) => {
        const value = pick(row);
        return value === null ? null : storableText(value);
      }),
    );
  await tx`
    insert into open_deliveries as o (
      id, tenant_id, subscription_id, event_id, event_created_at, event_type, ordering_key, replay_id, attempt_count,
      status, next_retry_at, error_code, error_message, created_at)
    select id, tenant_id, subscription_id, event_id, to_timestamp(event_ms / 1000.0), event_type, ordering_key,
      replay_id, attempt_count, status, to_timestamp(due_ms / 1000.0), error_code, error_message, now()
    from unnest(
      ${plain(({ id }) => id)}::text::uuid[],
      ${plain(({ tenantId }) => tenantId)}::text::uuid[],
      ${plain(({ subscriptionId }) => subscriptionId)}::text::uuid[],
      ${plain(({ eventId }) => eventId)}::text::uuid[],
      ${plain(({ eventCreatedAtMs }) => eventCreatedAtMs)}::text::float8[],
      ${quoted(({ eventType }) => eventType)}::text::text[],
      ${quoted(({ orderingKey }) => orderingKey)}::text::text[],
      ${plain(({ replayId }) => replayId)}::text::uuid[],
      ${plain(({ attemptCount }) => attemptCount)}::text::int[],
      ${plain(({ status }) => status)}::text::text[],
      ${plain(({ nextRetryAtMs }) => nextRetryAtMs)}::text::float8[],
      ${quoted(({ errorCode }) => errorCode)}::text::text[],
      ${quoted(({ errorMessage }) => errorMessage)}::text::text[]
    ) as given(
      id, tenant_id, subscription_id, event_id, event_ms, event_type, ordering_key, replay_id, attempt_count, status,
      due_ms, error_code, error_message)
    on conflict (id) do update set
      status = excluded.status, updated_at = now(),
      attempt_count = greatest(o.attempt_count, excluded.attempt_count),
      next_retry_at = case when excluded.status = 'RETRYING' then excluded.next_retry_at else o.next_retry_at end,
      error_code = coalesce(excluded.error_code, o.error_code),
      error_message = coalesce(excluded.error_message, o.error_message)`;
}

/** Removes the rows of deliveries that ended. */
export async function deleteOpenDeliveries(tx: Transaction, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx`delete from open_deliveries where id = any(${plainArrayText(ids)}::text::uuid[])`;
}

/** What is known of a delivery that comes from its queue. */
export interface OpenState {
  id: string;
  attemptCount: number;
  status: OpenStatus;
  nextRetryAt: Date | null;
  orderingKey: string | null;
  /** True when its replay was cancelled. */
  isCancelled: boolean;
}

/** Open deliveries by id; those without a row were never tried, or ended. */
export async function loadOpenStates(sql: Sql, ids: readonly string[]): Promise<Map<string, OpenState>> {
  if (ids.length === 0) return new Map();
  const rows = await sql<OpenState[]>`
    select o.id, o.attempt_count as "attemptCount", o.status, o.next_retry_at as "nextRetryAt",
      o.ordering_key as "orderingKey", coalesce(r.status = 'CANCELLED', false) as "isCancelled"
    from open_deliveries o left join replay_jobs r on r.id = o.replay_id
    where o.id = any(${plainArrayText(ids)}::text::uuid[])`;
  return new Map(rows.map((row) => [row.id, row]));
}

/** Event and subscription of a delivery whose attempts are asked for. */
export interface AttemptedName {
  eventId: string;
  subscriptionId: string;
}

/** What the last attempt of each delivery came to, for those of the names that were attempted. */
export async function loadLastAttempts(
  sql: Sql,
  names: readonly AttemptedName[],
  sinceMs: number,
): Promise<Map<string, "DELIVERED" | "RETRYING" | "FAILED">> {
  if (names.length === 0) return new Map();
  const rows = await sql<{ id: string; status: "DELIVERED" | "RETRYING" | "FAILED" }[]>`
    select distinct on (d.delivery_id) d.delivery_id as id, d.status
    from unnest(
      ${plainArrayText(names.map(({ eventId }) => eventId))}::text::uuid[],
      ${plainArrayText(names.map(({ subscriptionId }) => subscriptionId))}::text::uuid[]
    ) as n(event_id, subscription_id)
    join webhook_deliveries d on d.event_id = n.event_id and d.subscription_id = n.subscription_id
    where d.created_at >= ${new Date(sinceMs)} and d.trigger <> 'TEST' and d.delivery_id is not null
    order by d.delivery_id, d.attempt_number desc`;
  return new Map(rows.map(({ id, status }) => [id, status]));
}

/** A delivery in a queue, by the names that the queue has for it. */
export interface QueueRow {
  id: string;
  subscriptionId: string;
  tenantId: string;
  eventId: string;
  eventCreatedAtMs: number;
  replayId: string | null;
}

/** Makes what waits in a queue visible with the status given; its event's row says the rest. */
export async function showWaiting(
  sql: Sql,
  rows: readonly QueueRow[],
  status: "HELD" | "PARKED",
): Promise<void> {
  if (rows.length === 0) return;
  await sql`
    insert into open_deliveries as o (
      id, tenant_id, subscription_id, event_id, event_created_at, event_type, ordering_key, replay_id, status, created_at)
    select n.id, e.tenant_id, n.subscription_id, e.id, e.created_at, e.type, e.ordering_key, n.replay_id, ${status}, now()
    from unnest(
      ${plainArrayText(rows.map(({ id }) => id))}::text::uuid[],
      ${plainArrayText(rows.map(({ subscriptionId }) => subscriptionId))}::text::uuid[],
      ${plainArrayText(rows.map(({ tenantId }) => tenantId))}::text::uuid[],
      ${plainArrayText(rows.map(({ eventId }) => eventId))}::text::uuid[],
      ${plainArrayText(rows.map(({ eventCreatedAtMs }) => eventCreatedAtMs))}::text::float8[],
      ${plainArrayText(rows.map(({ replayId }) => replayId))}::text::uuid[]
    ) as n(id, subscription_id, tenant_id, event_id, event_ms, replay_id)
    join events e on e.tenant_id = n.tenant_id and e.id = n.event_id
      and e.created_at = to_timestamp(n.event_ms / 1000.0)
    on conflict (id) do update set status = excluded.status, updated_at = now()`;
}

/** What was HELD for a subscription waits for its time again. */
export async function releaseOpen(sql: Sql, subscriptionIds: readonly string[]): Promise<void> {
  await sql`
    update open_deliveries
    set status = case when attempt_count > 0 then 'RETRYING' else 'WAITING' end, updated_at = now()
    where subscription_id = any(${plainArrayText(subscriptionIds)}::text::uuid[]) and status = 'HELD'`;
}

/** The tenant of a subscription, also of a deleted one, whose waiting deliveries have to end. */
export async function tenantOfSubscription(sql: Sql, subscriptionId: string): Promise<string | undefined> {
  const [row] = await sql<{ tenantId: string }[]>`
    select tenant_id as "tenantId" from webhook_subscriptions where id = ${subscriptionId}`;
  return row?.tenantId;
}
