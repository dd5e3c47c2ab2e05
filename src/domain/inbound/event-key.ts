/** Characters of an event key: 12 bytes as base64url. */
export const EVENT_KEY_LENGTH = 16;

/**
 * Prepares the dedupe key of one endpoint. SHA-256, because a sender who could make two ids collide across endpoints
 * could silence another's events.
 *
 * @returns a function from an event id to 16 characters
 */
export function eventKeyHasher(endpointId: string): (eventId: string | Uint8Array) => string {
  const prefix = `${endpointId}\n`;
  const base = new Bun.CryptoHasher("sha256").update(prefix);
  return (eventId) => {
    // One call takes half as long as a copied hasher (0.27 against 0.57 µs); a body would have to be joined for it.
    const digest =
      typeof eventId === "string"
        ? Bun.SHA256.hash(prefix + eventId, "base64url")
        : base.copy().update(eventId).digest("base64url");
    return digest.slice(0, EVENT_KEY_LENGTH);
  };
}

/** Scratch for the bytes of one id. */
const idBytes = Buffer.alloc(16);

/**
 * What is remembered with an event id: the first receipt's id and a checksum of its body, and for an id that is only
 * the body's hash the second from which its 300 s count (see accept.lua).
 */
export function dedupeValue(
  receiptId: string,
  checksum: string,
  shortWindowFromSeconds: number | undefined,
): string {
  idBytes.write(receiptId.replaceAll("-", ""), "hex");
  const value = idBytes.toString("base64url") + checksum;
  return shortWindowFromSeconds === undefined ? value : `${value}${shortWindowFromSeconds}`;
}

/** Takes a dedupe value apart: the first receipt's id, and whether this body is the same as the first one. */
export function readDedupeValue(value: string, checksum: string): { receiptId: string; sameBody: boolean } {
  const hex = Buffer.from(value.slice(0, 22), "base64url").toString("hex");
  const receiptId = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  return { receiptId, sameBody: value.slice(22, 28) === checksum };
}

/** Six characters: enough to tell "same id, other body" for the operator's count; nothing is decided by it. */
export function bodyChecksum(body: Uint8Array): string {
  return Bun.hash.crc32(body).toString(36).padStart(7, "0").slice(1);
}
