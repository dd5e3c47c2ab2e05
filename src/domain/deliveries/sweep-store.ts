import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";

/** An open delivery as the sweeper and the rebuild read it (role hub_system, all tenants). */
export interface OpenRow {
  id: string;
  tenantId: string;
  subscriptionId: string;
  eventId: string;
  eventCreatedAt: Date;
  orderingKey: string | null;
  replayId: string | null;
  status: "RETRYING" | "HELD" | "PARKED" | "WAITING";
  nextRetryAt: Date | null;
  updatedAt: Date;
  /** The subscription keeps the order of each key. */
  isOrdered: boolean;
}

const columns = (sql: Sql) => sql`
  o.id, o.tenant_id as "tenantId", o.subscription_id as "subscriptionId", o.event_id as "eventId",
  o.event_created_at as "eventCreatedAt", o.ordering_key as "orderingKey", o.replay_id as "replayId", o.status,
  o.next_retry_at as "nextRetryAt", o.updated_at as "updatedAt", coalesce(s.ordering_mode = 'KEY', false) as "isOrdered"`;

/**
 * A page of what should have been sent before `overdue` and was not, after the id given; also what is HELD although its
 * subscription is active.
 */
export async function listOverdueDeliveries(
  sql: Sql,
  overdue: Date,
  afterId: string,
  limit: number,
): Promise<OpenRow[]> {
  return sql<OpenRow[]>`
    select ${columns(sql)} from open_deliveries o join webhook_subscriptions s on s.id = o.subscription_id
    where o.id > ${afterId} and (o.status in ('RETRYING', 'WAITING') or o.status = 'HELD' and s.status = 'ACTIVE')
      and coalesce(o.next_retry_at, o.updated_at) < ${overdue}
    order by o.id limit ${limit}`;
}

/** Those of the rows that stand as they were read. */
export async function keepUnchangedDeliveries(sql: Sql, rows: readonly OpenRow[]): Promise<OpenRow[]> {
  if (rows.length === 0) return [];
  const current = await sql<{ id: string; updatedAt: Date }[]>`
    select id, updated_at as "updatedAt" from open_deliveries
    where id = any(${plainArrayText(rows.map(({ id }) => id))}::text::uuid[])`;
  const byId = new Map(current.map(({ id, updatedAt }) => [id, updatedAt.getTime()]));
  return rows.filter(({ id, updatedAt }) => byId.get(id) === updatedAt.getTime());
}

/** Everything that is open, in the order of the events, in pages. */
export function walkOpenDeliveries(sql: Sql, pageSize: number): AsyncIterable<OpenRow[]> {
  return sql<OpenRow[]>`
    select ${columns(sql)} from open_deliveries o join webhook_subscriptions s on s.id = o.subscription_id
    order by o.event_created_at, o.event_id`.cursor(pageSize);
}

/** When the oldest event was accepted that is still there. */
export async function oldestEventTime(sql: Sql): Promise<Date | undefined> {
  const [row] = await sql<{ oldest: Date | null }[]>`select min(created_at) as oldest from events`;
  return row?.oldest ?? undefined;
}

/** An event with its data, as fan-out needs it. */
export interface StoredEventRow {
  id: string;
  tenantId: string;
  type: string;
  orderingKey: string | null;
  createdAt: Date;
  data: string;
}

/** Events that were accepted from `from` to before `to`, in that order, in pages. */
export function walkEvents(
  sql: Sql,
  from: Date,
  to: Date,
  pageSize: number,
): AsyncIterable<StoredEventRow[]> {
  return sql<StoredEventRow[]>`
    select id, tenant_id as "tenantId", type, ordering_key as "orderingKey", created_at as "createdAt",
      convert_from(payload, 'UTF8') as data
    from events where created_at >= ${from} and created_at < ${to} order by created_at, id`.cursor(pageSize);
}
