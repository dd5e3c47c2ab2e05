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
}

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Counts depth and keys of a JSON text without parsing it. Text that is no JSON gives some count; the parser refuses it
 * afterwards.
 */
export function scanJson(bytes: Uint8Array, limits: JsonLimits): JsonScan {
  const { length } = bytes;
  let depth = 0;
  let keys = 0;
  let suspicious = false;
  let at = 0;
  while (at < length) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at++;
      while (at < length && bytes[at] !== QUOTE) {
        if (bytes[at] === BACKSLASH) {
          at++;
          if (bytes[at] === LOWER_U) suspicious ||= isSuspiciousEscape(bytes, at + 1);
        }
        at++;
      }
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      if (depth > limits.depthMax) return { code: "too_deep", offset: at, suspicious };
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    } else if (byte === COLON) {
      keys++;
      if (keys > limits.keysMax) return { code: "too_many_keys", offset: at, suspicious };
    }
    at++;
  }
  return { code: undefined, offset: length, suspicious };
}

/** `0000`, or `D8` to `DF` in front: the escapes that JSON allows and UTF-8 or Postgres do not. */
function isSuspiciousEscape(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  if (first === 0x30) return second === 0x30 && bytes[at + 2] === 0x30 && bytes[at + 3] === 0x30;
  const isD = (first | 0x20) === 0x64;
  return isD && !(second >= 0x30 && second <= 0x37);
}
