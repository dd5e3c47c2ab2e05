import { randomBytes } from "node:crypto";
import { AeadError, KEY_BYTES, lengthPrefixed, open, seal } from "../../platform/crypto/aead.ts";
import { type KeyRing, KeyRingError } from "../../platform/crypto/keyring.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";

/** What the vault needs of a process. */
export type VaultRuntime = Pick<Runtime, "sqlSystem" | "keyRing" | "clock">;

/** A tenant's key, unwrapped; lives in memory only. */
export interface DataKey {
  /** UUID; stands in every blob that the key sealed. */
  id: string;
  key: Uint8Array;
}

/** A secret cannot be opened: its key is gone, or it was changed or moved. Never carries any of it. */
export class VaultError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "VaultError";
  }
}

/** A row of tenant_keys as far as unwrapping needs it. */
export interface KeyRow {
  id: string;
  kekId: string;
  wrappedKey: string;
}

interface Entry {
  dataKey: DataKey;
  expiresAtMs: number;
}

/** A retired key stops sealing in every process within this time, also where the word of it was lost. */
export const DATA_KEY_TTL_MS = 300_000;
const ENTRIES_MAX = 10_000;
const WRAP_VERSION = 1;

/** Unwrapped keys of one process, by `<tenant>/active` and `<tenant>/<data key id>`; they end with its key ring. */
const caches = new WeakMap<KeyRing, Map<string, Entry>>();

/**
 * The key that seals the tenant's new secrets; the first call for a tenant makes it.
 *
 * @param sql transaction of the tenant (hub_app) or hub_system; a new key is committed apart from it, because one that
 *   rolled back with its first user would leave what others sealed with it unreadable
 * @throws VaultError when the key ring is empty or lacks the wrapping key, or the tenant does not exist
 */
export async function activeDataKey(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  tenantId: string,
): Promise<DataKey> {
  const cached = recall(runtime, `${tenantId}/active`);
  if (cached) return cached;
  const row = (await findActive(sql, tenantId)) ?? (await createDataKey(runtime, tenantId));
  const dataKey = unwrapKey(runtime.keyRing, tenantId, row);
  remember(runtime, `${tenantId}/${row.id}`, dataKey);
  return remember(runtime, `${tenantId}/active`, dataKey);
}

/**
 * The tenant's key of this id, active or retired.
 *
 * @throws VaultError when the tenant has no such key
 */
export async function dataKeyById(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  tenantId: string,
  id: string,
): Promise<DataKey> {
  const cached = recall(runtime, `${tenantId}/${id}`);
  if (cached) return cached;
  const [row] = await sql<KeyRow[]>`
    select id, kek_id as "kekId", wrapped_key as "wrappedKey" from tenant_keys
    where tenant_id = ${tenantId} and id = ${id}`;
  if (!row) throw new VaultError(`Cannot open a secret: the tenant has no data key ${id}`);
  return remember(runtime, `${tenantId}/${id}`, unwrapKey(runtime.keyRing, tenantId, row));
}

async function findActive(sql: Sql | Transaction, tenantId: string): Promise<KeyRow | undefined> {
  const [row] = await sql<KeyRow[]>`
    select id, kek_id as "kekId", wrapped_key as "wrappedKey" from tenant_keys
    where tenant_id = ${tenantId} and status = 'ACTIVE'`;
  return row;
}

/** Of several processes that make a tenant's first key at once, one wins and the others take its key. */
async function createDataKey(runtime: VaultRuntime, tenantId: string): Promise<KeyRow> {
  const { id, kekId, wrappedKey } = newKeyRow(runtime, tenantId);
  await runtime.sqlSystem`
    insert into tenant_keys (id, tenant_id, kek_id, wrapped_key) values (${id}, ${tenantId}, ${kekId}, ${wrappedKey})
    on conflict (tenant_id) where status = 'ACTIVE' do nothing`;
  const row = await findActive(runtime.sqlSystem, tenantId);
  if (!row) throw new VaultError("Cannot seal a secret: the tenant's data key was not stored");
  return row;
}

/**
 * A new data key for the tenant, wrapped and not stored yet.
 *
 * @throws VaultError when the key ring is empty
 */
export function newKeyRow(runtime: Pick<VaultRuntime, "keyRing" | "clock">, tenantId: string): KeyRow {
  const id = newId(runtime.clock.nowMs());
  return wrapKey(runtime.keyRing, tenantId, { id, key: randomBytes(KEY_BYTES) });
}

/**
 * Wraps a data key with the first key of the ring.
 *
 * @throws VaultError when the key ring is empty
 */
export function wrapKey(keyRing: KeyRing, tenantId: string, { id, key }: DataKey): KeyRow {
  const wrapping = activeRingKey(keyRing);
  const wrapped = seal(wrapping.key, key, wrapAad(tenantId, id, wrapping.id));
  return {
    id,
    kekId: wrapping.id,
    wrappedKey: Buffer.concat([Buffer.from([WRAP_VERSION]), wrapped]).toString("base64"),
  };
}

/** Forgets the tenant's keys in this process, or everybody's: they are read anew from the database. */
export function forgetDataKeys(keyRing: KeyRing, tenantId?: string): void {
  const cache = caches.get(keyRing);
  if (tenantId === undefined) cache?.clear();
  else for (const name of cache?.keys() ?? []) if (name.startsWith(`${tenantId}/`)) cache!.delete(name);
}

function activeRingKey(keyRing: KeyRing): ReturnType<KeyRing["active"]> {
  try {
    return keyRing.active();
  } catch (error) {
    throw new VaultError((error as KeyRingError).message, { cause: error });
  }
}

/** @throws VaultError when the ring lacks the wrapping key, or the row was changed or moved */
export function unwrapKey(keyRing: KeyRing, tenantId: string, row: KeyRow): DataKey {
  try {
    const blob = Buffer.from(row.wrappedKey, "base64");
    if (blob[0] !== WRAP_VERSION) throw new AeadError();
    const wrapping = keyRing.get(row.kekId);
    return { id: row.id, key: open(wrapping.key, blob.subarray(1), wrapAad(tenantId, row.id, row.kekId)) };
  } catch (error) {
    if (!(error instanceof KeyRingError) && !(error instanceof AeadError)) throw error;
    throw new VaultError(`Cannot unwrap the data key ${row.id}: ${error.message}`, { cause: error });
  }
}

function wrapAad(tenantId: string, dataKeyId: string, kekId: string): Buffer {
  return lengthPrefixed([String(WRAP_VERSION), "tenant_keys", tenantId.toLowerCase(), dataKeyId, kekId]);
}

function recall(runtime: VaultRuntime, name: string): DataKey | undefined {
  const entry = caches.get(runtime.keyRing)?.get(name);
  return entry !== undefined && runtime.clock.nowMs() < entry.expiresAtMs ? entry.dataKey : undefined;
}

function remember(runtime: VaultRuntime, name: string, dataKey: DataKey): DataKey {
  let cache = caches.get(runtime.keyRing);
  if (!cache) caches.set(runtime.keyRing, (cache = new Map()));
  if (cache.size >= ENTRIES_MAX) cache.clear();
  cache.set(name, { dataKey, expiresAtMs: runtime.clock.nowMs() + DATA_KEY_TTL_MS });
  return dataKey;
}
