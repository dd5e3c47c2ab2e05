import type { Sql } from "postgres";
import type { Transaction } from "../context.ts";
import { authKindOf } from "./choose-auth.ts";
import { configSchemaOf } from "./config-schema.ts";
import type { ProviderManifest } from "./manifest-schema.ts";

/** A row of `integration_providers`. */
export interface ProviderRow {
  id: string;
  /** Null: built in. */
  tenantId: string | null;
  code: string;
  version: number;
  manifest: ProviderManifest;
  createdAt: Date;
  updatedAt: Date;
}

/** The columns of the specification, which all stand in the manifest too. */
function columnsOf(manifest: ProviderManifest) {
  const quota = manifest.quotas.find(({ windowSeconds }) => windowSeconds !== undefined);
  return {
    name: manifest.name,
    category: manifest.category,
    description: manifest.description ?? null,
    config_schema: configSchemaOf(manifest),
    auth_type: authKindOf(manifest.auth),
    oauth_config: "scopes" in manifest.auth ? { scopes: manifest.auth.scopes } : null,
    base_url: manifest.servers[0]!.baseUrl.slice(0, 500),
    api_version: manifest.apiVersion ?? null,
    documentation_url: manifest.documentationUrl ?? null,
    supports_webhooks: manifest.features.webhooks,
    supports_batch: manifest.features.batch,
    supports_realtime: manifest.features.realtime,
    rate_limit_requests: quota?.limit ?? null,
    rate_limit_window: quota?.windowSeconds ?? null,
    status: manifest.status,
    manifest,
  };
}

/** Columns as one JSON document, which `jsonb_populate_record` turns into a row: a value stands in one place only. */
const rowJson = (manifest: ProviderManifest): string => JSON.stringify(columnsOf(manifest));

/**
 * Brings the built-in providers of the table to the manifests given. Several processes may do it at once; a row that is
 * up to date is not written.
 *
 * @returns how many were new or changed
 */
export async function upsertBuiltInProviders(
  sql: Sql,
  providers: readonly { id: string; manifest: ProviderManifest }[],
): Promise<number> {
  const rows = await sql`
    insert into integration_providers (id, tenant_id, code, name, category, description, config_schema, auth_type,
      oauth_config, base_url, api_version, documentation_url, supports_webhooks, supports_batch, supports_realtime,
      rate_limit_requests, rate_limit_window, status, manifest)
    select given.id, null, given.code, r.name, r.category, r.description, r.config_schema, r.auth_type, r.oauth_config,
      r.base_url, r.api_version, r.documentation_url, r.supports_webhooks, r.supports_batch, r.supports_realtime,
      r.rate_limit_requests, r.rate_limit_window, r.status, r.manifest
    from unnest(${providers.map(({ id }) => id)}::uuid[], ${providers.map(({ manifest }) => manifest.code)}::text[],
      ${providers.map(({ manifest }) => rowJson(manifest))}::text[]) as given (id, code, document),
      jsonb_populate_record(null::integration_providers, given.document::jsonb) as r
    order by given.code
    on conflict (tenant_id, code) where deleted_at is null do update set
      name = excluded.name, category = excluded.category, description = excluded.description,
      config_schema = excluded.config_schema, auth_type = excluded.auth_type, oauth_config = excluded.oauth_config,
      base_url = excluded.base_url, api_version = excluded.api_version,
      documentation_url = excluded.documentation_url, supports_webhooks = excluded.supports_webhooks,
      supports_batch = excluded.supports_batch, supports_realtime = excluded.supports_realtime,
      rate_limit_requests = excluded.rate_limit_requests, rate_limit_window = excluded.rate_limit_window,
      status = excluded.status, manifest = excluded.manifest, version = integration_providers.version + 1,
      updated_at = now()
    where integration_providers.manifest <> excluded.manifest
      or integration_providers.config_schema <> excluded.config_schema
    returning 1`;
  return rows.length;
}

const COLUMNS = `id, tenant_id as "tenantId", code, version, manifest, created_at as "createdAt", updated_at as "updatedAt"`;

/** The provider of a code as the tenant sees it: its own, else the built-in one. */
export async function findProvider(
  tx: Transaction,
  tenantId: string,
  code: string,
): Promise<ProviderRow | undefined> {
  const [row] = await tx<ProviderRow[]>`
    select ${tx.unsafe(COLUMNS)} from integration_providers
    where code = ${code} and (tenant_id = ${tenantId} or tenant_id is null) and deleted_at is null
    order by tenant_id nulls last
    limit 1`;
  return row;
}

/** A tenant's own provider, locked: whoever makes an integration of it or changes it waits. */
export async function lockOwnProvider(
  tx: Transaction,
  tenantId: string,
  code: string,
): Promise<ProviderRow | undefined> {
  const [row] = await tx<ProviderRow[]>`
    select ${tx.unsafe(COLUMNS)} from integration_providers
    where code = ${code} and tenant_id = ${tenantId} and deleted_at is null
    for update`;
  return row;
}

