import type { Separators } from "./model.ts";
import type { ElementRule, SegmentRule, SyntaxNote } from "./tables/table-notation.ts";
import { daysIn } from "./check-value.ts";

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const POINT = 46;

/**
 * Whether a segment surely breaks no rule of its table. It looks at each character once and makes nothing, so that the
 * exact check, which costs ten times as much, is left for the few segments about which this one is not sure: those with a
 * fault, a composite, a repetition, or a character outside ASCII.
 *
 * @param elements raw values, [0] the id
 */
export function isClean(elements: readonly string[], rule: SegmentRule, separators: Separators): boolean {
  const { places, notes } = rule;
  const count = elements.length - 1;
  if (count < rule.mandatoryLast || count > places.length) return false;
  const component = separators.component.charCodeAt(0);
  const repetition = separators.repetition === null ? -1 : separators.repetition.charCodeAt(0);
  for (let index = 0; index < count; index += 1) {
    const value = elements[index + 1]!;
    const place = places[index]!;
    if (value === "") {
      if (place.mandatory) return false;
    } else {
      if (place.element === null || !isCleanValue(value, place.element, component, repetition)) return false;
      if (place.codes !== null && !place.codes.has(value)) return false;
    }
  }
  for (const note of notes) if (!isKept(note, elements)) return false;
  return true;
}

function isCleanValue(value: string, rule: ElementRule, component: number, repetition: number): boolean {
  switch (rule.type) {
    case "AN":
    case "ID":
      return (
        value.length >= rule.lengthMin &&
        value.length <= rule.lengthMax &&
        isPlainText(value, component, repetition)
      );
    case "DT":
      return value.length >= rule.lengthMin && value.length <= rule.lengthMax && isPlainDate(value);
    case "TM":
      return value.length >= rule.lengthMin && value.length <= rule.lengthMax && isPlainTime(value);
    case "B":
      return false;
    case "R":
      return isPlainNumber(value, rule, 1);
    default:
      return isPlainNumber(value, rule, 0);
  }
}

function isPlainText(value: string, component: number, repetition: number): boolean {
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code < 32 || code > 126 || code === component || code === repetition) return false;
  }
  return true;
}

/** Digits behind at most one sign, with as many points as allowed among them. */
function isPlainNumber(value: string, rule: ElementRule, pointsMax: number): boolean {
  let digits = 0;
  let points = 0;
  for (let index = value.charCodeAt(0) === MINUS ? 1 : 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code >= ZERO && code <= NINE) digits += 1;
    else if (code !== POINT || ++points > pointsMax) return false;
  }
  return digits > 0 && digits >= rule.lengthMin && digits <= rule.lengthMax;
}

function isPlainDate(value: string): boolean {
  const { length } = value;
  if ((length !== 8 && length !== 6) || !areDigits(value)) return false;
  const year = length === 8 ? number(value, 0) * 100 + number(value, 2) : 2000 + number(value, 0);
  const month = number(value, length - 4);
  const day = number(value, length - 2);
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

function isPlainTime(value: string): boolean {
  const { length } = value;
  if (length < 4 || length === 5 || length > 8 || !areDigits(value)) return false;
  return number(value, 0) < 24 && number(value, 2) < 60 && (length === 4 || number(value, 4) < 60);
}

function areDigits(value: string): boolean {
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code < ZERO || code > NINE) return false;
  }
  return true;
}

/** The number of the two digits at a place. */
function number(value: string, at: number): number {
  return (value.charCodeAt(at) - ZERO) * 10 + value.charCodeAt(at + 1) - ZERO;
}

/** Whether the relation between elements holds (X12.6; the kinds are told at `SyntaxNote`). */
function isKept({ kind, places }: SyntaxNote, elements: readonly string[]): boolean {
  let present = 0;
  for (const place of places) if ((elements[place] ?? "") !== "") present += 1;
  switch (kind) {
    case "P":
      return present === 0 || present === places.length;
    case "R":
      return present > 0;
    case "E":
      return present <= 1;
    case "C":
      return present === places.length || (elements[places[0]!] ?? "") === "";
    case "L":
      return present > 1 || (elements[places[0]!] ?? "") === "";
  }
}
