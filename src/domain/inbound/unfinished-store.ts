import type { Sql } from "../../platform/postgres/client.ts";
import { timeOfId } from "../../platform/uuid.ts";
import type { ReceiptName } from "./receipt-store.ts";

/** A receipt that is not final, as the sweeper reads it (role hub_system, all tenants). */
export interface UnfinishedRow extends ReceiptName {
  status: "RETRYING" | "HELD";
  nextRetryAt: Date | null;
}

/** Where the page before ended. */
export type UnfinishedCursor = Pick<UnfinishedRow, "id" | "endpointId">;

const START: UnfinishedCursor = {
  id: "00000000-0000-0000-0000-000000000000",
  endpointId: "00000000-0000-0000-0000-000000000000",
};

/** A page of everything that is not final, in the order of endpoint and id, which is that of the index. */
export async function listUnfinished(
  sql: Sql,
  after: UnfinishedCursor = START,
  limit: number,
): Promise<UnfinishedRow[]> {
  return sql<UnfinishedRow[]>`
    select id, tenant_id as "tenantId", endpoint_id as "endpointId", status, next_retry_at as "nextRetryAt"
    from webhook_receipts
    where status in ('RETRYING', 'HELD') and (endpoint_id, id) > (${after.endpointId}, ${after.id})
    order by endpoint_id, id limit ${limit}`;
}

/** A page of what is RETRYING and was due before `overdue`, in the order of the due time. */
export async function listOverdue(
  sql: Sql,
  overdue: Date,
  after: { id: string; nextRetryAt: Date | null } = { id: START.id, nextRetryAt: new Date(0) },
  limit: number,
): Promise<UnfinishedRow[]> {
  return sql<UnfinishedRow[]>`
    select id, tenant_id as "tenantId", endpoint_id as "endpointId", status, next_retry_at as "nextRetryAt"
    from webhook_receipts
    where status = 'RETRYING' and next_retry_at < ${overdue} and (next_retry_at, id) > (${after.nextRetryAt}, ${after.id})
    order by next_retry_at, id limit ${limit}`;
}

/** Those of the receipts whose state is still the one that was read. */
export async function keepUnchanged(sql: Sql, rows: readonly UnfinishedRow[]): Promise<UnfinishedRow[]> {
  if (rows.length === 0) return [];
  const times = rows.map(({ id }) => timeOfId(id));
  const current = await sql<Pick<UnfinishedRow, "id" | "status" | "nextRetryAt">[]>`
    select id, status, next_retry_at as "nextRetryAt" from webhook_receipts
    where id = any(${rows.map(({ id }) => id)}::text[]::uuid[])
      and created_at between ${new Date(Math.min(...times))} and ${new Date(Math.max(...times))}`;
  const byId = new Map(current.map((row) => [row.id, row]));
  return rows.filter((row) => {
    const now = byId.get(row.id);
    return now?.status === row.status && now.nextRetryAt?.getTime() === row.nextRetryAt?.getTime();
  });
}

/**
 * Endpoints that have unfinished receipts and are not paused, nor their integration; a deleted one counts too, because
 * what was held for it has to end. The recursion reads one index entry for each endpoint and day.
 */
export async function listResumedEndpoints(sql: Sql): Promise<{ id: string }[]> {
  return sql<{ id: string }[]>`
    with recursive waiting as (
      (select endpoint_id from webhook_receipts where status in ('RETRYING', 'HELD') order by endpoint_id limit 1)
      union all
      select (
        select r.endpoint_id from webhook_receipts r
        where r.status in ('RETRYING', 'HELD') and r.endpoint_id > waiting.endpoint_id
        order by r.endpoint_id limit 1)
      from waiting where waiting.endpoint_id is not null
    )
    select endpoint_id as id from waiting
    where endpoint_id is not null and not exists (
      select from webhook_endpoints e left join integrations i on i.id = e.integration_id
      where e.id = waiting.endpoint_id and e.deleted_at is null and (e.status = 'PAUSED' or i.status = 'PAUSED'))`;
}

/** A page of what is held for one endpoint, oldest first, after the id given. */
export async function listHeld(
  sql: Sql,
  endpointId: string,
  afterId: string = START.id,
  limit: number,
): Promise<UnfinishedRow[]> {
  return sql<UnfinishedRow[]>`
    select id, tenant_id as "tenantId", endpoint_id as "endpointId", status, next_retry_at as "nextRetryAt"
    from webhook_receipts
    where endpoint_id = ${endpointId} and status in ('RETRYING', 'HELD') and status = 'HELD' and id > ${afterId}
    order by id limit ${limit}`;
}
