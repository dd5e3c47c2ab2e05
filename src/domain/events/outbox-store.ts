import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";

/** A hub event that waits for the relay. */
export interface OutboxRow {
  id: string;
  tenantId: string;
  eventType: string;
  orderingKey: string | null;
  payload: unknown;
  correlationId: string | null;
  traceparent: string | null;
  occurredAt: Date;
  createdAt: Date;
}

/** The oldest rows of the outbox, tenants of `skipped` apart (role hub_system). */
export async function readOutbox(sql: Sql, limit: number, skipped: readonly string[]): Promise<OutboxRow[]> {
  return sql<OutboxRow[]>`
    select id, tenant_id as "tenantId", event_type as "eventType", ordering_key as "orderingKey", payload,
      correlation_id as "correlationId", traceparent, occurred_at as "occurredAt", created_at as "createdAt"
    from outbox
    ${skipped.length === 0 ? sql`` : sql`where tenant_id <> all(${plainArrayText(skipped)}::text::uuid[])`}
    order by id limit ${limit}`;
}

/** Removes rows whose events are in their streams. */
export async function deleteOutbox(sql: Sql, ids: readonly string[]): Promise<void> {
  await sql`delete from outbox where id = any(${plainArrayText(ids)}::text::uuid[])`;
}
