import type { FormatFault, Place } from "./fault.ts";
import type { Encoding } from "./settings.ts";
import { findBrokenUtf8 } from "./utf8.ts";

/** Encodings that bytes can be read from; UTF-16 in big-endian order only by its mark or by XML's first characters. */
export type SourceEncoding = Encoding | "utf-16be";

/** A document's characters, and the way back from a character to its place in the bytes. */
export interface SourceText {
  /** Without the byte-order mark. */
  text: string;
  encoding: SourceEncoding;
  /** Length of the byte-order mark. */
  markBytes: number;
}

export type DecodedSource = { ok: true; source: SourceText } | { ok: false; faults: FormatFault[] };

const MARKS: readonly (readonly [bytes: readonly number[], encoding: SourceEncoding])[] = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];

/** The encoding that a byte-order mark tells, if there is one. */
export function readMark(bytes: Uint8Array): { encoding: SourceEncoding; markBytes: number } | undefined {
  // No mark begins with a byte below this; the loop costs as much as decoding a small document.
  if (bytes[0] === undefined || bytes[0] < 0xef) return undefined;
  for (const [mark, encoding] of MARKS) {
    if (mark.every((byte, index) => bytes[index] === byte)) return { encoding, markBytes: mark.length };
  }
  return undefined;
}

/**
 * Decodes a whole document. A byte-order mark wins over `declared`; bytes that the encoding does not have are refused
 * with the place of the first.
 */
export function decodeSource(bytes: Uint8Array, declared: SourceEncoding = "utf-8"): DecodedSource {
  const { encoding, markBytes } = readMark(bytes) ?? { encoding: declared, markBytes: 0 };
  const body = markBytes === 0 ? bytes : bytes.subarray(markBytes);
  try {
    return { ok: true, source: { text: decodeText(body, encoding), encoding, markBytes } };
  } catch {
    const broken = encoding === "utf-8" ? findBrokenUtf8(body) : findBrokenUtf16(body, encoding);
    const before = decodeText(body.subarray(0, broken), encoding);
    const place = placeAt({ text: before, encoding, markBytes }, before.length);
    return { ok: false, faults: [brokenBytes(encoding, place)] };
  }
}

export function brokenBytes(encoding: SourceEncoding, place: Place): FormatFault {
  const message = `The bytes at offset ${place.offset} are not ${encoding.toUpperCase()}`;
  return { code: "invalid_encoding", message, ...place };
}

const decoders: Readonly<Record<Exclude<SourceEncoding, "iso-8859-1">, TextDecoder>> = {
  "utf-8": new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }),
  "utf-16le": new TextDecoder("utf-16le", { fatal: true, ignoreBOM: true }),
  "utf-16be": new TextDecoder("utf-16be", { fatal: true, ignoreBOM: true }),
  "windows-1252": new TextDecoder("windows-1252", { fatal: true }),
};

/**
 * Decodes without regard to byte-order marks.
 *
 * @throws {TypeError} where the bytes are not of the encoding
 */
export function decodeText(bytes: Uint8Array, encoding: SourceEncoding): string {
  // A TextDecoder takes "iso-8859-1" for windows-1252 (WHATWG Encoding); bytes 0x80 to 0x9F differ.
  if (encoding === "iso-8859-1") {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  }
  return decoders[encoding].decode(bytes);
}

/** Offset of the first unit that is half of a character, or of a last odd byte. */
export function findBrokenUtf16(bytes: Uint8Array, encoding: SourceEncoding): number {
  const high = encoding === "utf-16be" ? 0 : 1;
  for (let at = 0; at < bytes.length; at += 2) {
    const byte = bytes[at + high] ?? 0;
    if (at + 1 >= bytes.length || (byte & 0xfc) === 0xdc) return at;
    if ((byte & 0xfc) !== 0xd8) continue;
    if (((bytes[at + 2 + high] ?? 0) & 0xfc) !== 0xdc) return at;
    at += 2;
  }
  return bytes.length;
}

/** How many bytes a text takes in an encoding. */
export function encodedLength(text: string, encoding: SourceEncoding): number {
  if (encoding === "utf-8") return Buffer.byteLength(text);
  return encoding === "utf-16le" || encoding === "utf-16be" ? text.length * 2 : text.length;
}

/** Place of a character by its index in the text (UTF-16 units, as JavaScript counts). */
export function placeAt(source: SourceText, index: number): Place {
  const before = source.text.slice(0, index);
  const { lines, columns } = measureText(before);
  return {
    line: 1 + lines,
    column: 1 + columns,
    offset: source.markBytes + encodedLength(before, source.encoding),
  };
}

/** Line breaks (LF, CR LF, CR) of a text, and characters after the last of them. */
export function measureText(text: string): { lines: number; columns: number } {
  let lines = 0;
  let lineStart = 0;
  for (const match of text.matchAll(/\r\n?|\n/g)) {
    lines++;
    lineStart = match.index + match[0].length;
  }
  return { lines, columns: countCharacters(text, lineStart) };
}

function countCharacters(text: string, from: number): number {
  let count = 0;
  for (let index = from; index < text.length; index++) {
    if ((text.charCodeAt(index) & 0xfc00) !== 0xdc00) count++;
  }
  return count;
}
