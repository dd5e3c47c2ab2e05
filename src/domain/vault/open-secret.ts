import { open } from "../../platform/crypto/aead.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import { dataKeyById, VaultError, type VaultRuntime } from "./data-key.ts";
import { decodeSealed, placeAad, type SecretPlace } from "./sealed-format.ts";

/**
 * Opens a secret that stands where it was sealed for.
 *
 * @param sql the transaction at work (hub_app with the tenant set) or hub_system
 * @param sealedText the column's base64 text
 * @returns the secret as it was given to `sealSecret`
 * @throws VaultError when it was changed, stands in another place, or its key is gone
 */
export async function openSecret(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  place: SecretPlace,
  sealedText: string,
): Promise<string> {
  const decoded = decodeSealed(sealedText);
  if (!decoded) throw new VaultError(`Cannot open ${place.table}.${place.column}: it holds no sealed secret`);
  const dataKey = await dataKeyById(runtime, sql, place.tenantId, decoded.dataKeyId);
  try {
    return open(dataKey.key, decoded.sealed, placeAad(place, dataKey.id)).toString("utf8");
  } catch (error) {
    throw new VaultError(
      `Cannot open ${place.table}.${place.column} of ${place.rowId}: changed, or sealed elsewhere`,
      {
        cause: error,
      },
    );
  }
}
