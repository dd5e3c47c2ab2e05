import { createHash } from "node:crypto";
import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import { storableJson } from "../../platform/json/parse-json.ts";
import { storableText } from "../../platform/postgres/storable.ts";
import { floorId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import type { DeadEventFields } from "../events/requeue-dead-event.ts";
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

/**
 * How far the fan-out of an event in chunks has come, with a cursor of null when it is complete; undefined when it was not
 * begun.
 */
export async function loadProgress(
  sql: Sql,
  message: Pick<EventMessage, "tenantId" | "id" | "acceptedAt">,
): Promise<Pick<FanOutProgress, "matched" | "cursor"> | undefined> {
  const [row] = await sql<Pick<FanOutProgress, "matched" | "cursor">[]>`
    select matched, fan_out_cursor as cursor from events
    where tenant_id = ${message.tenantId} and id = ${message.id} and created_at = ${new Date(message.acceptedAt)}
      and matched is not null`;
  return row;
}

/** Why an event ended without deliveries: `event_unreadable` before its row, `event_unstorable` for the row itself. */
export interface DeadEvent {
  message: EventMessage;
  data: string | undefined;
  reasonCode: "event_unreadable" | "event_unstorable";
  reason: string;
}

/** Puts an event where a person sees it, with its data if that is to be found; a repetition meets the first row. */
export async function insertDeadEvent(sql: Sql | Transaction, event: DeadEvent): Promise<void> {
  const { message, data, reasonCode, reason } = event;
  await sql`
    insert into dead_letters (id, tenant_id, topic, event_id, event_type, reason_code, message, content_type, headers,
                              body, correlation_id, created_at)
    values (${deadEventId(message)}, ${message.tenantId}, 'events', ${message.id}, ${message.type}, ${reasonCode},
      ${storableText(reason)}, 'application/json', ${storableJson(fieldsOf(message))}::text::jsonb,
      coalesce(${data === undefined ? null : Buffer.from(data)}::bytea,
        (select string_agg(bytes, ''::bytea order by part) from large_bodies
         where receipt_id = ${message.largeBodyId ?? null} and tenant_id = ${message.tenantId})),
      ${message.correlationId ?? null}, ${new Date(message.acceptedAt)})
    on conflict (id) do nothing`;
}

/** What a replay needs besides id, type and data. */
function fieldsOf(message: EventMessage): Record<keyof DeadEventFields, unknown> {
  const { source, occurredAt, externalId, orderingKey, schemaVersion } = message;
  return { source, occurredAt, externalId, orderingKey, schemaVersion };
}

/** A UUIDv7 of the event's acceptance, the same at every repetition. */
function deadEventId({ tenantId, id, acceptedAt }: EventMessage): string {
  const hash = createHash("sha256").update(`${tenantId}/${id}/${acceptedAt}`).digest("hex");
  return `${floorId(acceptedAt).slice(0, 15)}${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}
