import { writeAssembler } from "../formats/assemble-object.ts";
import { daysIn } from "./check-value.ts";
import type { Separators, X12Document, X12Segment } from "./model.ts";
import type { ReadableSegment } from "./readable.ts";
import type { ElementRule, SegmentRule, SyntaxNote } from "./tables/table-notation.ts";

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const POINT = 46;
const SPACE = 32;
const DELETE = 127;

/** Kinds of characters; a value has the bits of those that it holds. */
const DIGIT = 1;
const TEXT = 2;
const REFUSED = 4;

const KINDS = Uint8Array.from({ length: 256 }, (_, code) =>
  code < SPACE || code >= DELETE ? REFUSED : code >= ZERO && code <= NINE ? DIGIT : TEXT,
);

/** How the values of a document are told apart. */
export interface CleanReading {
  text: string;
  codes: Uint8Array;
  /** Code of the element separator; -1 for one that is not ASCII, with which no segment is surely clean. */
  separator: number;
  /** Kind of each character by its code; the other separators are refused in values. */
  kinds: Uint8Array;
}

export function cleanReading(
  { text, codes }: Pick<X12Document, "text" | "codes">,
  { element, component, repetition }: Separators,
): CleanReading {
  const kinds = KINDS.slice();
  for (const code of [component.charCodeAt(0), repetition?.charCodeAt(0) ?? -1])
    if (code >= 0 && code < 128) kinds[code] = REFUSED;
  const code = element.charCodeAt(0);
  return { text, codes, separator: code < 128 ? code : -1, kinds };
}

/**
 * Whether a segment surely breaks no rule of its table. It looks at each character once, so that the exact check, which
 * costs ten times as much, is left for the few segments about which this one is not sure: those with a fault, a composite,
 * a repetition, or a character outside ASCII.
 *
 * @param values gets the values of the segment's elements on the way, `undefined` for those that readable JSON leaves out;
 *   of no use when the answer is false
 */
export function readClean(
  { text, codes, separator, kinds }: CleanReading,
  { id, start, end }: Pick<X12Segment, "id" | "start" | "end">,
  { places, notes, mandatoryLast }: SegmentRule,
  values: (string | undefined)[] | null,
): boolean {
  let count = 0;
  let present = 0;
  let at = start + id.length;
  while (at < end) {
    const from = at + 1;
    let met = 0;
    for (at = from; at < end; at += 1) {
      const code = codes[at]!;
      if (code === separator) break;
      met |= kinds[code]!;
    }
    const place = places[count];
    if (place === undefined || (at === from && place.mandatory)) return false;
    count += 1;
    if (at === from) {
      // A last empty element is kept, so that the same bytes come back.
      values?.push(at === end ? "" : undefined);
      continue;
    }
    if (!place.isPlain || !isCleanValue(codes, from, at, met, place.element!)) return false;
    present |= 1 << count;
    if (values === null && place.codes === null) continue;
    const value = at - from > SHORT_MAX ? text.slice(from, at) : shortText(codes, from, at);
    if (place.codes !== null && !place.codes.has(value)) return false;
    values?.push(value);
  }
  if (count < mandatoryLast || separator === -1) return false;
  for (const note of notes) if (!isKept(note, present)) return false;
  return true;
}

/** The readable JSON of a segment whose values `readClean` gave. */
export function assembleSegment(rule: SegmentRule, values: readonly (string | undefined)[]): ReadableSegment {
  const assembler = (rule.assemblers[values.length] ??= writeAssembler(
    rule.places.slice(0, values.length).map(({ key }) => key),
  ));
  return (assembler(values) ?? {}) as ReadableSegment;
}

/**
 * Codes, quantities, dates and times are short and few: one text for all that are the same is neither made nor hashed
 * again.
 */
const SHORT_MAX = 8;
const SHORT_TEXTS_MAX = 8_192;
/** By place: the first four characters and the others as numbers, and the text. A text takes the place of another one. */
const shortHeads = new Int32Array(SHORT_TEXTS_MAX);
const shortTails = new Int32Array(SHORT_TEXTS_MAX);
const shortTexts: string[] = Array.from({ length: SHORT_TEXTS_MAX }, () => "");

