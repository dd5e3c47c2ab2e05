import { seal } from "../../platform/crypto/aead.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import { HubError } from "../errors.ts";
import { activeDataKey, type DataKey, dataKeyById, type VaultRuntime } from "./data-key.ts";
import { encodeSealed, placeAad, type SecretPlace } from "./sealed-format.ts";

/**
 * Seals a secret for the place where it will be stored, under the tenant's data key.
 *
 * @param sql the transaction at work (hub_app with the tenant set) or hub_system; the tenant must be committed already
 * @param plaintext any text, also an empty one
 * @returns base64 text for the column
 * @throws HubError `invalid_input` for text with a lone surrogate, which would not come out as it went in
 * @throws VaultError when the key ring is empty or lacks the tenant's wrapping key
 */
export async function sealSecret(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  place: SecretPlace,
  plaintext: string,
): Promise<string> {
  if (!plaintext.isWellFormed())
    throw new HubError("invalid_input", "A secret must be well-formed Unicode text.");
  return sealedBy(await activeDataKey(runtime, sql, place.tenantId), place, plaintext);
}

/**
 * Seals what was opened before under a data key that is named, for re-encryption.
 *
 * @throws VaultError when the tenant has no such key
 */
export async function sealWithKey(
  runtime: VaultRuntime,
  sql: Sql | Transaction,
  place: SecretPlace,
  dataKeyId: string,
  plaintext: string,
): Promise<string> {
  return sealedBy(await dataKeyById(runtime, sql, place.tenantId, dataKeyId), place, plaintext);
}

function sealedBy(dataKey: DataKey, place: SecretPlace, plaintext: string): string {
  return encodeSealed(
    dataKey.id,
    seal(dataKey.key, Buffer.from(plaintext, "utf8"), placeAad(place, dataKey.id)),
  );
}
