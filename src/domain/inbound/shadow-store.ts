import type { Transaction } from "../context.ts";

/** A receipt as a shadow run needs it. */
export interface ShadowReceiptRow {
  id: string;
  eventId: string | null;
  eventType: string | null;
  contentType: string | null;
  contentEncoding: string | null;
  /** Null: dropped, empty, or larger than asked for. */
  body: Uint8Array | null;
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
  range: { limit: number; bytesMax: number },
): Promise<ShadowReceiptRow[]> {
  return tx<ShadowReceiptRow[]>`
    select r.id, r.event_id as "eventId", r.event_type as "eventType", r.content_type as "contentType",
      r.content_encoding as "contentEncoding",
      case when r.body_size > ${range.bytesMax} then null
        when r.large_body_id is null then r.body
        else (select string_agg(l.bytes, ''::bytea order by l.part) from large_bodies l
          where l.tenant_id = r.tenant_id and l.receipt_id = r.large_body_id) end as body
    from webhook_receipts r
    where r.tenant_id = ${tenantId} and r.endpoint_id = ${endpointId} and r.status not in ('FILTERED', 'DUPLICATE')
    order by r.id desc limit ${range.limit}`;
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
