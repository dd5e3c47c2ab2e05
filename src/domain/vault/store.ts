import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { KeyRow } from "./data-key.ts";
import type { SealedColumn } from "./sealed-columns.ts";

/** A row of vault_jobs. */
export interface VaultJobRow {
  id: string;
  kind: "REWRAP" | "REENCRYPT";
  tenantId: string | null;
  /** Id of the key of the ring (REWRAP) or the data key (REENCRYPT) under which everything is to stand. */
  target: string;
  phase: "SWEEP" | "FINAL" | "DONE";
  /** `table.column` that is being worked on; null before the first. */
  place: string | null;
  /** Last row that was done there. */
  lastId: string | null;
  renewed: number;
  unreadable: number;
  dueAt: Date;
  createdAt: Date;
  finishedAt: Date | null;
}

const jobColumns = (sql: Sql | Transaction) => sql`
  id, kind, tenant_id as "tenantId", target, phase, place, last_id as "lastId", renewed::float8 as renewed,
  unreadable::float8 as unreadable, due_at as "dueAt", created_at as "createdAt", finished_at as "finishedAt"`;

/** The latest jobs, newest first. */
export async function listVaultJobRows(sql: Sql, limit: number): Promise<VaultJobRow[]> {
  return sql<VaultJobRow[]>`select ${jobColumns(sql)} from vault_jobs order by id desc limit ${limit}`;
}

