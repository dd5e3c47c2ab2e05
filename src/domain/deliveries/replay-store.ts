import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import { typeIs } from "./delivery-store.ts";
import type { ReplayFilter } from "./replay-schema.ts";

/** A row of replay_jobs. */
export interface ReplayRow {
  id: string;
  tenantId: string;
  subscriptionId: string;
  deliveryId: string | null;
  filter: ReplayFilter | null;
  ratePerSecond: number | null;
  status: "PENDING" | "RUNNING" | "COMPLETED" | "FAILED" | "CANCELLED";
  matched: number;
  replayed: number;
  delivered: number;
  failed: number;
  cursorId: string | null;
  untilId: string | null;
  errorMessage: string | null;
  startedAt: Date | null;
  completedAt: Date | null;
  createdAt: Date;
}

const columns = (sql: Sql | Transaction) => sql`
  id, tenant_id as "tenantId", subscription_id as "subscriptionId", delivery_id as "deliveryId", filter,
  rate_per_second as "ratePerSecond", status, matched::float8 as matched, replayed::float8 as replayed,
  delivered::float8 as delivered, failed::float8 as failed, cursor_id as "cursorId", until_id as "untilId",
  error_message as "errorMessage", started_at as "startedAt", completed_at as "completedAt", created_at as "createdAt"`;

/** Which attempts a replay starts from; times in milliseconds since the epoch, `toMs` not included. */
export interface ReplayRange {
  status: "FAILED" | "DELIVERED";
  /** A type, or a beginning before `*`. */
  typePattern: string | undefined;
  fromMs: number | undefined;
  toMs: number | undefined;
}

/**
 * The last attempt of each delivery of an event (not of replays or tests) in the range. What failed and was delivered by
 * a replay since is left out: looked up for each row of a page (`offset` keeps the planner from making a join of it), or
 * joined as a whole to count.
 */
const selection = (
  sql: Sql | Transaction,
  { tenantId, subscriptionId }: Pick<ReplayRow, "tenantId" | "subscriptionId">,
  range: ReplayRange,
  how: "page" | "count",
) => sql`
  d.tenant_id = ${tenantId} and d.subscription_id = ${subscriptionId} and d.trigger = 'EVENT'
    and d.status = ${range.status}
    ${typeIs(sql, range.typePattern)}
    ${range.fromMs === undefined ? sql`` : sql`and d.created_at >= ${new Date(range.fromMs)}`}
    ${range.toMs === undefined ? sql`` : sql`and d.created_at < ${new Date(range.toMs)}`}
    ${
      range.status === "DELIVERED"
        ? sql``
        : sql`and not exists (
            select from webhook_deliveries later
            where later.event_id = d.event_id and later.subscription_id = d.subscription_id
              and later.created_at >= d.created_at and later.status = 'DELIVERED' ${how === "page" ? sql`offset 0` : sql``})`
    }`;

/** How many deliveries the range holds, and the newest of their attempts. */
export async function countReplayable(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
  range: ReplayRange,
): Promise<{ matched: number; untilId: string | null }> {
  const owner = { tenantId, subscriptionId };
  // The whole is counted: joined by hash it costs in proportion to its rows, whatever the planner believes of them.
  await tx`select set_config('enable_nestloop', 'off', true)`;
  const [row] = await tx<{ matched: number; untilId: string | null }[]>`
    select count(*)::float8 as matched, max(d.id::text)::uuid as "untilId"
    from webhook_deliveries d where ${selection(tx, owner, range, "count")}`;
  await tx`select set_config('enable_nestloop', 'on', true)`;
  return row!;
}

/** A delivery that is to be sent again. */
export interface ReplayableRow {
  /** Of its last attempt. */
  id: string;
  eventId: string;
  eventCreatedAt: Date;
  eventType: string;
  orderingKey: string | null;
}

/** A page of the deliveries of a replay, oldest first, after the cursor and up to the newest that was counted. */
export async function listReplayable(
  sql: Sql,
  job: Pick<ReplayRow, "tenantId" | "subscriptionId" | "cursorId" | "untilId">,
  range: ReplayRange,
  limit: number,
): Promise<ReplayableRow[]> {
  return sql<ReplayableRow[]>`
    select d.id, d.event_id as "eventId", d.event_created_at as "eventCreatedAt", d.event_type as "eventType",
      e.ordering_key as "orderingKey"
    from webhook_deliveries d
    left join events e on e.tenant_id = d.tenant_id and e.id = d.event_id and e.created_at = d.event_created_at
    where ${selection(sql, job, range, "page")} and d.event_created_at is not null
      ${job.cursorId === null ? sql`` : sql`and d.id > ${job.cursorId}`}
      ${job.untilId === null ? sql`` : sql`and d.id <= ${job.untilId}`}
    order by d.id limit ${limit}`;
}

