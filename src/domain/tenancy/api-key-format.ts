import { createHash, randomBytes } from "node:crypto";

/*
 * An API key is `hub_` + 12 characters that name it + 43 characters of secret + 6 characters of checksum. The prefix
 * lets leak scanners find keys, the checksum lets them (and us) drop look-alikes without a look-up. The secret is 256
 * random bits, so a single SHA-256 is enough at rest: there is nothing to guess that a slow hash would protect.
 */
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_LENGTH = 12;
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const KEY = new RegExp(`^hub_[0-9A-Za-z]{${ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** A new key: `key` is shown once, `prefix` names it for ever, `secretHash` is what is stored. */
export interface NewApiKey {
  key: string;
  prefix: string;
  secretHash: Buffer;
}

/** Makes an API key from the system's random source. */
export function makeApiKey(): NewApiKey {
  const prefix = `hub_${base62(randomBytes(9), ID_LENGTH)}`;
  const body = prefix + base62(randomBytes(32), SECRET_LENGTH);
  const key = body + checksum(body);
  return { key, prefix, secretHash: hashApiKey(key) };
}

/**
 * The public part of a key, by which it is looked up.
 *
 * @returns undefined when the text is no API key or its checksum is wrong
 */
export function apiKeyPrefix(text: string): string | undefined {
  if (!KEY.test(text)) return undefined;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === text.slice(-CHECKSUM_LENGTH) ? namedPrefix(text) : undefined;
}

/** Where the public part of a key stands, whether the text is a key or not. */
export function namedPrefix(text: string): string {
  return text.slice(0, 4 + ID_LENGTH);
}

/** SHA-256 of the whole key, 32 bytes. */
export function hashApiKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

function checksum(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Bun.hash.crc32(text));
  return base62(bytes, CHECKSUM_LENGTH);
}

/** A big-endian number in base 62, padded on the left; digits beyond `length` are dropped. */
function base62(bytes: Buffer, length: number): string {
  let rest = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  for (let index = 0; index < length; index++) {
    text = ALPHABET[Number(rest % 62n)]! + text;
    rest /= 62n;
  }
  return text;
}
