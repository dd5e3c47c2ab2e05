import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";

/** A row of api_keys as its owner sees it. */
export interface ApiKeyRow {
  id: string;
  name: string;
  prefix: string;
  role: string | null;
  scopes: string[];
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  createdBy: string | null;
  createdAt: Date;
}

/** What is needed to judge a presented key. */
export interface ApiKeyCredential {
  id: string;
  tenantId: string;
  tenantStatus: "ACTIVE" | "SUSPENDED";
  secretHash: string;
  role: string | null;
  scopes: string[];
  expiresAt: Date | null;
  lastUsedAt: Date | null;
}

const keyColumns = (sql: Sql | Transaction) => sql`
  id, name, prefix, role, scopes, expires_at as "expiresAt", last_used_at as "lastUsedAt",
  created_by as "createdBy", created_at as "createdAt"`;

/** Inserts a tenant; a slug that is taken raises 23505. */
export async function insertTenant(
  tx: Transaction,
  tenant: { id: string; slug: string; name: string; createdAt: Date },
): Promise<void> {
  await tx`
    insert into tenants (id, slug, name, created_at, updated_at)
    values (${tenant.id}, ${tenant.slug}, ${tenant.name}, ${tenant.createdAt}, ${tenant.createdAt})`;
}

/** A tenant by id or slug, for the hub's own processes: before the tenant is known no row-level setting can be. */
export async function findTenant(
  sql: Sql,
  by: { id: string } | { slug: string },
): Promise<{ id: string; slug: string; status: "ACTIVE" | "SUSPENDED" } | undefined> {
  const [row] = await sql<{ id: string; slug: string; status: "ACTIVE" | "SUSPENDED" }[]>`
    select id, slug, status from tenants where ${"id" in by ? sql`id = ${by.id}` : sql`slug = ${by.slug}`}`;
  return row;
}

/** All tenants, oldest first, for the command line. */
export async function listTenantRows(
  sql: Sql,
): Promise<{ id: string; slug: string; name: string; createdAt: Date }[]> {
  return sql`select id, slug, name, created_at as "createdAt" from tenants order by id`;
}

/** Inserts an API key by its hash. */
export async function insertApiKey(
  tx: Transaction,
  key: ApiKeyRow & { tenantId: string; secretHash: string },
): Promise<void> {
  await tx`
    insert into api_keys (id, tenant_id, name, prefix, secret_hash, scopes, role, expires_at, created_by, created_at)
    values (${key.id}, ${key.tenantId}, ${key.name}, ${key.prefix}, ${key.secretHash}, ${key.scopes}, ${key.role},
            ${key.expiresAt}, ${key.createdBy}, ${key.createdAt})`;
}

/** A page of the tenant's keys that are not revoked, newest first, before the id `beforeId`. */
export async function listApiKeyRows(
  tx: Transaction,
  tenantId: string,
  page: { limit: number; beforeId: string | undefined },
): Promise<ApiKeyRow[]> {
  return tx<ApiKeyRow[]>`
    select ${keyColumns(tx)} from api_keys
    where tenant_id = ${tenantId} and revoked_at is null
      ${page.beforeId === undefined ? tx`` : tx`and id < ${page.beforeId}`}
    order by id desc limit ${page.limit}`;
}

/** Marks a key revoked; answers its prefix, or undefined when there is no such living key. */
export async function revokeApiKeyRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<string | undefined> {
  const [row] = await tx<{ prefix: string }[]>`
    update api_keys set revoked_at = now()
    where tenant_id = ${tenantId} and id = ${id} and revoked_at is null returning prefix`;
  return row?.prefix;
}

/** The key of a prefix, of whichever tenant: the look-up by which the tenant becomes known. */
export async function findApiKeyCredential(sql: Sql, prefix: string): Promise<ApiKeyCredential | undefined> {
  const [row] = await sql<ApiKeyCredential[]>`
    select k.id, k.tenant_id as "tenantId", t.status as "tenantStatus", k.secret_hash as "secretHash", k.role, k.scopes,
           k.expires_at as "expiresAt", k.last_used_at as "lastUsedAt"
    from api_keys k join tenants t on t.id = k.tenant_id
    where k.prefix = ${prefix} and k.revoked_at is null`;
  return row;
}

/** Notes that a key was used, unless another process did so within the last minute. */
export async function touchApiKey(sql: Sql, id: string, usedAt: Date): Promise<void> {
  await sql`
    update api_keys set last_used_at = ${usedAt}
    where id = ${id} and (last_used_at is null or last_used_at < ${new Date(usedAt.getTime() - 60_000)})`;
}

/** The user of a token's subject, added on first sight; answers the row's id. */
export async function upsertUser(
  tx: Transaction,
  user: {
    id: string;
    tenantId: string;
    subject: string;
    email: string | null;
    name: string | null;
    seenAt: Date;
  },
): Promise<string> {
  const [row] = await tx<{ id: string }[]>`
    insert into users (id, tenant_id, subject, email, name, last_seen_at, created_at, updated_at)
    values (${user.id}, ${user.tenantId}, ${user.subject}, ${user.email}, ${user.name}, ${user.seenAt}, ${user.seenAt},
            ${user.seenAt})
    on conflict (tenant_id, subject) do update
      set last_seen_at = excluded.last_seen_at, email = coalesce(excluded.email, users.email),
          name = coalesce(excluded.name, users.name), updated_at = excluded.updated_at
    returning id`;
  return row!.id;
}
