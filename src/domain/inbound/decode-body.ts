import { parseJson } from "../../platform/json/parse-json.ts";
import type { JsonLimits } from "../../platform/json/scan-json.ts";
import { JSON_LIMITS } from "../../platform/json/scan-json.ts";
import { decodeContent } from "../../platform/formats/decode-content.ts";

export interface EncodedBody {
  /** As received. */
  bytes: Uint8Array;
  contentEncoding?: string | undefined;
  contentType?: string | undefined;
  /** Bytes after decoding. */
  maxBytes: number;
  jsonLimits?: JsonLimits;
}

export type BodyFailureCode =
  | "body_encoding_unsupported"
  | "body_encoding_invalid"
  | "body_too_large_decoded"
  | "body_charset_unsupported"
  | "body_not_text"
  | "body_not_json"
  | "body_too_deep"
  | "body_too_many_keys";

/**
 * A body as its handler sees it. `value` is the document: the parsed JSON, the fields of a form (a repeated field is
 * an array), or the text of XML and plain text. `text` is JSON text for `json` and `form` (what a transformation gets),
 * else the text. `storable`: see `parseJson`. `binary` has bytes only.
 */
export type DecodedBody =
  | { ok: true; kind: "json" | "form" | "text"; value: unknown; text: string; storable: boolean }
  | { ok: true; kind: "binary"; bytes: Uint8Array }
  | { ok: true; kind: "empty" }
  | { ok: false; code: BodyFailureCode; message: string };

const JSON_CODES = {
  invalid_utf8: "body_not_text",
  invalid_json: "body_not_json",
  too_deep: "body_too_deep",
  too_many_keys: "body_too_many_keys",
} as const;

const JSON_TYPE = /^(?:application|text)\/(?:json|[a-z0-9.!#$&^_-]+\+json)$/;
const TEXT_TYPE = /^(?:text\/|application\/(?:xml|xop|edi-x12|edifact|edi-consent|soap)|.*\+xml$)/;
const CHARSET = /;\s*charset\s*=\s*"?([A-Za-z0-9._:-]+)"?/i;
const XML_ENCODING = /^<\?xml\s[^>]{0,80}?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']/;

/** Fields of a form; each becomes a key. */
const FORM_FIELDS_MAX = 1_000;

/**
 * Decodes the body of a receipt: content encoding under a limit, charset, then by content type. A body without a type,
 * or one that says plain text (Amazon SNS sends its JSON so), is JSON when it parses as such.
 *
 * @returns what it is, or a code for the dead letter; never throws on input
 */
export async function decodeBody(body: EncodedBody): Promise<DecodedBody> {
  const content = await decodeContent(body.bytes, body.contentEncoding, body.maxBytes);
  if (!content.ok) return content;
  const { bytes } = content;
  if (bytes.length === 0) return { ok: true, kind: "empty" };
  const header = body.contentType ?? "";
  const type = (header.split(";", 1)[0] ?? "").trim().toLowerCase();
  const charset = CHARSET.exec(header)?.[1]?.toLowerCase();
  const limits = body.jsonLimits ?? JSON_LIMITS;
  if (JSON_TYPE.test(type)) return decodeJson(bytes, charset, limits);
  if (type === "application/x-www-form-urlencoded") return decodeForm(bytes, charset);
  if ((type === "" || type === "text/plain") && startsLikeJson(bytes)) {
    const json = decodeJson(bytes, charset, limits);
    if (json.ok || json.code !== "body_not_json") return json;
  }
  if (type === "" || TEXT_TYPE.test(type)) {
    const text = decodeText(bytes, charset);
    // Without a type nothing was promised; a body that says it is text and is not is a fault.
    if (!text.ok) return type === "" ? { ok: true, kind: "binary", bytes } : text;
    return { ok: true, kind: "text", value: text.text, text: text.text, storable: isStorable(text.text) };
  }
  return { ok: true, kind: "binary", bytes };
}

type Text = { ok: true; text: string } | { ok: false; code: BodyFailureCode; message: string };

function decodeJson(bytes: Uint8Array, charset: string | undefined, limits: JsonLimits): DecodedBody {
  let utf8 = bytes;
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
    const text = decodeText(bytes, charset);
    if (!text.ok) return text;
    utf8 = Buffer.from(text.text, "utf8");
  }
  const parsed = parseJson(utf8, limits);
  if (!parsed.ok) return { ok: false, code: JSON_CODES[parsed.code], message: parsed.message };
  return { ok: true, kind: "json", value: parsed.value, text: parsed.text, storable: parsed.storable };
}

function decodeForm(bytes: Uint8Array, charset: string | undefined): DecodedBody {
  const text = decodeText(bytes, charset);
  if (!text.ok) return text;
  const fields = new Map<string, string | string[]>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(text.text)) {
    count++;
    if (count > FORM_FIELDS_MAX) {
      const message = `The form has more than ${FORM_FIELDS_MAX} fields`;
      return { ok: false, code: "body_too_many_keys", message };
    }
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : [before, value].flat());
  }
  // fromEntries makes an own key of every name, `__proto__` too.
  const value = Object.fromEntries(fields);
  const storable = [...fields].flat(2).every(isStorable);
  return { ok: true, kind: "form", value, text: JSON.stringify(value), storable };
}

/** By byte-order mark, then the header, then the XML declaration, then UTF-8. */
function decodeText(bytes: Uint8Array, charset: string | undefined): Text {
  const label = bomCharset(bytes) ?? charset ?? declaredCharset(bytes) ?? "utf-8";
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(label, { fatal: true });
  } catch {
    const message = `The charset "${label.slice(0, 40)}" is not supported`;
    return { ok: false, code: "body_charset_unsupported", message };
  }
  try {
    return { ok: true, text: decoder.decode(bytes) };
  } catch {
    return { ok: false, code: "body_not_text", message: `The body is not valid ${decoder.encoding} text` };
  }
}

function bomCharset(bytes: Uint8Array): string | undefined {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return "utf-8";
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return undefined;
}

function declaredCharset(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 160)).toString("latin1");
  return XML_ENCODING.exec(start)?.[1]?.toLowerCase();
}

/** `{` or `[` after white space and a byte-order mark. */
function startsLikeJson(bytes: Uint8Array): boolean {
  let at = bomCharset(bytes) === "utf-8" ? 3 : 0;
  while (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0a || bytes[at] === 0x0d) at++;
  return bytes[at] === 0x7b || bytes[at] === 0x5b;
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\u0000");
}
