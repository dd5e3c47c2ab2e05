import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { OpenStatus } from "./open-delivery-store.ts";

/** A row of webhook_deliveries as the lists read it. */
export interface AttemptListRow {
  id: string;
  deliveryId: string;
  subscriptionId: string;
  eventId: string;
  eventType: string;
  eventCreatedAt: Date | null;
  trigger: "EVENT" | "REPLAY" | "TEST";
  replayId: string | null;
  attemptNumber: number;
  status: "DELIVERED" | "RETRYING" | "FAILED";
  requestUrl: string;
  responseStatus: number | null;
  responseTimeMs: number | null;
  errorCode: string | null;
  errorMessage: string | null;
  nextRetryAt: Date | null;
  createdAt: Date;
}

export interface AttemptDetailRow extends AttemptListRow {
  payload: Uint8Array | null;
  requestHeaders: Record<string, unknown> | null;
  requestBody: Uint8Array | null;
  responseHeaders: Record<string, unknown> | null;
  responseBody: Uint8Array | null;
}

const columns = (tx: Transaction) => tx`
  d.id, d.delivery_id as "deliveryId", d.subscription_id as "subscriptionId", d.event_id as "eventId",
  d.event_type as "eventType", d.event_created_at as "eventCreatedAt", d.trigger, d.replay_id as "replayId",
  d.attempt_number as "attemptNumber", d.status, d.request_url as "requestUrl", d.response_status as "responseStatus",
  d.response_time_ms as "responseTimeMs", d.error_code as "errorCode", d.error_message as "errorMessage",
  d.next_retry_at as "nextRetryAt", d.created_at as "createdAt"`;

export interface AttemptFilter {
  status?: string | undefined;
  /** A type, or a beginning before `*`. */
  typePattern?: string | undefined;
  eventId?: string | undefined;
  deliveryId?: string | undefined;
  trigger?: string | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
}

/** Condition on the event type of attempts `d`: a type, or a beginning before `*`. */
export const typeIs = (sql: Sql | Transaction, pattern: string | undefined) => {
  if (pattern === undefined || pattern === "*") return sql``;
  return pattern.endsWith("*")
    ? sql`and starts_with(d.event_type, ${pattern.slice(0, -1)})`
    : sql`and d.event_type = ${pattern}`;
};

/** A page of a subscription's attempts, newest first, before the id `beforeId`. */
export async function listAttemptRows(
  tx: Transaction,
  owner: { tenantId: string; subscriptionId: string },
  page: { limit: number; beforeId: string | undefined },
  filter: AttemptFilter,
): Promise<AttemptListRow[]> {
  const { status, typePattern, eventId, deliveryId, trigger, fromMs, toMs } = filter;
  return tx<AttemptListRow[]>`
    select ${columns(tx)} from webhook_deliveries d
    where d.tenant_id = ${owner.tenantId} and d.subscription_id = ${owner.subscriptionId}
      ${page.beforeId === undefined ? tx`` : tx`and d.id < ${page.beforeId}`}
      ${status === undefined ? tx`` : tx`and d.status = ${status}`}
      ${typeIs(tx, typePattern)}
      ${eventId === undefined ? tx`` : tx`and d.event_id = ${eventId}`}
      ${deliveryId === undefined ? tx`` : tx`and d.delivery_id = ${deliveryId}`}
      ${trigger === undefined ? tx`` : tx`and d.trigger = ${trigger}`}
      ${fromMs === undefined ? tx`` : tx`and d.created_at >= ${new Date(fromMs)}`}
      ${toMs === undefined ? tx`` : tx`and d.created_at < ${new Date(toMs)}`}
    order by d.id desc limit ${page.limit}`;
}

/** Attempts of one delivery, oldest first, at most 100. */
export async function listDeliveryAttempts(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
  deliveryId: string,
): Promise<AttemptDetailRow[]> {
  return tx<AttemptDetailRow[]>`
    select ${columns(tx)}, d.payload, d.request_headers as "requestHeaders", d.request_body as "requestBody",
      d.response_headers as "responseHeaders", d.response_body as "responseBody"
    from webhook_deliveries d
    where d.tenant_id = ${tenantId} and d.subscription_id = ${subscriptionId} and d.delivery_id = ${deliveryId}
    order by d.id limit 100`;
}

