import { redactFormText, redactJsonText, redactMultipartText, redactXmlText } from "./redact-document.ts";
import { isSecretName, normalName, REDACTED } from "./secret-names.ts";
import { createValueRedactor } from "./secret-values.ts";

/** Removes secrets from what is about to be stored or shown. */
export interface Redactor {
  /** One header's value as it may be shown. */
  header(name: string, value: string): string;
  /** Header values by name; the values of secret headers and known secrets inside others are replaced. */
  headers(headers: Iterable<readonly [string, string]>): Record<string, string>;
  /** A query without its `?`, as an object; names that stand twice become arrays. */
  query(search: string): Record<string, string | string[]>;
  /** A URL or a path with its query: userinfo, secret parameters and known secrets are replaced. */
  url(url: string): string;
  /** A body by its media type; at most `bytesMax` bytes are kept. Bytes that are no UTF-8 are kept when nothing known is in them. */
  body(body: Uint8Array, contentType: string | null, bytesMax: number): Uint8Array;
  /** Free text, such as an error message. */
  text(text: string): string;
}

/**
 * Read further than is kept: a secret that is cut at the edge is no longer recognised, so the last part of what was
 * read is thrown away.
 */
const OVERLAP_BYTES = 4096;

/**
 * Makes a redactor. Time is linear in the text for each known secret.
 *
 * @param options.secrets plain values that must not appear anywhere, also not base64- or URL-encoded
 * @param options.names further secret names, such as an integration's own key header or a scheme's signature header
 */
export function createRedactor(
  options: { secrets?: readonly string[]; names?: readonly string[] } = {},
): Redactor {
  const extra = new Set((options.names ?? []).map(normalName));
  const text = createValueRedactor(options.secrets ?? []);
  const url = (given: string): string => {
    const queryStart = given.search(/[?#]/);
    if (queryStart < 0) return text(given);
    // The implicit grant hands tokens over in the fragment (RFC 6749 section 4.2.2).
    const parts = given.slice(queryStart + 1).split("#");
    const shown = parts.map((part) => redactFormText(part, extra)).join("#");
    return text(given.slice(0, queryStart + 1) + shown);
  };
  const kindOf = createHeaderJudge(extra);
  const header = (name: string, value: string): string => {
    const kind = kindOf(name);
    return kind === "secret" ? REDACTED : kind === "url" ? url(value) : text(value);
  };
  return {
    text,
    url,
    header,
    headers: (headers) => {
      const shown: Record<string, string> = {};
      for (const [name, given] of headers) {
        const value = header(name, given);
        // An assignment would set the prototype.
        if (name === "__proto__")
          Object.defineProperty(shown, name, { value, enumerable: true, configurable: true, writable: true });
        else shown[name] = value;
      }
      return shown;
    },
    query: (search) => {
      const entries = new Map<string, string | string[]>();
      for (const [name, value] of new URLSearchParams(search)) {
        const shown = isSecretName(name, "query", extra) ? REDACTED : text(value);
        const before = entries.get(name);
        entries.set(name, before === undefined ? shown : [before, shown].flat());
      }
      return Object.fromEntries(entries);
    },
    body: (body, contentType, bytesMax) => redactBody(body, contentType, bytesMax, extra, text),
  };
}

/** Headers whose value is an address that may carry a secret in its query. */
function isUrlHeader(name: string): boolean {
  return /^(?:location|referer|content-location|link)$/i.test(name);
}

type HeaderKind = "secret" | "url" | "plain";

/** Header names are few and come again with every request, except where somebody sends random ones. */
const NAMES_KNOWN_MAX = 1_000;

/** Judges header names, each once. */
function createHeaderJudge(extra: ReadonlySet<string>): (name: string) => HeaderKind {
  const known = new Map<string, HeaderKind>();
  return (name) => {
    let kind = known.get(name);
    if (kind === undefined) {
      kind = isSecretName(name, "header", extra) ? "secret" : isUrlHeader(name) ? "url" : "plain";
      if (known.size >= NAMES_KNOWN_MAX) known.clear();
      known.set(name, kind);
    }
    return kind;
  };
}

function redactBody(
  body: Uint8Array,
  contentType: string | null,
  bytesMax: number,
  extra: ReadonlySet<string>,
  redactText: (text: string) => string,
): Uint8Array {
  const isCut = body.byteLength > bytesMax + OVERLAP_BYTES;
  const read = isCut ? body.subarray(0, bytesMax + OVERLAP_BYTES) : body;
  const given = decodeLossless(read);
  const named = redactByType(given.text, contentType, extra);
  const redacted = redactText(named);
  if (redacted === given.text) return read.subarray(0, bytesMax);
  const bytes = Buffer.from(redacted, given.encoding);
  return bytes.subarray(
    0,
    Math.min(bytesMax, isCut ? Math.max(0, bytes.length - OVERLAP_BYTES) : bytes.length),
  );
}

/** Bytes as text that turns back into the same bytes: UTF-8 where they are, else one character a byte. */
function decodeLossless(bytes: Uint8Array): { text: string; encoding: "utf8" | "latin1" } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  return text.includes("\uFFFD")
    ? { text: buffer.toString("latin1"), encoding: "latin1" }
    : { text, encoding: "utf8" };
}

function redactByType(text: string, contentType: string | null, extra: ReadonlySet<string>): string {
  const type = contentType?.toLowerCase() ?? "";
  if (type.includes("x-www-form-urlencoded")) return redactFormText(text, extra);
  if (type.includes("multipart/form-data")) return redactMultipartText(text, extra);
  const first = text.trimStart()[0];
  if (type.includes("json") || first === "{" || first === "[") return redactJsonText(text, extra);
  if (type.includes("xml") || first === "<") return redactXmlText(text, extra);
  return text;
}
