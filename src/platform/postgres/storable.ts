/** Bytes of one text column of a log row; what is longer is cut and marked. */
const TEXT_BYTES_MAX = 8192;

/** Bytes of one jsonb column of a log row. Header fields are bounded by the server, but a caller's object is not. */
const JSON_BYTES_MAX = 65_536;

const NUL = "\u0000";
const REPLACEMENT = "\uFFFD";

/**
 * Text as Postgres can store it: NUL (22021) and lone surrogates (22P02) become U+FFFD, and what exceeds 8 KB of UTF-8
 * is cut at a character with the true size as a mark.
 */
export function storableText(text: string): string {
  // Three bytes are the most that one UTF-16 unit needs.
  const fits = text.length * 3 <= TEXT_BYTES_MAX || Buffer.byteLength(text) <= TEXT_BYTES_MAX;
  const kept = fits ? text : cutText(text);
  const withoutNul = kept.includes(NUL) ? kept.replaceAll(NUL, REPLACEMENT) : kept;
  return withoutNul.isWellFormed() ? withoutNul : withoutNul.toWellFormed();
}

function cutText(text: string): string {
  const size = Buffer.byteLength(text);
  const room = new Uint8Array(TEXT_BYTES_MAX);
  const { read } = new TextEncoder().encodeInto(text, room);
  return `${text.slice(0, read)}… [cut, ${size} bytes]`;
}

/**
 * A value as JSON text that Postgres accepts as jsonb. A document that is too large is replaced by its size, because
 * half a document is none.
 */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (json.length * 3 > JSON_BYTES_MAX) {
    const bytes = Buffer.byteLength(json);
    if (bytes > JSON_BYTES_MAX) return `{"cut":true,"bytes":${bytes}}`;
  }
  // JSON.stringify writes NUL and lone surrogates as escapes, and no other surrogate.
  if (!json.includes("\\u")) return json;
  return json.replace(/\\(?:u0000|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)/g, (escape) =>
    escape.length === 6 && (escape === "\\u0000" || /^\\u[dD]/.test(escape)) ? REPLACEMENT : escape,
  );
}

/**
 * An array of bytes as the text of a Postgres array, for `${…}::text::bytea[]`. postgres.js knows the array type of
 * bytea only after its first answer, so that an array as the first parameter of a connection would be refused.
 */
export function byteaArrayText(values: readonly (Uint8Array | null)[]): string {
  const items = values.map((value) =>
    value === null
      ? "NULL"
      : `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}"`,
  );
  return `{${items.join(",")}}`;
}