/** The providers that a tenant sees, newest first; ids are in the order of time. */
export async function listProviderRows(
  tx: Transaction,
  tenantId: string,
  filter: {
    category?: string | undefined;
    status?: string | undefined;
    origin?: "BUILT_IN" | "CUSTOM" | undefined;
    beforeId: string | undefined;
    limit: number;
  },
): Promise<ProviderRow[]> {
  return tx<ProviderRow[]>`
    select ${tx.unsafe(COLUMNS)} from integration_providers
    where (tenant_id = ${tenantId} or tenant_id is null) and deleted_at is null
      and (${filter.category ?? null}::text is null or category = ${filter.category ?? null})
      and (${filter.status ?? null}::text is null or status = ${filter.status ?? null})
      and (${filter.origin ?? null}::text is null or (tenant_id is null) = (${filter.origin ?? null} = 'BUILT_IN'))
      and (${filter.beforeId ?? null}::uuid is null or id < ${filter.beforeId ?? null}::uuid)
    order by id desc
    limit ${filter.limit}`;
}

/** @returns undefined when the tenant has a provider of this code already */
export async function insertProvider(
  tx: Transaction,
  tenantId: string,
  id: string,
  manifest: ProviderManifest,
): Promise<ProviderRow | undefined> {
  const [row] = await tx<ProviderRow[]>`
    insert into integration_providers (id, tenant_id, code, name, category, description, config_schema, auth_type,
      oauth_config, base_url, api_version, documentation_url, supports_webhooks, supports_batch, supports_realtime,
      rate_limit_requests, rate_limit_window, status, manifest)
    select ${id}, ${tenantId}, ${manifest.code}, r.name, r.category, r.description, r.config_schema, r.auth_type,
      r.oauth_config, r.base_url, r.api_version, r.documentation_url, r.supports_webhooks, r.supports_batch,
      r.supports_realtime, r.rate_limit_requests, r.rate_limit_window, r.status, r.manifest
    from jsonb_populate_record(null::integration_providers, ${rowJson(manifest)}::text::jsonb) as r
    on conflict (tenant_id, code) where deleted_at is null do nothing
    returning ${tx.unsafe(COLUMNS)}`;
  return row;
}

/** Puts the next version into the row; the one before stays readable by its number. */
export async function replaceManifest(
  tx: Transaction,
  current: ProviderRow,
  manifest: ProviderManifest,
): Promise<ProviderRow> {
  await tx`
    insert into integration_provider_versions (provider_id, version, tenant_id, manifest)
    values (${current.id}, ${current.version}, ${current.tenantId}, ${JSON.stringify(current.manifest)}::text::jsonb)`;
  const [row] = await tx<ProviderRow[]>`
    update integration_providers p set
      name = r.name, category = r.category, description = r.description, config_schema = r.config_schema,
      auth_type = r.auth_type, oauth_config = r.oauth_config, base_url = r.base_url, api_version = r.api_version,
      documentation_url = r.documentation_url, supports_webhooks = r.supports_webhooks,
      supports_batch = r.supports_batch, supports_realtime = r.supports_realtime,
      rate_limit_requests = r.rate_limit_requests, rate_limit_window = r.rate_limit_window, status = r.status,
      manifest = r.manifest, version = p.version + 1, updated_at = now()
    from jsonb_populate_record(null::integration_providers, ${rowJson(manifest)}::text::jsonb) as r
    where p.id = ${current.id} and p.tenant_id = ${current.tenantId}
    returning p.id, p.tenant_id as "tenantId", p.code, p.version, p.manifest, p.created_at as "createdAt",
      p.updated_at as "updatedAt"`;
  return row!;
}

/** What of an integration decides whether it can use another manifest. */
export interface UserRow {
  id: string;
  environment: "PRODUCTION" | "SANDBOX" | "TEST";
  config: Record<string, unknown>;
  /** Null: it uses the newest version. */
  providerVersion: number | null;
}

/** The tenant's integrations of a provider, locked. */
export async function lockUsersOfProvider(
  tx: Transaction,
  tenantId: string,
  providerId: string,
): Promise<UserRow[]> {
  return tx<UserRow[]>`
    select id, environment, config, provider_version as "providerVersion" from integrations
    where tenant_id = ${tenantId} and provider_id = ${providerId} and deleted_at is null
    order by id
    for update`;
}

/** Keeps integrations at a version of their provider. */
export async function pinUsers(
  tx: Transaction,
  tenantId: string,
  ids: readonly string[],
  version: number,
): Promise<void> {
  await tx`
    update integrations set provider_version = ${version}
    where tenant_id = ${tenantId} and id = any(${[...ids]}::uuid[])`;
}

/** Deletes a tenant's own provider softly; its versions stay with it. */
export async function removeProvider(tx: Transaction, tenantId: string, id: string): Promise<void> {
  await tx`
    update integration_providers set deleted_at = now(), updated_at = now()
    where id = ${id} and tenant_id = ${tenantId}`;
}
