import { daysIn } from "./check-value.ts";
import type { Separators, X12Segment } from "./model.ts";
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

const KINDS = Uint8Array.from({ length: 128 }, (_, code) =>
  code < SPACE || code === DELETE ? REFUSED : code >= ZERO && code <= NINE ? DIGIT : TEXT,
);

/** How the values of a document are told apart. */
export interface CleanReading {
  text: string;
  /** Code of the element separator; -1 for one outside the basic plane, with which no segment is surely clean. */
  separator: number;
  /** Kind of each ASCII character; the other separators are refused in values. */
  kinds: Uint8Array;
}

export function cleanReading(text: string, { element, component, repetition }: Separators): CleanReading {
  const kinds = KINDS.slice();
  for (const code of [component.charCodeAt(0), repetition?.charCodeAt(0) ?? -1])
    if (code >= 0 && code < 128) kinds[code] = REFUSED;
  return { text, separator: element.length === 1 ? element.charCodeAt(0) : -1, kinds };
}

/**
 * Whether a segment surely breaks no rule of its table. It looks at each character once, so that the exact check, which
 * costs ten times as much, is left for the few segments about which this one is not sure: those with a fault, a composite,
 * a repetition, or a character outside ASCII.
 *
 * @param out gets the segment's readable JSON on the way; of no use when the answer is false
 */
export function readClean(
  { text, separator, kinds }: CleanReading,
  { id, start, end }: Pick<X12Segment, "id" | "start" | "end">,
  { places, notes, mandatoryLast }: SegmentRule,
  out: ReadableSegment | null,
): boolean {
  let count = 0;
  let present = 0;
  let at = start + id.length;
  while (at < end) {
    const from = at + 1;
    let met = 0;
    for (at = from; at < end; at += 1) {
      const code = text.charCodeAt(at);
      if (code === separator) break;
      met |= code < 128 ? kinds[code]! : REFUSED;
    }
    const place = places[count];
    if (place === undefined || (at === from && place.mandatory)) return false;
    count += 1;
    if (at === from) {
      // A last empty element is kept, so that the same bytes come back.
      if (at === end && out !== null) out[place.key] = "";
      continue;
    }
    if (!place.isPlain || !isCleanValue(text, from, at, met, place.element!)) return false;
    present |= 1 << count;
    if (out === null && place.codes === null) continue;
    const value = at - from > SHORT_MAX ? text.slice(from, at) : shortText(text, from, at);
    if (place.codes !== null && !place.codes.has(value)) return false;
    if (out !== null) out[place.key] = value;
  }
  if (count < mandatoryLast || separator === -1) return false;
  for (const note of notes) if (!isKept(note, present)) return false;
  return true;
}

/** Codes, quantities and times are short and few: one text for all that are the same is neither made nor hashed again. */
const SHORT_MAX = 4;
const SHORT_TEXTS_MAX = 4_096;
/** By place: the characters as a number, and the text. A text takes the place of another one that had it. */
const shortCodes = new Int32Array(SHORT_TEXTS_MAX);
const shortTexts: string[] = Array.from({ length: SHORT_TEXTS_MAX }, () => "");

/** A value of 1 to 4 ASCII characters. */
function shortText(text: string, from: number, to: number): string {
  let code = 1;
  for (let at = from; at < to; at += 1) code = (code << 7) | text.charCodeAt(at);
  const place = (code ^ (code >> 9) ^ (code >> 19)) & (SHORT_TEXTS_MAX - 1);
  if (shortCodes[place] !== code) {
    // Not a slice: that would keep the whole document.
    let copy = "";
    for (let at = from; at < to; at += 1) copy += String.fromCharCode(text.charCodeAt(at));
    shortCodes[place] = code;
    shortTexts[place] = copy;
  }
  return shortTexts[place]!;
}

function isCleanValue(text: string, from: number, to: number, met: number, rule: ElementRule): boolean {
  const length = to - from;
  const { type } = rule;
  if (type === "AN" || type === "ID")
    return (met & REFUSED) === 0 && length >= rule.lengthMin && length <= rule.lengthMax;
  // Signs do not count as characters of a number.
  if (met !== DIGIT)
    return type !== "DT" && type !== "TM" && isPlainNumber(text, from, to, rule, type === "R" ? 1 : 0);
  if (length < rule.lengthMin || length > rule.lengthMax) return false;
  if (type === "DT") return isPlainDate(text, from, length);
  return type !== "TM" || isPlainTime(text, from, length);
}

/** Digits behind at most one sign, with as many points as allowed among them. */
function isPlainNumber(
  text: string,
  from: number,
  to: number,
  rule: ElementRule,
  pointsMax: number,
): boolean {
  let digits = 0;
  let points = 0;
  for (let at = text.charCodeAt(from) === MINUS ? from + 1 : from; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code >= ZERO && code <= NINE) digits += 1;
    else if (code !== POINT || ++points > pointsMax) return false;
  }
  return digits > 0 && digits >= rule.lengthMin && digits <= rule.lengthMax;
}

function isPlainDate(text: string, from: number, length: number): boolean {
  if (length !== 8 && length !== 6) return false;
  const year =
    length === 8 ? twoDigits(text, from) * 100 + twoDigits(text, from + 2) : 2000 + twoDigits(text, from);
  const month = twoDigits(text, from + length - 4);
  const day = twoDigits(text, from + length - 2);
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

function isPlainTime(text: string, from: number, length: number): boolean {
  if (length < 4 || length === 5 || length > 8) return false;
  return (
    twoDigits(text, from) < 24 &&
    twoDigits(text, from + 2) < 60 &&
    (length === 4 || twoDigits(text, from + 4) < 60)
  );
}

function twoDigits(text: string, at: number): number {
  return (text.charCodeAt(at) - ZERO) * 10 + text.charCodeAt(at + 1) - ZERO;
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
