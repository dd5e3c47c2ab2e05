import { isAscii, isUtf8 } from "node:buffer";
import type { X12Document } from "./model.ts";
import type { X12Settings } from "./settings.ts";

/** A document's bytes as text, and the way back from an offset in it to a byte. */
export interface DecodedText {
  text: string;
  codes: X12Document["codes"];
  encoding: X12Document["encoding"];
  lineBreaks: X12Document["lineBreaks"];
  byteOffset: (offset: number) => number;
}

/**
 * Decodes without loss: ASCII and UTF-8 as what they are, anything else as ISO 8859-1, where each byte is one character.
 * A byte-order mark stays in the text as U+FEFF.
 *
 * @returns null when the settings demand UTF-8 and the bytes are not
 */
export function decodeText(bytes: Uint8Array, settings: X12Settings): DecodedText | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const encoding = chooseEncoding(buffer, settings.encoding);
  if (encoding === null) return null;
  const original = buffer.toString(encoding === "utf-8" ? "utf8" : "latin1");
  const byteOf = encoding === "utf-8" ? utf8Offsets(original) : (offset: number) => offset;
  if (settings.lineBreaks === "keep") {
    const codes =
      encoding === "utf-8"
        ? characterCodes(original)
        : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { text: original, codes, encoding, lineBreaks: [], byteOffset: byteOf };
  }
  const { text, lineBreaks, originalOffset } = removeLineBreaks(original);
  const codes = characterCodes(text);
  return { text, codes, encoding, lineBreaks, byteOffset: (offset) => byteOf(originalOffset(offset)) };
}

/** The code of each UTF-16 unit, 255 for those that are not ASCII: read by number in half the time of a text. */
export function characterCodes(text: string): Uint8Array {
  const codes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    codes[at] = code < 128 ? code : 255;
  }
  return codes;
}

/** The bytes of text in the encoding that it came in. */
export function encodeText(text: string, encoding: X12Document["encoding"]): Uint8Array {
  return Buffer.from(text, encoding === "utf-8" ? "utf8" : "latin1");
}

function chooseEncoding(buffer: Buffer, wanted: X12Settings["encoding"]): X12Document["encoding"] | null {
  if (isAscii(buffer)) return "ascii";
  if (wanted === "latin1") return "latin1";
  if (isUtf8(buffer)) return "utf-8";
  return wanted === "utf-8" ? null : "latin1";
}

/** Characters between two known places in UTF-8 text. */
const STEP = 4_096;

/** Counts the bytes of the text once, when an offset is first asked for, and then walks at most one step. */
function utf8Offsets(text: string): (offset: number) => number {
  let bytesAt: Uint32Array | null = null;
  return (offset) => {
    bytesAt ??= countSteps(text);
    const step = Math.min(Math.floor(offset / STEP), bytesAt.length - 1);
    const from = step * STEP;
    const cut = offset > from && isLowSurrogate(text.charCodeAt(from)) ? 2 : 0;
    return bytesAt[step]! + Buffer.byteLength(text.slice(from, offset)) - cut;
  };
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

function countSteps(text: string): Uint32Array {
  const bytesAt = new Uint32Array(Math.floor(text.length / STEP) + 1);
  for (let step = 1; step < bytesAt.length; step += 1) {
    const part = text.slice((step - 1) * STEP, step * STEP);
    // Each half of a pair that a step cuts is counted as three bytes; the pair has four.
    const cut = isLowSurrogate(text.charCodeAt((step - 1) * STEP)) ? 2 : 0;
    bytesAt[step] = bytesAt[step - 1]! + Buffer.byteLength(part) - cut;
  }
  return bytesAt;
}

function removeLineBreaks(original: string): {
  text: string;
  lineBreaks: { offset: number; text: string }[];
  originalOffset: (offset: number) => number;
} {
  const lineBreaks: { offset: number; text: string }[] = [];
  const kept: string[] = [];
  let from = 0;
  for (const match of original.matchAll(/[\r\n]+/g)) {
    kept.push(original.slice(from, match.index));
    lineBreaks.push({ offset: match.index, text: match[0] });
    from = match.index + match[0].length;
  }
  kept.push(original.slice(from));
  // Offset in the shortened text at which each break stood, and how much was gone after it.
  const breakAt: number[] = [];
  const goneAfter: number[] = [];
  let gone = 0;
  for (const { offset, text } of lineBreaks) {
    breakAt.push(offset - gone);
    gone += text.length;
    goneAfter.push(gone);
  }
  const originalOffset = (offset: number): number => {
    let low = 0;
    let high = breakAt.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (breakAt[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? offset : offset + goneAfter[low - 1]!;
  };
  return { text: kept.join(""), lineBreaks, originalOffset };
}
