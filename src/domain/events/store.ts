import type { Sql } from "../../platform/postgres/client.ts";
import { insertNew } from "../../platform/postgres/insert-new.ts";
import { joinTexts } from "../../platform/postgres/joined-text.ts";
import { plainArrayText, quotedArrayText } from "../../platform/postgres/array-text.ts";
import type { Transaction } from "../context.ts";
import type { EventMessage } from "./topics.ts";

/** Names one event row; the time finds its day partition. */
export interface EventRef {
  tenantId: string;
  id: string;
  /** `acceptedAt` of the message, milliseconds since the epoch. */
  createdAtMs: number;
}

/** What a delivery needs of a stored event. */
export interface StoredEvent {
  id: string;
  tenantId: string;
  type: string;
  source: "API" | "HUB";
  externalId: string | null;
  orderingKey: string | null;
  correlationId: string | null;
  traceparent: string | null;
  occurredAt: Date;
  createdAt: Date;
  /** JSON text. */
  data: string;
}

/**
 * Inserts events in one statement. A row that is there already (the same tenant, id and time of acceptance) stays, so a
 * repeated batch changes nothing. Large data moves from `large_bodies` into the row, by a second statement.
 *
 * @param sql role hub_system; a transaction where there is large data
 * @param events as decoded from their entries; `matched`: subscriptions that they were given to
 */
export async function insertEvents(
  sql: Sql | Transaction,
  events: readonly { message: EventMessage; data: string | undefined; matched?: number }[],
): Promise<void> {
  if (events.length === 0) return;
  const messages = events.map(({ message }) => message);
  const times = (pick: (message: EventMessage) => number): string =>
    quotedArrayText(messages.map((message) => new Date(pick(message)).toISOString()));
  const texts = (pick: (message: EventMessage) => string | undefined): string =>
    quotedArrayText(messages.map((message) => pick(message) ?? null));
  const payloads = joinTexts(events.map(({ data }) => data));
  await insertNew(
    sql,
    (onConflict) => sql`
    insert into events (id, tenant_id, type, source, external_id, ordering_key, schema_version, payload, payload_size,
                        correlation_id, traceparent, occurred_at, created_at, matched)
    select e.id, e.tenant_id, e.type, e.source, e.external_id, e.ordering_key, e.schema_version,
      coalesce(substring((select convert_to(${payloads.text}::text, 'UTF8')) from e.payload_from for e.payload_bytes),
               (select string_agg(b.bytes, ''::bytea order by b.part) from large_bodies b
                where b.receipt_id = e.large_id and b.tenant_id = e.tenant_id)),
      e.payload_size, e.correlation_id, e.traceparent, e.occurred_at, e.created_at, e.matched
    from unnest(
      ${plainArrayText(messages.map(({ id }) => id))}::text::uuid[],
      ${plainArrayText(messages.map(({ tenantId }) => tenantId))}::text::uuid[],
      ${texts(({ type }) => type)}::text::text[],
      ${texts(({ source }) => source)}::text::text[],
      ${texts(({ externalId }) => externalId)}::text::text[],
      ${texts(({ orderingKey }) => orderingKey)}::text::text[],
      ${plainArrayText(messages.map(({ schemaVersion }) => schemaVersion ?? null))}::text::integer[],
      ${plainArrayText(payloads.starts)}::text::integer[],
      ${plainArrayText(payloads.sizes)}::text::integer[],
      ${plainArrayText(messages.map(({ largeBodyId }) => largeBodyId ?? null))}::text::uuid[],
      ${plainArrayText(messages.map(({ bodySize }) => bodySize))}::text::integer[],
      ${texts(({ correlationId }) => correlationId)}::text::text[],
      ${texts(({ traceparent }) => traceparent)}::text::text[],
      ${times(({ occurredAt }) => occurredAt)}::text::timestamptz[],
      ${times(({ acceptedAt }) => acceptedAt)}::text::timestamptz[],
      ${plainArrayText(events.map(({ matched }) => matched ?? null))}::text::integer[]
    ) as e(id, tenant_id, type, source, external_id, ordering_key, schema_version, payload_from, payload_bytes, large_id,
           payload_size, correlation_id, traceparent, occurred_at, created_at, matched)
    ${onConflict}`,
  );
  const largeIds = messages.flatMap(({ largeBodyId }) => largeBodyId ?? []);
  if (largeIds.length > 0) {
    await sql`delete from large_bodies where receipt_id = any(${plainArrayText(largeIds)}::text::uuid[])`;
  }
}

/** Key of `loadEventBodies`' answer. */
export function eventRefKey(event: { tenantId: string; id: string }): string {
  return `${event.tenantId}/${event.id}`;
}

/**
 * Reads events with their data in one statement, for deliveries.
 *
 * @param sql role hub_system
 * @returns by `eventRefKey`; those that retention removed are missing
 */
export async function loadEventBodies(
  sql: Sql | Transaction,
  refs: readonly EventRef[],
): Promise<Map<string, StoredEvent>> {
  if (refs.length === 0) return new Map();
  const rows = await sql<StoredEvent[]>`
    select e.id, e.tenant_id as "tenantId", e.type, e.source, e.external_id as "externalId",
      e.ordering_key as "orderingKey", e.correlation_id as "correlationId", e.traceparent,
      e.occurred_at as "occurredAt", e.created_at as "createdAt", convert_from(e.payload, 'UTF8') as data
    from unnest(
      ${plainArrayText(refs.map(({ tenantId }) => tenantId))}::text::uuid[],
      ${plainArrayText(refs.map(({ id }) => id))}::text::uuid[],
      ${quotedArrayText(refs.map(({ createdAtMs }) => new Date(createdAtMs).toISOString()))}::text::timestamptz[]
    ) as r(tenant_id, id, created_at)
    join events e on e.tenant_id = r.tenant_id and e.id = r.id and e.created_at = r.created_at`;
  return new Map(rows.map((row) => [eventRefKey(row), row]));
}
