import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { Environment, ProviderManifest } from "../providers/manifest-schema.ts";
import type { TestResult } from "./schema.ts";
import type { IntegrationStatus } from "./state.ts";

/** A row of integrations with what is needed of its provider. */
export interface IntegrationRow {
  id: string;
  tenantId: string;
  providerId: string;
  providerVersion: number | null;
  providerCode: string;
  manifest: ProviderManifest;
  name: string;
  description: string | null;
  /** Open fields as they are, secret ones as `StoredSecret`. */
  config: Record<string, unknown>;
  /** JSON pointer into the manifest → value. */
  overrides: Record<string, unknown>;
  environment: Environment;
  authType: string;
  /** Sealed. */
  apiKeyEncrypted: string | null;
  /** Sealed texts by name. */
  oauthTokens: Record<string, string> | null;
  oauthExpiresAt: Date | null;
  /** When the tokens are to be replaced. */
  oauthRefreshAt: Date | null;
  /** When a person logged in. */
  oauthLoginAt: Date | null;
  /** When somebody has to log in again, as far as is known. */
  oauthLoginEndsAt: Date | null;
  configVersion: number;
  oauthVersion: number;
  status: IntegrationStatus;
  lastSuccessfulCall: Date | null;
  lastError: string | null;
  lastErrorAt: Date | null;
  errorCount: number;
  lastTest: TestResult | null;
  lastTestAt: Date | null;
  lastCallAt: Date | null;
  retryEnabled: boolean;
  maxRetries: number | null;
  timeoutSeconds: number | null;
  syncFrequency: "REALTIME" | "HOURLY" | "DAILY" | "MANUAL" | null;
  lastSyncAt: Date | null;
  nextSyncAt: Date | null;
  externalId: string | null;
  sourceSystem: string | null;
  customFields: Record<string, unknown>;
  createdAt: Date;
  updatedAt: Date;
  createdBy: string | null;
  updatedBy: string | null;
}

/** Columns that the verbs write. */
export type IntegrationValues = Omit<
  IntegrationRow,
  "providerCode" | "manifest" | "configVersion" | "oauthVersion" | "errorCount" | "createdAt" | "updatedAt"
>;

const columns = (sql: Sql | Transaction) => sql`
  i.id, i.tenant_id as "tenantId", i.provider_id as "providerId", i.provider_version as "providerVersion",
  p.code as "providerCode", coalesce(v.manifest, p.manifest) as manifest, i.name, i.description, i.config, i.overrides,
  i.environment, i.auth_type as "authType", i.api_key_encrypted as "apiKeyEncrypted",
  i.oauth_tokens as "oauthTokens", i.oauth_expires_at as "oauthExpiresAt",
  i.oauth_refresh_at as "oauthRefreshAt", i.oauth_login_at as "oauthLoginAt",
  i.oauth_login_ends_at as "oauthLoginEndsAt",
  i.config_version::float8 as "configVersion", i.oauth_version::float8 as "oauthVersion", i.status,
  i.last_successful_call as "lastSuccessfulCall", i.last_error as "lastError", i.last_error_at as "lastErrorAt",
  i.error_count::float8 as "errorCount", i.last_test as "lastTest", i.last_test_at as "lastTestAt",
  i.last_call_at as "lastCallAt", i.retry_enabled as "retryEnabled", i.max_retries as "maxRetries",
  i.timeout_seconds as "timeoutSeconds", i.sync_frequency as "syncFrequency", i.last_sync_at as "lastSyncAt",
  i.next_sync_at as "nextSyncAt", i.external_id as "externalId", i.source_system as "sourceSystem",
  i.custom_fields as "customFields", i.created_at as "createdAt", i.updated_at as "updatedAt",
  i.created_by as "createdBy", i.updated_by as "updatedBy"`;

const source = (sql: Sql | Transaction) => sql`
  integrations i join integration_providers p on p.id = i.provider_id
    left join integration_provider_versions v on v.provider_id = i.provider_id and v.version = i.provider_version`;

/** The tenant's integration with this id; `lock` holds the row until the transaction ends. */
export async function getIntegrationRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  lock = false,
): Promise<IntegrationRow | undefined> {
  const [row] = await tx<IntegrationRow[]>`
    select ${columns(tx)} from ${source(tx)}
    where i.tenant_id = ${tenantId} and i.id = ${id} and i.deleted_at is null ${lock ? tx`for update of i` : tx``}`;
  return row;
}

