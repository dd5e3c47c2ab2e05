import { timeOfId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";

/** A receipt as a shadow run needs it. */
export interface ShadowReceiptRow {
  id: string;
  eventId: string | null;
  eventType: string | null;
  contentType: string | null;
  contentEncoding: string | null;
  bodySize: number;
}

/** An event that was delivered to a subscription; `data` is its JSON text. */
export interface ShadowEventRow {
  id: string;
  type: string;
  occurredAt: Date;
  data: string;
}

/** Receipts of an endpoint that were taken to be processed, newest first. */
export async function listShadowReceipts(
  tx: Transaction,
  tenantId: string,
  endpointId: string,
  limit: number,
): Promise<ShadowReceiptRow[]> {
  return tx<ShadowReceiptRow[]>`
    select id, event_id as "eventId", event_type as "eventType", content_type as "contentType",
      content_encoding as "contentEncoding", body_size as "bodySize"
    from webhook_receipts
    where tenant_id = ${tenantId} and endpoint_id = ${endpointId} and status not in ('FILTERED', 'DUPLICATE')
    order by id desc limit ${limit}`;
}

/** The body of a receipt as it was received; null when it was dropped, or was empty. */
export async function getShadowBody(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<Uint8Array | null> {
  const [row] = await tx<{ body: Uint8Array | null }[]>`
    select case when r.large_body_id is null then r.body
      else (select string_agg(l.bytes, ''::bytea order by l.part) from large_bodies l
        where l.tenant_id = r.tenant_id and l.receipt_id = r.large_body_id) end as body
    from webhook_receipts r
    where r.tenant_id = ${tenantId} and r.id = ${id} and r.created_at = to_timestamp(${timeOfId(id)}::float8 / 1000)`;
  return row?.body ?? null;
}

/** Events of a subscription's latest deliveries, newest first, each once. */
export async function listShadowEvents(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
  limit: number,
): Promise<ShadowEventRow[]> {
  return tx<ShadowEventRow[]>`
    select e.id, e.type, e.occurred_at as "occurredAt", convert_from(e.payload, 'UTF8') as data
    from (
      select distinct recent.event_id, recent.event_created_at from (
        select event_id, event_created_at from webhook_deliveries
        where tenant_id = ${tenantId} and subscription_id = ${subscriptionId} and event_created_at is not null
        order by id desc limit ${limit * 4}
      ) recent
    ) d
    join events e on e.tenant_id = ${tenantId} and e.id = d.event_id and e.created_at = d.event_created_at
    order by e.created_at desc, e.id desc limit ${limit}`;
}

/** The template that an endpoint or a subscription of the tenant names; undefined when there is no such user. */
export async function findUserTemplate(
  tx: Transaction,
  tenantId: string,
  user: { endpointId: string } | { subscriptionId: string },
): Promise<{ template: unknown } | undefined> {
  const [row] =
    "endpointId" in user
      ? await tx<{ template: unknown }[]>`
          select transform_template as template from webhook_endpoints
          where tenant_id = ${tenantId} and id = ${user.endpointId} and deleted_at is null`
      : await tx<{ template: unknown }[]>`
          select transform_template as template from webhook_subscriptions
          where tenant_id = ${tenantId} and id = ${user.subscriptionId} and deleted_at is null`;
  return row;
}
