import { plainArrayText } from "../../platform/postgres/array-text.ts";
import { storableJson } from "../../platform/json/parse-json.ts";
import type { Sql } from "../../platform/postgres/client.ts";

/** Of these tenants, those that are there and active (role hub_system). */
export async function findActiveTenants(sql: Sql, tenantIds: readonly string[]): Promise<Set<string>> {
  const rows = await sql<{ id: string }[]>`
    select id from tenants where id = any(${plainArrayText(tenantIds)}::text::uuid[]) and status = 'ACTIVE'`;
  return new Set(rows.map(({ id }) => id));
}

/** Keeps an entry that is no event where its tenant sees it; a repetition meets the first row. */
export async function insertIntakeDeadLetter(
  sql: Sql,
  letter: {
    id: string;
    tenantId: string;
    eventType: string | null;
    message: string;
    body: string | null;
    /** Place in the stream, and the fields besides the data. */
    fields: Record<string, string>;
    correlationId: string | null;
    createdAt: Date;
  },
): Promise<void> {
  await sql`
    insert into dead_letters (id, tenant_id, topic, event_type, reason_code, message, content_type, body,
                              headers, correlation_id, created_at)
    values (${letter.id}, ${letter.tenantId}, 'events', ${letter.eventType}, 'event_invalid', ${letter.message},
            'application/json', ${letter.body === null ? null : Buffer.from(letter.body)},
            ${storableJson(letter.fields)}::text::jsonb, ${letter.correlationId},
            ${letter.createdAt})
    on conflict (id) do nothing`;
}