/** The integration with this id, for the hub's own processes (role hub_system). */
export async function findIntegrationRow(sql: Sql, id: string): Promise<IntegrationRow | undefined> {
  const [row] = await sql<IntegrationRow[]>`
    select ${columns(sql)} from ${source(sql)} where i.id = ${id} and i.deleted_at is null`;
  return row;
}

/** What a list of integrations may be narrowed to. */
export interface IntegrationFilter {
  status?: IntegrationStatus | undefined;
  environment?: Environment | undefined;
  providerCode?: string | undefined;
  category?: string | undefined;
}

/** A page of the tenant's integrations, newest first, before the id `beforeId`. */
export async function listIntegrationRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
  filter: IntegrationFilter,
): Promise<IntegrationRow[]> {
  return tx<IntegrationRow[]>`
    select ${columns(tx)} from ${source(tx)}
    where i.tenant_id = ${tenantId} and i.deleted_at is null
      ${page.beforeId === undefined ? tx`` : tx`and i.id < ${page.beforeId}`}
      ${filter.status === undefined ? tx`` : tx`and i.status = ${filter.status}`}
      ${filter.environment === undefined ? tx`` : tx`and i.environment = ${filter.environment}`}
      ${filter.providerCode === undefined ? tx`` : tx`and p.code = ${filter.providerCode}`}
      ${filter.category === undefined ? tx`` : tx`and p.category = ${filter.category}`}
    order by i.id desc limit ${page.limit}`;
}

/** A provider that an integration can be made of. */
export interface ProviderRow {
  id: string;
  code: string;
  manifest: ProviderManifest;
}

/** The provider of this code or id: the tenant's own before a built-in one. */
export async function findProviderRow(
  tx: Transaction,
  tenantId: string,
  by: { code: string } | { id: string },
): Promise<ProviderRow | undefined> {
  const [row] = await tx<ProviderRow[]>`
    select id, code, manifest from integration_providers
    where ${"code" in by ? tx`code = ${by.code}` : tx`id = ${by.id}`}
      and (tenant_id = ${tenantId} or tenant_id is null) and deleted_at is null
    order by tenant_id nulls last limit 1`;
  return row;
}

/** Inserts an integration; one of the same provider and environment raises 23505. */
export async function insertIntegrationRow(
  tx: Transaction,
  values: Omit<IntegrationValues, "lastSyncAt" | "nextSyncAt" | "oauthLoginAt" | "oauthLoginEndsAt">,
): Promise<void> {
  await tx`insert into integrations ${tx(databaseRow(tx, values))}`;
}

/** Overwrites the columns given. `config` and what belongs to it makes a new version for the caches. */
export async function updateIntegrationRow(
  tx: Transaction,
  tenantId: string,
  id: string,
  values: Partial<IntegrationValues> & { isDeleted?: true },
): Promise<void> {
  const { isDeleted, ...rest } = values;
  const changesTokens = rest.oauthTokens !== undefined;
  const set = { ...databaseRow(tx, rest), ...(isDeleted ? { is_enabled: false } : {}) } as Record<
    string,
    never
  >;
  await tx`
    update integrations set ${tx(set)}, updated_at = now(), config_version = config_version + 1
      ${changesTokens ? tx`, oauth_version = oauth_version + 1` : tx``}
      ${isDeleted ? tx`, deleted_at = now()` : tx``}
    where tenant_id = ${tenantId} and id = ${id} and deleted_at is null`;
}

/** Writes status, test result and errors, which are no change of the configuration. */
export async function saveIntegrationState(
  tx: Transaction,
  row: { tenantId: string; id: string },
  values: Partial<
    Pick<
      IntegrationValues,
      "status" | "lastTest" | "lastTestAt" | "lastCallAt" | "lastSuccessfulCall" | "lastError" | "lastErrorAt"
    >
  > & { errors?: number },
): Promise<void> {
  const { errors = 0, ...rest } = values;
  await tx`
    update integrations set ${tx(databaseRow(tx, rest))}, error_count = error_count + ${errors}::int
    where tenant_id = ${row.tenantId} and id = ${row.id} and deleted_at is null`;
}

/** What still belongs to an integration and would be broken by its end. */
export async function findIntegrationUses(tx: Transaction, tenantId: string, id: string): Promise<string[]> {
  const rows = await tx<{ use: string }[]>`
    (select 'webhook endpoint ' || endpoint_path as use from webhook_endpoints
      where tenant_id = ${tenantId} and integration_id = ${id} and deleted_at is null order by id limit 5)
    union all
    (select 'sync job ' || id from sync_jobs
      where tenant_id = ${tenantId} and integration_id = ${id} and status in ('PENDING', 'RUNNING') order by id limit 5)`;
  return rows.map(({ use }) => use);
}

