import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type {
  EndpointRateLimit,
  EndpointStatus,
  EventIdSource,
  EventTypeSource,
  HandlerType,
} from "./endpoint-schema.ts";

/** An earlier secret that still verifies, sealed, until `expiresAt` (RFC 3339). */
export interface PreviousSecret {
  sealed: string;
  expiresAt: string;
}

/** A row of webhook_endpoints with what the cache needs of its tenant and integration. */
export interface EndpointRow {
  id: string;
  tenantId: string;
  tenantSlug: string;
  integrationId: string | null;
  integrationPaused: boolean;
  endpointPath: string;
  pathGenerated: boolean;
  secretKey: string;
  previousSecrets: PreviousSecret[];
  secretLast4: string | null;
  eventTypes: string[];
  handlerType: HandlerType;
  transformTemplate: unknown;
  targetService: string | null;
  ipWhitelist: string[] | null;
  signatureScheme: string;
  signatureHeader: string | null;
  signatureAlgorithm: string | null;
  signatureSettings: Record<string, unknown> | null;
  eventIdSource: EventIdSource | null;
  eventTypeSource: EventTypeSource | null;
  dedupeWindowSeconds: number;
  rateLimit: EndpointRateLimit | null;
  maxBodyBytes: number;
  status: EndpointStatus;
  totalReceived: number;
  totalProcessed: number;
  totalFailed: number;
  lastReceivedAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

/** Columns that the verbs write; the rest are counters and times. */
export type EndpointValues = Omit<
  EndpointRow,
  | "tenantSlug"
  | "integrationPaused"
  | "totalReceived"
  | "totalProcessed"
  | "totalFailed"
  | "lastReceivedAt"
  | "createdAt"
  | "updatedAt"
>;

const columns = (sql: Sql | Transaction) => sql`
  e.id, e.tenant_id as "tenantId", t.slug as "tenantSlug", e.integration_id as "integrationId",
  coalesce(i.status = 'PAUSED', false) as "integrationPaused", e.endpoint_path as "endpointPath",
  e.path_generated as "pathGenerated", e.secret_key as "secretKey", e.previous_secrets as "previousSecrets",
  e.secret_last4 as "secretLast4", e.event_types as "eventTypes", e.handler_type as "handlerType",
  e.transform_template as "transformTemplate", e.target_service as "targetService", e.ip_whitelist as "ipWhitelist",
  e.signature_scheme as "signatureScheme", e.signature_header as "signatureHeader",
  e.signature_algorithm as "signatureAlgorithm", e.signature_settings as "signatureSettings",
  e.event_id_source as "eventIdSource", e.event_type_source as "eventTypeSource",
  e.dedupe_window_seconds as "dedupeWindowSeconds", e.rate_limit as "rateLimit", e.max_body_bytes as "maxBodyBytes",
  e.status, e.total_received::float8 as "totalReceived", e.total_processed::float8 as "totalProcessed",
  e.total_failed::float8 as "totalFailed", e.last_received_at as "lastReceivedAt",
  e.created_at as "createdAt", e.updated_at as "updatedAt"`;

const source = (sql: Sql | Transaction) => sql`
  webhook_endpoints e join tenants t on t.id = e.tenant_id left join integrations i on i.id = e.integration_id`;

/** The endpoint under a URL: `tenantRef` is the tenant's slug or id. */
export async function findEndpointRow(
  sql: Sql,
  tenantRef: string,
  path: string,
): Promise<EndpointRow | undefined> {
  const [row] = await sql<EndpointRow[]>`
    select ${columns(sql)} from ${source(sql)}
    where (t.slug = ${tenantRef} or t.id::text = ${tenantRef}) and e.endpoint_path = ${path} and e.deleted_at is null`;
  return row;
}

/** The endpoint with this id, for the hub's own processes. */
export async function findEndpointRowById(sql: Sql, id: string): Promise<EndpointRow | undefined> {
  const [row] = await sql<EndpointRow[]>`
    select ${columns(sql)} from ${source(sql)} where e.id = ${id} and e.deleted_at is null`;
  return row;
}

/** The tenant's endpoint with this id; `lock` holds the row until the transaction ends. */
export async function getEndpointRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  lock = false,
): Promise<EndpointRow | undefined> {
  const [row] = await tx<EndpointRow[]>`
    select ${columns(tx)} from ${source(tx)}
    where e.tenant_id = ${tenantId} and e.id = ${id} and e.deleted_at is null ${lock ? tx`for update of e` : tx``}`;
  return row;
}

/** A page of the tenant's endpoints, newest first, before the id `beforeId`. */
export async function listEndpointRows(
  tx: Transaction,
  tenantId: string,
  page: {
    limit: number;
    beforeId: string | undefined;
    status: EndpointStatus | undefined;
    integrationId: string | undefined;
  },
): Promise<EndpointRow[]> {
  return tx<EndpointRow[]>`
    select ${columns(tx)} from ${source(tx)}
    where e.tenant_id = ${tenantId} and e.deleted_at is null
      ${page.beforeId === undefined ? tx`` : tx`and e.id < ${page.beforeId}`}
      ${page.status === undefined ? tx`` : tx`and e.status = ${page.status}`}
      ${page.integrationId === undefined ? tx`` : tx`and e.integration_id = ${page.integrationId}`}
    order by e.id desc limit ${page.limit}`;
}

/** Inserts a new endpoint; a path that is taken raises 23505. */
export async function insertEndpointRow(tx: Transaction, values: EndpointValues): Promise<void> {
  await tx`insert into webhook_endpoints ${tx(databaseRow(tx, values))}`;
}

/** Overwrites the columns given. */
export async function updateEndpointRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  values: Partial<EndpointValues>,
): Promise<void> {
  await tx`
    update webhook_endpoints set ${tx(databaseRow(tx, values))}, updated_at = now()
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null`;
}

/** Deletes softly: receipts keep pointing to it, and its path becomes free. */
export async function deleteEndpointRow(tx: Transaction, tenantId: string, id: string): Promise<boolean> {
  const rows = await tx`
    update webhook_endpoints set deleted_at = now(), status = 'DISABLED', is_enabled = false
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null returning id`;
  return rows.length === 1;
}

const JSON_COLUMNS = new Set([
  "previousSecrets",
  "eventTypes",
  "transformTemplate",
  "ipWhitelist",
  "signatureSettings",
  "eventIdSource",
  "eventTypeSource",
  "rateLimit",
]);

/** Column names and values; JSON goes through `json()`, because a string parameter would be stored as a JSON string. */
function databaseRow(tx: Transaction, values: Partial<EndpointValues>): Record<string, never> {
  const row: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(values)) {
    const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    row[column] = JSON_COLUMNS.has(field) && value !== null ? tx.json(value as never) : value;
  }
  if (values.status !== undefined) row["is_enabled"] = values.status === "ACTIVE";
  return row as Record<string, never>;
}