/** A value of 1 to 8 ASCII characters. */
function shortText(codes: Uint8Array, from: number, to: number): string {
  const middle = to - from > 4 ? from + 4 : to;
  let head = 1;
  let tail = 0;
  for (let at = from; at < middle; at += 1) head = (head << 7) | codes[at]!;
  for (let at = middle; at < to; at += 1) tail = (tail << 7) | codes[at]!;
  const mixed = Math.imul(head, 0x9e3779b1) ^ Math.imul(tail, 0x85ebca6b);
  const place = (mixed ^ (mixed >>> 15)) & (SHORT_TEXTS_MAX - 1);
  if (shortHeads[place] !== head || shortTails[place] !== tail) {
    // Not a slice: that would keep the whole document.
    let copy = "";
    for (let at = from; at < to; at += 1) copy += String.fromCharCode(codes[at]!);
    shortHeads[place] = head;
    shortTails[place] = tail;
    shortTexts[place] = copy;
  }
  return shortTexts[place]!;
}

function isCleanValue(codes: Uint8Array, from: number, to: number, met: number, rule: ElementRule): boolean {
  const length = to - from;
  const { type } = rule;
  if (type === "AN" || type === "ID")
    return (met & REFUSED) === 0 && length >= rule.lengthMin && length <= rule.lengthMax;
  // Signs do not count as characters of a number.
  if (met !== DIGIT)
    return type !== "DT" && type !== "TM" && isPlainNumber(codes, from, to, rule, type === "R" ? 1 : 0);
  if (length < rule.lengthMin || length > rule.lengthMax) return false;
  if (type === "DT") return isPlainDate(codes, from, length);
  return type !== "TM" || isPlainTime(codes, from, length);
}

/** Digits behind at most one sign, with as many points as allowed among them. */
function isPlainNumber(
  codes: Uint8Array,
  from: number,
  to: number,
  rule: ElementRule,
  pointsMax: number,
): boolean {
  let digits = 0;
  let points = 0;
  for (let at = codes[from] === MINUS ? from + 1 : from; at < to; at += 1) {
    const code = codes[at]!;
    if (code >= ZERO && code <= NINE) digits += 1;
    else if (code !== POINT || ++points > pointsMax) return false;
  }
  return digits > 0 && digits >= rule.lengthMin && digits <= rule.lengthMax;
}

function isPlainDate(codes: Uint8Array, from: number, length: number): boolean {
  if (length !== 8 && length !== 6) return false;
  const year =
    length === 8 ? twoDigits(codes, from) * 100 + twoDigits(codes, from + 2) : 2000 + twoDigits(codes, from);
  const month = twoDigits(codes, from + length - 4);
  const day = twoDigits(codes, from + length - 2);
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

function isPlainTime(codes: Uint8Array, from: number, length: number): boolean {
  if (length < 4 || length === 5 || length > 8) return false;
  return (
    twoDigits(codes, from) < 24 &&
    twoDigits(codes, from + 2) < 60 &&
    (length === 4 || twoDigits(codes, from + 4) < 60)
  );
}

function twoDigits(codes: Uint8Array, at: number): number {
  return (codes[at]! - ZERO) * 10 + codes[at + 1]! - ZERO;
}

/**
 * Whether the relation between elements holds (X12.6; the kinds are told at `SyntaxNote`).
 *
 * @param present bit n for element n that is not empty
 */
function isKept({ kind, mask, first }: SyntaxNote, present: number): boolean {
  const found = present & mask;
  switch (kind) {
    case "P":
      return found === 0 || found === mask;
    case "R":
      return found !== 0;
    case "E":
      return (found & (found - 1)) === 0;
    case "C":
      return (found & first) === 0 || found === mask;
    case "L":
      return (found & first) === 0 || found !== first;
  }
}
