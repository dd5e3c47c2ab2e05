import type { FaultCode } from "./fault-codes.ts";
import type { Separators, X12Document, X12Segment } from "./model.ts";
import { segmentsOf } from "./tables/segments.ts";

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;

/** Segments whose last element is as long as another one says, whatever characters it holds. */
const BINARY_SEGMENTS: Readonly<Record<string, { lengthElement: number }>> = {
  BIN: { lengthElement: 1 },
  BDS: { lengthElement: 2 },
};

export interface TokenFault {
  code: FaultCode;
  element: number | null;
}

/** A segment that takes its elements apart when they are first asked for: much of a document is never looked at. */
class TextSegment implements X12Segment {
  readonly kind = "segment";
  readonly id: string;
  readonly start: number;
  readonly end: number;
  readonly ordinal: number;
  readonly #text: string;
  readonly #separator: string;
  #elements: readonly string[] | null = null;

  constructor(id: string, text: string, start: number, end: number, separator: string, ordinal: number) {
    this.id = id;
    this.start = start;
    this.end = end;
    this.ordinal = ordinal;
    this.#text = text;
    this.#separator = separator;
  }

  get elements(): readonly string[] {
    this.#elements ??= splitElements(this.#text, this.start, this.end, this.#separator);
    return this.#elements;
  }
}

/** As `text.slice(start, end).split(separator)` would, in two thirds of its time. */
function splitElements(text: string, start: number, end: number, separator: string): string[] {
  const elements: string[] = [];
  let from = start;
  for (;;) {
    const at = text.indexOf(separator, from);
    if (at === -1 || at >= end) break;
    elements.push(text.slice(from, at));
    from = at + separator.length;
  }
  elements.push(text.slice(from, end));
  return elements;
}

/** Cuts a document's text into segments, one at a time. Each call costs time in proportion to what it passes. */
export class Tokenizer {
  readonly #text: string;
  readonly #encoding: X12Document["encoding"];
  readonly #segmentCharactersMax: number;
  #separators: Separators = { element: "*", component: ":", repetition: null, segment: "~" };
  #ordinal = 0;
  position = 0;
  /** Of the segment that `next` returned. */
  fault: TokenFault | null = null;
  indented = false;
  terminated = true;

  constructor(document: X12Document) {
    this.#text = document.text;
    this.#encoding = document.encoding;
    this.#segmentCharactersMax = document.settings.limits.segmentCharactersMax;
  }

  /** Number of the next segment. */
  nextOrdinal(): number {
    this.#ordinal += 1;
    return this.#ordinal;
  }

  use(separators: Separators, position: number): void {
    this.#separators = separators;
    this.position = position;
  }

  /** Passes white space; true when it holds more than line breaks. */
  skipSpace(): boolean {
    const text = this.#text;
    let indented = false;
    for (;;) {
      const code = text.charCodeAt(this.position);
      if (code === SPACE || code === TAB) indented = true;
      else if (code !== LF && code !== CR) return indented;
      this.position += 1;
    }
  }

  /** Whether an ISA segment starts here, with whatever separator; a word that begins like it is none. */
  atIsa(): boolean {
    const after = this.#text.charCodeAt(this.position + 3);
    if (Number.isNaN(after) || isAlphanumeric(after) || isSpace(after)) return false;
    return this.#text.startsWith("ISA", this.position);
  }