/** Ids of the jobs that have something to do now, oldest first. */
export async function findDueVaultJobs(sql: Sql, now: Date): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from vault_jobs where phase <> 'DONE' and due_at <= ${now} order by id`;
  return rows.map(({ id }) => id);
}

/** Takes a job for this transaction; undefined while another process works on it, or it is done or not due. */
export async function lockVaultJob(tx: Transaction, id: string, now: Date): Promise<VaultJobRow | undefined> {
  const [row] = await tx<VaultJobRow[]>`
    select ${jobColumns(tx)} from vault_jobs
    where id = ${id} and phase <> 'DONE' and due_at <= ${now} for update skip locked`;
  return row;
}

/** Inserts a job. @returns false when one of this kind is open for the tenant */
export async function insertVaultJob(
  tx: Transaction,
  job: Pick<VaultJobRow, "id" | "kind" | "tenantId" | "target"> & { now: Date },
): Promise<boolean> {
  const rows = await tx`
    insert into vault_jobs (id, kind, tenant_id, target, due_at, created_at, updated_at)
    values (${job.id}, ${job.kind}, ${job.tenantId}, ${job.target}, ${job.now}, ${job.now}, ${job.now})
    on conflict do nothing returning id`;
  return rows.length === 1;
}

/** Writes how far a job is. */
export async function saveVaultJob(tx: Transaction, job: VaultJobRow, now: Date): Promise<void> {
  await tx`
    update vault_jobs set phase = ${job.phase}, place = ${job.place}, last_id = ${job.lastId}, renewed = ${job.renewed},
      unreadable = ${job.unreadable}, due_at = ${job.dueAt}, updated_at = ${now},
      finished_at = ${job.phase === "DONE" ? now : null}
    where id = ${job.id}`;
}

/** Ids of the tenants that have a data key, and so secrets. */
export async function listTenantsWithKeys(sql: Sql): Promise<string[]> {
  const rows = await sql<{ tenantId: string }[]>`
    select tenant_id as "tenantId" from tenant_keys where status = 'ACTIVE' order by tenant_id`;
  return rows.map(({ tenantId }) => tenantId);
}

/** Retires the tenant's active data key and stores the new one. @returns false when the tenant has no active key */
export async function replaceActiveKey(tx: Transaction, tenantId: string, key: KeyRow): Promise<boolean> {
  const retired = await tx`
    update tenant_keys set status = 'RETIRED' where tenant_id = ${tenantId} and status = 'ACTIVE' returning id`;
  if (retired.length === 0) return false;
  await tx`
    insert into tenant_keys (id, tenant_id, kek_id, wrapped_key)
    values (${key.id}, ${tenantId}, ${key.kekId}, ${key.wrappedKey})`;
  return true;
}

/** Ids of the tenant's retired keys. */
export async function listRetiredKeys(tx: Transaction, tenantId: string): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`
    select id from tenant_keys where tenant_id = ${tenantId} and status = 'RETIRED'`;
  return rows.map(({ id }) => id);
}

/** Destroys the tenant's retired keys, or all of its keys: what is sealed with them can never be opened again. */
export async function deleteKeys(
  tx: Transaction,
  tenantId: string,
  which: "RETIRED" | "ALL",
): Promise<number> {
  const rows = await tx`
    delete from tenant_keys
    where tenant_id = ${tenantId} ${which === "ALL" ? tx`` : tx`and status = 'RETIRED'`} returning id`;
  return rows.length;
}

/** A piece of the data keys that another key of the ring wraps, behind the id `afterId`, locked. */
export async function lockKeysWrappedElsewhere(
  tx: Transaction,
  kekId: string,
  range: { afterId: string | null; limit: number },
): Promise<(KeyRow & { tenantId: string })[]> {
  return tx<(KeyRow & { tenantId: string })[]>`
    select id, tenant_id as "tenantId", kek_id as "kekId", wrapped_key as "wrappedKey" from tenant_keys
    where kek_id <> ${kekId} ${range.afterId === null ? tx`` : tx`and id > ${range.afterId}`}
    order by id limit ${range.limit} for update`;
}

/** Stores a data key as it is wrapped now. */
export async function saveWrappedKey(tx: Transaction, key: KeyRow): Promise<void> {
  await tx`update tenant_keys set kek_id = ${key.kekId}, wrapped_key = ${key.wrappedKey} where id = ${key.id}`;
}

/** A row of a table with secrets. */
export interface SealedRow {
  id: string;
  /** Text or JSON. */
  value: unknown;
}

/** A piece of the tenant's rows whose column is filled, behind the id `afterId`, deleted ones included, locked. */
export async function lockSealedRows(
  tx: Transaction,
  { table, column }: SealedColumn,
  range: { tenantId: string; afterId: string | null; limit: number },
): Promise<SealedRow[]> {
  return tx<SealedRow[]>`
    select id, ${tx(column)} as value from ${tx(table)}
    where tenant_id = ${range.tenantId} and ${tx(column)} is not null
      ${range.afterId === null ? tx`` : tx`and id > ${range.afterId}`}
    order by id limit ${range.limit} for update`;
}

/** Overwrites one column of one row. */
export async function saveSealedRow(
  tx: Transaction,
  { table, column, form }: SealedColumn,
  row: SealedRow & { tenantId: string },
): Promise<void> {
  const value = form === "text" ? (row.value as string) : tx.json(row.value as never);
  await tx`update ${tx(table)} set ${tx(column)} = ${value} where tenant_id = ${row.tenantId} and id = ${row.id}`;
}

/** Ends every log-in of a tenant. */
export async function suspendTenant(tx: Transaction, tenantId: string): Promise<void> {
  await tx`update tenants set status = 'SUSPENDED', updated_at = now() where id = ${tenantId}`;
}

/** Deletes, softly, what a tenant's secrets belong to. @returns kind and id of each, for the caches' invalidation */
export async function withdrawConfiguration(
  tx: Transaction,
  tenantId: string,
): Promise<{ kind: string; id: string }[]> {
  const endpoints = await tx<{ kind: string; id: string }[]>`
    update webhook_endpoints set deleted_at = now(), status = 'DISABLED', is_enabled = false
    where tenant_id = ${tenantId} and deleted_at is null returning 'endpoint' as kind, id::text`;
  const subscriptions = await tx<{ kind: string; id: string }[]>`
    update webhook_subscriptions set deleted_at = now(), is_enabled = false, changed_at = clock_timestamp()
    where tenant_id = ${tenantId} and deleted_at is null
    returning 'subscription' as kind, tenant_id || '/' || id as id`;
  const integrations = await tx<{ kind: string; id: string }[]>`
    update integrations set deleted_at = now(), is_enabled = false
    where tenant_id = ${tenantId} and deleted_at is null returning 'integration' as kind, id::text`;
  return [...endpoints, ...subscriptions, ...integrations];
}
