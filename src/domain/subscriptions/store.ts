import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { TransformTemplate } from "../transformations/schema.ts";
import type { AuthType, SubscriptionRateLimit, SubscriptionStatus } from "./schema.ts";
import type { SignatureForm } from "./signature-form.ts";

/** An earlier signing secret that still signs, sealed, until `expiresAt` (RFC 3339). */
export interface PreviousSecret {
  sealed: string;
  expiresAt: string;
}

/** A row of webhook_subscriptions. */
export interface SubscriptionRow {
  id: string;
  tenantId: string;
  name: string;
  description: string | null;
  url: string;
  eventTypes: string[];
  filter: Record<string, unknown> | null;
  authType: AuthType;
  /** Its secret field is sealed. */
  authConfig: Record<string, unknown> | null;
  /** Sealed. */
  secretKey: string | null;
  secretLast4: string | null;
  publicKey: string | null;
  previousSecrets: PreviousSecret[];
  contentType: string;
  headers: Record<string, string>;
  transformTemplate: TransformTemplate | null;
  retryEnabled: boolean;
  maxRetries: number;
  retryIntervals: number[];
  rateLimit: SubscriptionRateLimit | null;
  concurrencyMax: number | null;
  orderingMode: "NONE" | "KEY";
  signatureForm: SignatureForm | null;
  status: SubscriptionStatus;
  disabledReason: string | null;
  totalSent: number;
  totalDelivered: number;
  totalFailed: number;
  consecutiveFailures: number;
  lastTriggeredAt: Date | null;
  lastSuccessAt: Date | null;
  lastFailureAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
  changedAt: Date;
  createdBy: string | null;
}

/** Columns that the verbs write; the rest are counters and times. */
export type SubscriptionValues = Omit<
  SubscriptionRow,
  | "totalSent"
  | "totalDelivered"
  | "totalFailed"
  | "consecutiveFailures"
  | "lastTriggeredAt"
  | "lastSuccessAt"
  | "lastFailureAt"
  | "createdAt"
  | "updatedAt"
  | "changedAt"
>;

const columns = (sql: Sql | Transaction) => sql`
  id, tenant_id as "tenantId", name, description, url, event_types as "eventTypes", filter, auth_type as "authType",
  auth_config as "authConfig", secret_key as "secretKey", secret_last4 as "secretLast4", public_key as "publicKey",
  previous_secrets as "previousSecrets", content_type as "contentType", headers,
  transform_template as "transformTemplate", retry_enabled as "retryEnabled", max_retries as "maxRetries",
  retry_intervals as "retryIntervals", rate_limit as "rateLimit", concurrency_max as "concurrencyMax",
  ordering_mode as "orderingMode", signature_form as "signatureForm", status, disabled_reason as "disabledReason",
  total_sent::float8 as "totalSent", total_delivered::float8 as "totalDelivered",
  total_failed::float8 as "totalFailed", consecutive_failures as "consecutiveFailures",
  last_triggered_at as "lastTriggeredAt", last_success_at as "lastSuccessAt", last_failure_at as "lastFailureAt",
  created_at as "createdAt", updated_at as "updatedAt", changed_at as "changedAt", created_by as "createdBy"`;

/** The tenant's subscription with this id; `lock` holds the row until the transaction ends. */
export async function getSubscriptionRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  lock = false,
): Promise<SubscriptionRow | undefined> {
  const [row] = await tx<SubscriptionRow[]>`
    select ${columns(tx)} from webhook_subscriptions
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null ${lock ? tx`for update` : tx``}`;
  return row;
}

/** Whether a tenant has or had this subscription: the history of a deleted one stays. */
export async function hadSubscription(tx: Transaction, tenantId: string, id: string): Promise<boolean> {
  const rows = await tx`select from webhook_subscriptions where tenant_id = ${tenantId} and id = ${id}`;
  return rows.length === 1;
}

/** The subscriptions with these ids, for the hub's own processes (role hub_system). */
export async function findSubscriptionRows(sql: Sql, ids: readonly string[]): Promise<SubscriptionRow[]> {
  return sql<SubscriptionRow[]>`
    select ${columns(sql)} from webhook_subscriptions
    where id = any(${plainArrayText(ids)}::text::uuid[]) and deleted_at is null`;
}

