import { type KeyRow, unwrapKey, VaultError, type VaultRuntime } from "./data-key.ts";

/** What the key ring cannot open. */
export interface LostKeys {
  /** In words, one for each wrapping key; empty when all can be opened. */
  problems: string[];
  /** True when it opens none of what is stored: it belongs to another database. */
  opensNothing: boolean;
}

/**
 * Tries INTEGRATION_ENCRYPTION_KEY on the newest data key under each wrapping key.
 *
 * @throws when Postgres is away or not migrated
 */
export async function findLostKeys({ sqlSystem, keyRing }: VaultRuntime): Promise<LostKeys> {
  const rows = await sqlSystem<(KeyRow & { tenantId: string })[]>`
    select distinct on (kek_id) id, tenant_id as "tenantId", kek_id as "kekId", wrapped_key as "wrappedKey"
    from tenant_keys order by kek_id, created_at desc`;
  const known = keyRing.ids();
  const problems: string[] = [];
  for (const row of rows) {
    try {
      unwrapKey(keyRing, row.tenantId, row);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      problems.push(
        known.includes(row.kekId)
          ? `INTEGRATION_ENCRYPTION_KEY: its key "${row.kekId}" is not the one under which this database's secrets are sealed`
          : `INTEGRATION_ENCRYPTION_KEY has no key "${row.kekId}", under which secrets of this database are sealed: add it at the end`,
      );
    }
  }
  return { problems, opensNothing: problems.length > 0 && problems.length === rows.length };
}