  /** The next segment; null at the end of the text and before an ISA. */
  next(): X12Segment | null {
    this.fault = null;
    this.indented = this.skipSpace();
    const text = this.#text;
    const start = this.position;
    if (start >= text.length) return null;
    if (text.charCodeAt(start) === 73 && this.atIsa()) return null;
    if (text.charCodeAt(start) === 66) {
      const binary = this.#readBinary(start);
      if (binary !== null) return binary;
    }
    const { element, segment } = this.#separators;
    let end = text.indexOf(segment, start);
    this.terminated = end !== -1;
    if (end === -1) end = this.#endOfText();
    this.position = this.terminated ? end + segment.length : text.length;
    const idAt = idEnd(text, start, end, element);
    const known = idAt - start > 3 ? undefined : SEGMENT_IDS.get(idCode(text, start, idAt));
    const id = known ?? text.slice(start, idAt);
    if (end - start > this.#segmentCharactersMax) this.fault = { code: "segment_too_long", element: null };
    else if (end === start) this.fault = { code: "segment_empty", element: null };
    else if (known === undefined && !isSegmentId(id))
      this.fault = { code: "segment_id_invalid", element: null };
    return new TextSegment(id, text, start, end, element, this.nextOrdinal());
  }

  /** Without its terminator the last segment ends before the white space that ends the document. */
  #endOfText(): number {
    let end = this.#text.length;
    while (end > this.position && this.#text.charCodeAt(end - 1) <= SPACE) end -= 1;
    return end;
  }

  #readBinary(start: number): X12Segment | null {
    const text = this.#text;
    const id = text.slice(start, start + 3);
    const { element, segment } = this.#separators;
    const rule = BINARY_SEGMENTS[id];
    if (rule === undefined || !text.startsWith(element, start + 3)) return null;
    const elements = [id];
    let at = start + 3 + element.length;
    for (let index = 1; index <= rule.lengthElement; index += 1) {
      const end = text.indexOf(element, at);
      if (end === -1 || end - at > this.#segmentCharactersMax) return null;
      elements.push(text.slice(at, end));
      at = end + element.length;
    }
    const lengthText = elements[rule.lengthElement]!;
    const end = /^\d{1,9}$/.test(lengthText) ? this.#advanceBytes(at, Number(lengthText)) : null;
    if (end === null || !text.startsWith(segment, end)) {
      this.fault = { code: "binary_length", element: rule.lengthElement };
      const found = text.indexOf(segment, at);
      this.terminated = found !== -1;
      const cut = found === -1 ? text.length : found;
      elements.push(text.slice(at, cut));
      this.position = found === -1 ? text.length : found + segment.length;
      return { kind: "segment", id, elements, start, end: cut, ordinal: this.nextOrdinal() };
    }
    elements.push(text.slice(at, end));
    this.terminated = true;
    this.position = end + segment.length;
    return { kind: "segment", id, elements, start, end, ordinal: this.nextOrdinal() };
  }

  /** The length counts bytes; in UTF-8 text that is not the number of characters. Null past the end or inside one. */
  #advanceBytes(at: number, count: number): number | null {
    if (at + count > this.#text.length && this.#encoding !== "utf-8") return null;
    if (this.#encoding !== "utf-8") return at + count;
    let left = count;
    let offset = at;
    while (left > 0) {
      const code = this.#text.codePointAt(offset);
      if (code === undefined) return null;
      left -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      offset += code < 0x10000 ? 1 : 2;
    }
    return left === 0 ? offset : null;
  }
}

function isSpace(code: number): boolean {
  return code === SPACE || code === CR || code === LF;
}

function isAlphanumeric(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

/** Ids have two or three characters, so the separator is nearly always near; it is never looked for past the segment. */
function idEnd(text: string, start: number, end: number, separator: string): number {
  const code = separator.charCodeAt(0);
  const near = Math.min(start + 4, end);
  for (let at = start; at < near; at += 1) {
    if (text.charCodeAt(at) === code && (separator.length === 1 || text.startsWith(separator, at))) return at;
  }
  const found = text.slice(start, end).indexOf(separator);
  return found === -1 ? end : start + found;
}

/** The characters of an id of at most three as one number; the 1 in front tells how many they are. */
function idCode(text: string, start: number, end: number): number {
  let code = 1;
  for (let at = start; at < end; at += 1) code = code * 65_536 + text.charCodeAt(at);
  return code;
}

/** Ids of the tables by their numbers: one text for all segments of an id, whose place in other tables is found faster. */
const SEGMENT_IDS: ReadonlyMap<number, string> = new Map(
  [...segmentsOf("004010").keys()].filter(isSegmentId).map((id) => [idCode(id, 0, id.length), id]),
);

/** Two or three capital letters and digits, the first a letter. */
export function isSegmentId(id: string): boolean {
  if (id.length !== 2 && id.length !== 3) return false;
  const first = id.charCodeAt(0);
  if (first < 65 || first > 90) return false;
  for (let index = 1; index < id.length; index += 1) {
    const code = id.charCodeAt(index);
    if (!((code >= 48 && code <= 57) || (code >= 65 && code <= 90))) return false;
  }
  return true;
}
