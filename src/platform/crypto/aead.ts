import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** Length of the nonce that SP 800-38D asks for; other lengths are weaker. */
export const IV_BYTES = 12;
export const TAG_BYTES = 16;
export const KEY_BYTES = 32;

/** The bytes are not what was sealed, or belong elsewhere. Never says which: that would be an oracle. */
export class AeadError extends Error {
  constructor() {
    super("Cannot open: the sealed bytes do not belong here or were changed");
    this.name = "AeadError";
  }
}

/**
 * Seals with AES-256-GCM (NIST SP 800-38D) under a random nonce, which is safe for 2^32 messages a key.
 *
 * @param aad bytes that are bound to the text without being in it
 * @returns `iv12 | ciphertext | tag16`
 */
export function seal(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens what `seal` made. The whole text is held back until its tag is checked, so nothing unchecked ever gets out.
 *
 * @throws AeadError
 */
export function open(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Buffer {
  if (sealed.length < IV_BYTES + TAG_BYTES) throw new AeadError();
  const tagStart = sealed.length - TAG_BYTES;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, IV_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(tagStart));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, tagStart)), decipher.final()]);
  } catch {
    throw new AeadError();
  }
}

/**
 * Joins fields to bytes from which no other list of fields could have come: each is preceded by its length (32 bits,
 * big endian). "ab" + "c" and "a" + "bc" give different bytes.
 */
export function lengthPrefixed(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (const field of fields) {
    const bytes = Buffer.from(field, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}
