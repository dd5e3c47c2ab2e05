import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { CheckedEvent } from "./check-event.ts";

/** A hub event that waits for the relay. */
export interface OutboxRow {
  id: string;
  tenantId: string;
  eventType: string;
  orderingKey: string | null;
  payload: unknown;
  source: "API" | "HUB";
  externalId: string | null;
  schemaVersion: number | null;
  correlationId: string | null;
  traceparent: string | null;
  occurredAt: Date;
  createdAt: Date;
}

/** The oldest rows of the outbox, tenants of `skipped` apart (role hub_system). */
export async function readOutbox(sql: Sql, limit: number, skipped: readonly string[]): Promise<OutboxRow[]> {
  return sql<OutboxRow[]>`
    select id, tenant_id as "tenantId", event_type as "eventType", ordering_key as "orderingKey", payload, source,
      external_id as "externalId", schema_version as "schemaVersion", correlation_id as "correlationId", traceparent, occurred_at as "occurredAt", created_at as "createdAt"
    from outbox
    ${skipped.length === 0 ? sql`` : sql`where tenant_id <> all(${plainArrayText(skipped)}::text::uuid[])`}
    order by id limit ${limit}`;
}

/** Removes rows whose events are in their streams. */
export async function deleteOutbox(sql: Sql, ids: readonly string[]): Promise<void> {
  await sql`delete from outbox where id = any(${plainArrayText(ids)}::text::uuid[])`;
}

/** Puts an event into the outbox. @returns false when one with its id waits there already */
export async function insertOutboxEvent(
  tx: Transaction,
  tenantId: string,
  queued: { event: CheckedEvent; source: OutboxRow["source"]; correlationId: string | null },
): Promise<boolean> {
  const { event, source, correlationId } = queued;
  const rows = await tx`
    insert into outbox (id, tenant_id, event_type, ordering_key, payload, source, external_id, schema_version,
                        correlation_id, occurred_at)
    values (${event.id}, ${tenantId}, ${event.type}, ${event.orderingKey ?? null}, ${event.data}::text::jsonb, ${source},
            ${event.externalId ?? null}, ${event.schemaVersion ?? null}, ${correlationId},
            ${new Date(event.occurredAt)})
    on conflict (id) do nothing returning id`;
  return rows.length === 1;
}
