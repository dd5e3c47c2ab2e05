import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import { newId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import type { EventMessage } from "../events/topics.ts";

/** Large data that its event refers to; undefined when it lies in the event's row already, or is lost. */
export async function loadLargeData(sql: Sql, message: EventMessage): Promise<string | undefined> {
  const [row] = await sql<{ data: string | null }[]>`
    select coalesce(
      (select convert_from(string_agg(bytes, ''::bytea order by part), 'UTF8') from large_bodies
       where receipt_id = ${message.largeBodyId ?? null} and tenant_id = ${message.tenantId}),
      (select convert_from(payload, 'UTF8') from events
       where tenant_id = ${message.tenantId} and id = ${message.id} and created_at = ${new Date(message.acceptedAt)})
    ) as data`;
  return row?.data ?? undefined;
}

/** How far the fan-out of an event has come: subscriptions given it, and the last one, or null when it is complete. */
export interface FanOutProgress {
  tenantId: string;
  id: string;
  createdAtMs: number;
  matched: number;
  cursor: string | null;
}

/** Notes the progress of fan-outs; the events' rows are there. */
export async function noteProgress(
  sql: Sql | Transaction,
  progress: readonly FanOutProgress[],
): Promise<void> {
  if (progress.length === 0) return;
  await sql`
    update events e set matched = given.matched, fan_out_cursor = given.cursor
    from unnest(
      ${plainArrayText(progress.map(({ tenantId }) => tenantId))}::text::uuid[],
      ${plainArrayText(progress.map(({ id }) => id))}::text::uuid[],
      ${plainArrayText(progress.map(({ createdAtMs }) => createdAtMs))}::text::float8[],
      ${plainArrayText(progress.map(({ matched }) => matched))}::text::int[],
      ${plainArrayText(progress.map(({ cursor }) => cursor))}::text::uuid[]
    ) as given(tenant_id, id, created_ms, matched, cursor)
    where e.tenant_id = given.tenant_id and e.id = given.id
      and e.created_at = to_timestamp(given.created_ms / 1000.0)`;
}

/** Where the fan-out of an event stopped; undefined when it was not begun in chunks. */
export async function loadProgress(
  sql: Sql,
  message: EventMessage,
): Promise<{ matched: number; cursor: string } | undefined> {
  const [row] = await sql<{ matched: number; cursor: string }[]>`
    select matched, fan_out_cursor as cursor from events
    where tenant_id = ${message.tenantId} and id = ${message.id} and created_at = ${new Date(message.acceptedAt)}
      and fan_out_cursor is not null`;
  return row;
}

/** An event that cannot be stored or read, where a person sees it. */
export async function insertDeadEvent(
  sql: Sql,
  event: { message: EventMessage; data: string | undefined; reason: string },
): Promise<void> {
  const { message, data, reason } = event;
  await sql`
    insert into dead_letters (id, tenant_id, topic, event_id, event_type, reason_code, message, content_type, body)
    values (${newId()}, ${message.tenantId}, 'events', ${message.id}, ${message.type}, 'event_unstorable', ${reason},
      'application/json', ${data === undefined ? null : Buffer.from(data)})`;
}
