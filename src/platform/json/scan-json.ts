/** What a document may hold before it is parsed. */
export interface JsonLimits {
  /** Arrays and objects inside each other. */
  depthMax: number;
  /** Members of all objects together. */
  keysMax: number;
}

/**
 * Bun's parser takes 5,000,000 nested arrays, and whatever walks the value afterwards overflows its stack. The second
 * number keeps one document's objects within some tens of megabytes.
 */
export const JSON_LIMITS: JsonLimits = { depthMax: 64, keysMax: 200_000 };

export interface JsonScan {
  code: "too_deep" | "too_many_keys" | undefined;
  /** Byte at which a limit was passed; else the length. */
  offset: number;
  /** A `\u` escape of NUL or of a surrogate occurs: the parsed strings need a look before Postgres gets them. */
  suspicious: boolean;
  /** Members of all objects, doubled ones too. */
  keys: number;
  /** A number has more than 15 characters or an exponent: a double may not hold it (it always holds 15 digits). */
  longNumbers: boolean;
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const NINE = 0x39;
const COLON = 0x3a;
const UPPER_Z = 0x5a;
const BACKSLASH = 0x5c;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
/** Brackets and braces differ by this bit only, as upper and lower case do. */
const CASE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const NUMBER_LENGTH_SAFE = 15;

/**
 * Counts depth and keys of a JSON text without parsing it. Text that is no JSON gives some count; the parser refuses it
 * afterwards.
 */
export function scanJson(bytes: Uint8Array, limits: JsonLimits): JsonScan {
  const { length } = bytes;
  const { depthMax, keysMax } = limits;
  let depth = 0;
  let keys = 0;
  let suspicious = false;
  let longNumbers = false;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at++;
      while (at < length) {
        const inside = bytes[at]!;
        if (inside === QUOTE) break;
        if (inside === BACKSLASH) {
          at++;
          if (bytes[at] === LOWER_U) suspicious ||= isSuspiciousEscape(bytes, at + 1);
        }
        at++;
      }
    } else if (byte === COLON) {
      keys++;
      if (keys > keysMax) return { code: "too_many_keys", offset: at, suspicious, keys, longNumbers };
    } else if (byte > UPPER_Z) {
      const folded = byte | CASE_BIT;
      if (folded === OPEN) {
        depth++;
        if (depth > depthMax) return { code: "too_deep", offset: at, suspicious, keys, longNumbers };
      } else if (folded === CLOSE) {
        depth--;
      }
    } else if (byte >= MINUS) {
      const start = at;
      while (at + 1 < length && isNumberPart(bytes[at + 1]!)) at++;
      if (at - start >= NUMBER_LENGTH_SAFE || ((bytes[at + 1] ?? 0) | CASE_BIT) === LOWER_E)
        longNumbers = true;
    }
  }
  return { code: undefined, offset: length, suspicious, keys, longNumbers };
}

/** Signs, the point and digits. */
function isNumberPart(byte: number): boolean {
  return byte >= PLUS && byte <= NINE && byte !== COMMA;
}

/** `0000`, or `D8` to `DF` in front: the escapes that JSON allows and UTF-8 or Postgres do not. */
function isSuspiciousEscape(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  if (first === 0x30) return second === 0x30 && bytes[at + 2] === 0x30 && bytes[at + 3] === 0x30;
  const isD = (first | 0x20) === 0x64;
  return isD && !(second >= 0x30 && second <= 0x37);
}