/** What a subscription list may be narrowed to. */
export interface SubscriptionFilter {
  status?: SubscriptionStatus | undefined;
  /** Those whose patterns take this type. */
  eventType?: string | undefined;
}

/** A page of the tenant's subscriptions, newest first, before the id `beforeId`. */
export async function listSubscriptionRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  filter: SubscriptionFilter,
): Promise<SubscriptionRow[]> {
  return tx<SubscriptionRow[]>`
    select ${columns(tx)} from webhook_subscriptions
    where tenant_id = ${tenantId} and deleted_at is null
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
      ${filter.status === undefined ? tx`` : tx`and status = ${filter.status}`}
      ${
        filter.eventType === undefined
          ? tx``
          : tx`and exists (
              select from jsonb_array_elements_text(event_types) as p(pattern)
              where pattern = ${filter.eventType}
                or (right(pattern, 1) = '*' and starts_with(${filter.eventType}, left(pattern, -1))))`
      }
    order by id desc limit ${page.limit}`;
}

/** Inserts a new subscription. */
export async function insertSubscriptionRow(tx: Transaction, values: SubscriptionValues): Promise<void> {
  await tx`insert into webhook_subscriptions ${tx(databaseRow(tx, values))}`;
}

/** Overwrites the columns given, and marks the row as changed for the caches. */
export async function updateSubscriptionRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  values: Partial<SubscriptionValues>,
): Promise<void> {
  await tx`
    update webhook_subscriptions
    set ${tx(databaseRow(tx, values))}, updated_at = now(), changed_at = clock_timestamp()
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null`;
}

/** Begins to count failures in a row anew: the subscription was enabled again. */
export async function resetFailures(tx: Transaction, tenantId: string, id: string): Promise<void> {
  await tx`
    update webhook_subscriptions set consecutive_failures = 0
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null`;
}

/** Deletes softly: deliveries keep pointing to it. @returns false when there is none */
export async function deleteSubscriptionRow(tx: Transaction, tenantId: string, id: string): Promise<boolean> {
  const rows = await tx`
    update webhook_subscriptions
    set deleted_at = now(), is_enabled = false, updated_at = now(), changed_at = clock_timestamp()
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null returning id`;
  return rows.length === 1;
}

/** What the match index holds of a subscription. */
export interface SubscriptionIndexRow {
  id: string;
  status: SubscriptionStatus;
  orderingMode: "NONE" | "KEY";
  eventTypes: string[];
  filter: Record<string, unknown> | null;
  changedAt: Date;
  isDeleted: boolean;
}

/**
 * A piece of a tenant's subscriptions in the order of their ids, for the match index (role hub_system).
 *
 * @param range.changedAfter only what changed after this time, deleted ones included; left out: all that are there
 */
export async function readSubscriptionIndex(
  sql: Sql,
  tenantId: string,
  range: { afterId: string | undefined; limit: number; changedAfter: Date | undefined },
): Promise<SubscriptionIndexRow[]> {
  return sql<SubscriptionIndexRow[]>`
    select id, status, ordering_mode as "orderingMode", event_types as "eventTypes", filter,
      changed_at as "changedAt", deleted_at is not null as "isDeleted"
    from webhook_subscriptions
    where tenant_id = ${tenantId}
      ${range.afterId === undefined ? sql`` : sql`and id > ${range.afterId}`}
      ${range.changedAfter === undefined ? sql`and deleted_at is null` : sql`and changed_at > ${range.changedAfter}`}
    order by id limit ${range.limit}`;
}

const JSON_COLUMNS = new Set([
  "previousSecrets",
  "eventTypes",
  "filter",
  "authConfig",
  "headers",
  "transformTemplate",
  "retryIntervals",
  "rateLimit",
  "signatureForm",
]);

/** Column names and values; JSON goes through `json()`, because a string parameter would be stored as a JSON string. */
function databaseRow(tx: Transaction, values: Partial<SubscriptionValues>): Record<string, never> {
  const row: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(values)) {
    const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    row[column] = JSON_COLUMNS.has(field) && value !== null ? tx.json(value as never) : value;
  }
  if (values.status !== undefined) row["is_enabled"] = values.status === "ACTIVE";
  return row as Record<string, never>;
}