/** The last attempt of one delivery of a subscription. */
export async function findDelivery(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
  deliveryId: string,
): Promise<(ReplayableRow & { trigger: string; status: string }) | undefined> {
  const [row] = await tx<(ReplayableRow & { trigger: string; status: string })[]>`
    select d.id, d.event_id as "eventId", d.event_created_at as "eventCreatedAt", d.event_type as "eventType",
      e.ordering_key as "orderingKey", d.trigger, d.status
    from webhook_deliveries d
    left join events e on e.tenant_id = d.tenant_id and e.id = d.event_id and e.created_at = d.event_created_at
    where d.tenant_id = ${tenantId} and d.subscription_id = ${subscriptionId} and d.delivery_id = ${deliveryId}
    order by d.id desc limit 1`;
  return row;
}

/** Inserts a job that waits for its first run. */
export async function insertReplay(
  tx: Transaction,
  job: Pick<
    ReplayRow,
    "id" | "tenantId" | "subscriptionId" | "deliveryId" | "filter" | "ratePerSecond" | "matched" | "untilId"
  > & { createdBy: string },
): Promise<void> {
  await tx`
    insert into replay_jobs (id, tenant_id, subscription_id, delivery_id, filter, rate_per_second, matched, until_id,
                             created_by)
    values (${job.id}, ${job.tenantId}, ${job.subscriptionId}, ${job.deliveryId},
      ${job.filter === null ? null : tx.json(job.filter)}, ${job.ratePerSecond}, ${job.matched}, ${job.untilId},
      ${job.createdBy})`;
}

export async function getReplayRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<ReplayRow | undefined> {
  const [row] = await tx<ReplayRow[]>`
    select ${columns(tx)} from replay_jobs where tenant_id = ${tenantId} and id = ${id}`;
  return row;
}

/** Ends a job that is under way, or whose deliveries are. @returns false when all of it had ended already */
export async function cancelReplayRow(tx: Transaction, tenantId: string, id: string): Promise<boolean> {
  const rows = await tx`
    update replay_jobs set status = 'CANCELLED', completed_at = now(), updated_at = now()
    where tenant_id = ${tenantId} and id = ${id}
      and (status in ('PENDING', 'RUNNING') or status = 'COMPLETED' and delivered + failed < replayed)
    returning id`;
  return rows.length === 1;
}

/** Ends a job whose subscription was deleted (role hub_system). */
export async function endOrphanedReplay(sql: Sql, id: string): Promise<void> {
  await sql`
    update replay_jobs set status = 'CANCELLED', error_message = 'The subscription was deleted', completed_at = now(),
      updated_at = now()
    where id = ${id} and status in ('PENDING', 'RUNNING')`;
}

/**
 * Jobs that are to be worked on, tenants in turn by the number of their jobs that run, and of one tenant that first which
 * waited longest (role hub_system).
 *
 * @param running ids of those that are worked on already, which are left out
 */
export async function listOpenReplays(
  sql: Sql,
  running: readonly string[],
  limit: number,
): Promise<ReplayRow[]> {
  return sql<ReplayRow[]>`
    with open_jobs as (
      select *, id = any(${plainArrayText(running)}::text::uuid[]) as is_running
      from replay_jobs where status in ('PENDING', 'RUNNING')
    ), turns as (
      select *, row_number() over (partition by tenant_id order by is_running desc, updated_at, id) as turn from open_jobs
    )
    select ${columns(sql)} from turns where not is_running order by turn, updated_at, id limit ${limit}`;
}

/** Notes progress of a job that was not cancelled meanwhile. @returns false when it was */
export async function advanceReplay(
  tx: Transaction | Sql,
  id: string,
  step: { replayed: number; cursorId: string | null; isComplete: boolean },
): Promise<boolean> {
  const rows = await tx`
    update replay_jobs set
      status = ${step.isComplete ? "COMPLETED" : "RUNNING"}, replayed = replayed + ${step.replayed},
      cursor_id = coalesce(${step.cursorId}::uuid, cursor_id), started_at = coalesce(started_at, now()),
      completed_at = case when ${step.isComplete} then now() end, updated_at = now()
    where id = ${id} and status in ('PENDING', 'RUNNING') returning id`;
  return rows.length === 1;
}
