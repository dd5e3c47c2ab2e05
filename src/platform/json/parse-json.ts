import type { JsonLimits } from "./scan-json.ts";
import { JSON_LIMITS, scanJson } from "./scan-json.ts";

/**
 * `text` is the document without its byte-order mark. `storable`: no string holds NUL or half a surrogate pair, so
 * Postgres takes the value as text and jsonb (otherwise 22P05 or 22P02 would fail its whole batch; see
 * `storableJson`). `offset` is a byte of the input, or -1 when the parser does not tell.
 */
export type JsonOutcome =
  | { ok: true; value: unknown; text: string; storable: boolean }
  | {
      ok: false;
      code: "invalid_utf8" | "too_deep" | "too_many_keys" | "invalid_json";
      message: string;
      offset: number;
    };

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/**
 * Parses JSON that a stranger sent: strict UTF-8 (RFC 8259, section 8.1; a byte-order mark is ignored), strict grammar,
 * depth and keys counted before the parser runs. Of doubled keys the last counts. `"__proto__"` becomes a key of its
 * own and changes no prototype.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = JSON_LIMITS): JsonOutcome {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { ok: false, code: "invalid_utf8", message: "The document is not valid UTF-8", offset: -1 };
  }
  const scan = scanJson(bytes, limits);
  if (scan.code === "too_deep") {
    const message = `The document is nested deeper than ${limits.depthMax} levels`;
    return { ok: false, code: scan.code, message, offset: scan.offset };
  }
  if (scan.code === "too_many_keys") {
    const message = `The document has more than ${limits.keysMax} keys`;
    return { ok: false, code: scan.code, message, offset: scan.offset };
  }
  try {
    const value: unknown = JSON.parse(text);
    return { ok: true, value, text, storable: !scan.suspicious || isStorable(value) };
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^JSON Parse error: /, "") : "syntax error";
    return { ok: false, code: "invalid_json", message: `The document is not JSON: ${reason}`, offset: -1 };
  }
}

function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\u0000");
}

function isStorable(value: unknown): boolean {
  if (typeof value === "string") return isStorableText(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, member]) => isStorableText(key) && isStorable(member));
}

/**
 * JSON text that Postgres takes as jsonb: NUL and halves of surrogate pairs become U+FFFD. For display and search; what
 * is to stay as it was sent is kept as bytes.
 *
 * @param value a value of `parseJson`, which bounds its depth
 */
export function storableJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  // JSON.stringify writes exactly these two as \u escapes in lower case; an escaped backslash is skipped as a pair.
  return text.replaceAll(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g, (escape) =>
    /^\\u(?:0000|d)/.test(escape) ? "\uFFFD" : escape,
  );
}