const JSON_COLUMNS = new Set(["config", "overrides", "oauthTokens", "lastTest", "customFields"]);

/** Column names and values; JSON goes through `json()`, because a string parameter would be stored as a JSON string. */
function databaseRow(tx: Transaction, values: Partial<IntegrationValues>): Record<string, never> {
  const row: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(values)) {
    const column = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    row[column] = JSON_COLUMNS.has(field) && value !== null ? tx.json(value as never) : value;
  }
  if (values.status !== undefined) row["is_enabled"] = values.status === "ACTIVE";
  return row as Record<string, never>;
}

/** Outcomes of an integration's calls since they were last written; times in milliseconds, 0 for none. */
export interface OutcomeCount {
  id: string;
  lastCallMs: number;
  lastSuccessMs: number;
  lastErrorMs: number;
  lastError: string | null;
  errors: number;
}

/**
 * Adds outcomes of calls (role hub_system).
 *
 * @returns ids of those in ERROR whose last call was a success
 */
export async function addOutcomes(sql: Sql, counts: readonly OutcomeCount[]): Promise<string[]> {
  const rows = await sql<{ id: string; isRecovered: boolean }[]>`
    update integrations i set
      last_call_at = greatest(i.last_call_at, to_timestamp(given.call_ms / 1000)),
      last_successful_call = greatest(i.last_successful_call, to_timestamp(nullif(given.success_ms, 0) / 1000)),
      last_error = case when given.error_ms / 1000 > extract(epoch from coalesce(i.last_error_at, 'epoch'))
        then left(given.error, 8192) else i.last_error end,
      last_error_at = greatest(i.last_error_at, to_timestamp(nullif(given.error_ms, 0) / 1000)),
      error_count = i.error_count + given.errors
    from unnest(
      ${counts.map(({ id }) => id)}::text[]::uuid[],
      ${counts.map(({ lastCallMs }) => lastCallMs)}::float8[],
      ${counts.map(({ lastSuccessMs }) => lastSuccessMs)}::float8[],
      ${counts.map(({ lastErrorMs }) => lastErrorMs)}::float8[],
      ${counts.map(({ lastError }) => lastError)}::text[],
      ${counts.map(({ errors }) => errors)}::int[]
    ) as given(id, call_ms, success_ms, error_ms, error, errors)
    where i.id = given.id and i.deleted_at is null
    returning i.id, i.status = 'ERROR' and given.success_ms > given.error_ms as "isRecovered"`;
  return rows.filter(({ isRecovered }) => isRecovered).map(({ id }) => id);
}

/** The integration with this id, locked, for the hub's own processes (role hub_system). */
export async function lockIntegrationRow(tx: Transaction, id: string): Promise<IntegrationRow | undefined> {
  const [row] = await tx<IntegrationRow[]>`
    select ${columns(tx)} from ${source(tx)} where i.id = ${id} and i.deleted_at is null for update of i`;
  return row;
}

/** Whether the tenant has an integration of this provider for the environment. */
export async function integrationIsThere(
  tx: Transaction,
  tenantId: string,
  providerId: string,
  environment: Environment,
): Promise<boolean> {
  const rows = await tx`
    select 1 from integrations
    where tenant_id = ${tenantId} and provider_id = ${providerId} and environment = ${environment}
      and deleted_at is null`;
  return rows.length > 0;
}

/**
 * Integrations that nobody has called or tested for `idleSeconds`, give or take a tenth by chance so that those which
 * were made together do not stay together (role hub_system). One in ERROR only when an outage was the cause: trying a
 * wrong password again and again locks accounts.
 */
export async function findIdleIntegrations(
  sql: Sql,
  input: { now: Date; idleSeconds: number; limit: number },
): Promise<{ id: string; tenantId: string }[]> {
  return sql<{ id: string; tenantId: string }[]>`
    select id, tenant_id as "tenantId" from integrations
    where deleted_at is null
      and (status = 'ACTIVE' or (status = 'ERROR' and last_test ->> 'kind' = 'outage'))
      and coalesce(last_call_at, created_at) < ${input.now}::timestamptz - make_interval(secs => ${input.idleSeconds}
        * (0.9 + 0.2 * (hashtextextended(id::text || coalesce(last_call_at, created_at)::text, 0) & 1023) / 1023.0))
    order by last_call_at nulls first limit ${input.limit}`;
}
