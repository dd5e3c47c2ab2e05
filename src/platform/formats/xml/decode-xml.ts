import type { FormatFault } from "../fault.ts";
import { decodeSource, readMark, type DecodedSource, type SourceEncoding } from "../source-text.ts";

/** Names of encodings that a declaration may say (IANA), in lower case. */
const DECLARED: Readonly<Record<string, SourceEncoding>> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  "us-ascii": "utf-8",
  ascii: "utf-8",
  "iso-8859-1": "iso-8859-1",
  "iso_8859-1": "iso-8859-1",
  latin1: "iso-8859-1",
  "windows-1252": "windows-1252",
  cp1252: "windows-1252",
};

/** A declaration is pure ASCII and stands at the very beginning, so that much can be read before the encoding is known. */
const DECLARATION = /^<\?xml[ \t\r\n][^?>]*?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z][\w.-]*)["']/;
const DECLARATION_BYTES_MAX = 1024;

export type XmlEncoding = { ok: true; encoding: SourceEncoding } | { ok: false; faults: FormatFault[] };

/**
 * The encoding of an XML document by its first bytes (XML 1.0, appendix F): byte-order mark, UTF-16 by the pattern of
 * `<`, then the declaration, then `outer`, which somebody told from outside.
 */
export function detectXmlEncoding(head: Uint8Array, outer: SourceEncoding = "utf-8"): XmlEncoding {
  const mark = readMark(head);
  if (head[0] === 0xff && head[1] === 0xfe && head[2] === 0 && head[3] === 0) return unsupported("UTF-32");
  if (head[0] === 0 && head[1] === 0) return unsupported("UTF-32");
  const wide =
    mark === undefined ? wideEncoding(head) : mark.encoding === "utf-8" ? undefined : mark.encoding;
  const from = mark?.markBytes ?? 0;
  // A declaration is ASCII: of UTF-16 every other byte says it.
  const ascii = Buffer.from(head.subarray(from, from + DECLARATION_BYTES_MAX)).toString("latin1");
  const name = DECLARATION.exec(wide === undefined ? ascii : ascii.replaceAll("\u0000", ""))?.[1];
  if (wide !== undefined) {
    return name === undefined || WIDE_NAME.test(name) ? { ok: true, encoding: wide } : unsupported(name);
  }
  if (name === undefined) return { ok: true, encoding: mark === undefined ? outer : "utf-8" };
  const encoding = DECLARED[name.toLowerCase()];
  if (encoding === undefined || (mark !== undefined && encoding !== "utf-8")) return unsupported(name);
  return { ok: true, encoding };
}

const WIDE_NAME = /^(?:utf-16(?:le|be)?|iso-10646-ucs-2)$/i;

/** UTF-16 without its mark, by its first character. */
function wideEncoding(head: Uint8Array): SourceEncoding | undefined {
  if (head[0] === 0x3c && head[1] === 0) return "utf-16le";
  return head[0] === 0 && head[1] === 0x3c ? "utf-16be" : undefined;
}

function unsupported(name: string): { ok: false; faults: FormatFault[] } {
  const message = `The document says that its encoding is ${name}, which its bytes are not or which is not read here`;
  return { ok: false, faults: [{ code: "unsupported_encoding", message, line: 1, column: 1, offset: 0 }] };
}

/** Decodes a whole XML document. */
export function decodeXml(bytes: Uint8Array, outer?: SourceEncoding): DecodedSource {
  const detected = detectXmlEncoding(bytes, outer);
  return detected.ok ? decodeSource(bytes, detected.encoding) : detected;
}
