import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { unwrapKey, VaultError, wrapKey } from "./data-key.ts";
import { lockKeysWrappedElsewhere, saveWrappedKey } from "./store.ts";

const PIECE_KEYS = 200;

/**
 * Wraps a piece of the data keys anew, with the first key of the ring.
 *
 * @param input.kekId id of that key
 * @returns the last data key's id, null when all are done
 */
export async function rewrapKeys(
  runtime: Runtime,
  tx: Transaction,
  input: { kekId: string; afterId: string | null },
): Promise<{ renewed: number; unreadable: number; lastId: string | null }> {
  const keys = await lockKeysWrappedElsewhere(tx, input.kekId, { afterId: input.afterId, limit: PIECE_KEYS });
  let [renewed, unreadable] = [0, 0];
  for (const key of keys) {
    try {
      const dataKey = unwrapKey(runtime.keyRing, key.tenantId, key);
      // oxlint-disable-next-line no-await-in-loop -- one connection, one row after the other
      await saveWrappedKey(tx, wrapKey(runtime.keyRing, key.tenantId, dataKey));
      renewed++;
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      runtime.log.error({ tenantId: key.tenantId, dataKeyId: key.id }, error.message);
      unreadable++;
    }
  }
  return { renewed, unreadable, lastId: keys.length < PIECE_KEYS ? null : keys.at(-1)!.id };
}
