import { IV_BYTES, lengthPrefixed, TAG_BYTES } from "../../platform/crypto/aead.ts";

/**
 * Where a secret stands. It is bound to this place: the same blob in another row, column, path or tenant does not open.
 */
export interface SecretPlace {
  tenantId: string;
  table: string;
  rowId: string;
  column: string;
  /** Place inside a JSON column, for example `/clientSecret`. */
  path?: string;
}

/** The one format of sealed text: `0x01 | data key id (16 bytes) | iv12 | ciphertext | tag16`, in base64. */
export const SEALED_VERSION = 1;
const KEY_ID_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES;

/** Bytes that the seal covers besides the secret (DESIGN.md section 7). */
export function placeAad(place: SecretPlace, dataKeyId: string): Buffer {
  return lengthPrefixed([
    String(SEALED_VERSION),
    place.tenantId.toLowerCase(),
    place.table,
    place.rowId.toLowerCase(),
    place.column,
    place.path ?? "",
    dataKeyId,
  ]);
}

/** @param sealed `iv12 | ciphertext | tag16` */
export function encodeSealed(dataKeyId: string, sealed: Uint8Array): string {
  const keyId = Buffer.from(dataKeyId.replaceAll("-", ""), "hex");
  return Buffer.concat([Buffer.from([SEALED_VERSION]), keyId, sealed]).toString("base64");
}

/** @returns undefined when the text is no sealed secret of this format */
export function decodeSealed(text: string): { dataKeyId: string; sealed: Uint8Array } | undefined {
  const bytes = Buffer.from(text, "base64");
  // Node's decoder skips what is no base64; only the one spelling that was written is taken.
  if (bytes.toString("base64") !== text) return undefined;
  if (bytes.length < HEADER_BYTES + IV_BYTES + TAG_BYTES || bytes[0] !== SEALED_VERSION) return undefined;
  const hex = bytes.toString("hex", 1, HEADER_BYTES);
  const dataKeyId = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
  return { dataKeyId, sealed: bytes.subarray(HEADER_BYTES) };
}