/** Where a delivery stands that has not ended; CANCELLED: its subscription was deleted, and its queue ends it in time. */
export interface OpenDeliveryRow {
  id: string;
  eventId: string;
  eventType: string;
  eventCreatedAt: Date;
  replayId: string | null;
  status: OpenStatus | "CANCELLED";
  nextRetryAt: Date | null;
}

export async function getOpenDelivery(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
  deliveryId: string,
): Promise<OpenDeliveryRow | undefined> {
  const [row] = await tx<OpenDeliveryRow[]>`
    select o.id, o.event_id as "eventId", o.event_type as "eventType", o.event_created_at as "eventCreatedAt",
      o.replay_id as "replayId", case when s.deleted_at is null then o.status else 'CANCELLED' end as status,
      case when s.deleted_at is null then o.next_retry_at end as "nextRetryAt"
    from open_deliveries o join webhook_subscriptions s on s.tenant_id = o.tenant_id and s.id = o.subscription_id
    where o.tenant_id = ${tenantId} and o.subscription_id = ${subscriptionId} and o.id = ${deliveryId}`;
  return row;
}

/** Whether a template makes the bodies of a subscription, also of a deleted one. */
export async function hasTemplate(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
): Promise<boolean> {
  const rows = await tx`
    select from webhook_subscriptions
    where tenant_id = ${tenantId} and id = ${subscriptionId} and transform_template is not null`;
  return rows.length === 1;
}

/** An event's payload parts for showing what a delivery sends. */
export async function getEventPayload(
  tx: Transaction,
  tenantId: string,
  eventId: string,
  createdAt: Date,
): Promise<{ type: string; occurredAt: Date; data: string } | undefined> {
  const [row] = await tx<{ type: string; occurredAt: Date; data: string }[]>`
    select type, occurred_at as "occurredAt", convert_from(payload, 'UTF8') as data from events
    where tenant_id = ${tenantId} and id = ${eventId} and created_at = ${createdAt}`;
  return row;
}

/** Attempts that percentiles look at. */
const SAMPLE_MAX = 1000;

/** Percentiles of the latest answers, and what is open by status. */
export async function readStatistics(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
): Promise<{
  p50: number | null;
  p95: number | null;
  attempts: number;
  open: Record<string, number>;
  nextRetryAt: Date | null;
}> {
  const [times] = await tx<{ p50: number | null; p95: number | null; attempts: number }[]>`
    select percentile_cont(0.5) within group (order by response_time_ms) as p50,
      percentile_cont(0.95) within group (order by response_time_ms) as p95, count(*)::int as attempts
    from (
      select response_time_ms from webhook_deliveries
      where tenant_id = ${tenantId} and subscription_id = ${subscriptionId} and trigger <> 'TEST'
        and response_time_ms is not null
      order by id desc limit ${SAMPLE_MAX}
    ) as latest`;
  const rows = await tx<{ status: string; count: number; nextRetryAt: Date | null }[]>`
    select status, count(*)::float8 as count, min(next_retry_at) as "nextRetryAt" from open_deliveries
    where tenant_id = ${tenantId} and subscription_id = ${subscriptionId} group by status`;
  return {
    ...times!,
    open: Object.fromEntries(rows.map(({ status, count }) => [status, count])),
    nextRetryAt: rows.find(({ status }) => status === "RETRYING")?.nextRetryAt ?? null,
  };
}

/** What a replay has to know of the subscription that it sends to. */
export interface ReplayTarget {
  /** The order of each key is kept. */
  isOrdered: boolean;
  /** False while it is paused or disabled. */
  isActive: boolean;
}

/** @returns undefined when the subscription was deleted */
export async function getReplayTarget(sql: Sql, subscriptionId: string): Promise<ReplayTarget | undefined> {
  const [row] = await sql<ReplayTarget[]>`
    select ordering_mode = 'KEY' as "isOrdered", status = 'ACTIVE' as "isActive" from webhook_subscriptions
    where id = ${subscriptionId} and deleted_at is null`;
  return row;
}
