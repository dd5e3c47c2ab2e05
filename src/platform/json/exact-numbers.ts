import { ExactNumber, isHeldByDouble } from "../formats/document.ts";

/**
 * Only an integer of so many digits, or a number with so large an exponent, can be one that a double changes noticeably.
 * Looks for what stands where a value begins or ends: reading with sources takes fifteen times as long, and texts are
 * full of digits.
 */
const LONG_NUMBER = /(?:^|[:[,])\s*-?\d{16}|[eE][+-]?\d{3,}\s*(?:[,}\]]|$)/;

/**
 * The value of a JSON text with every number as it was written: as doubles two ids above 2^53 become one, and 1e400
 * becomes null. For data that is only moved.
 *
 * @param value what `JSON.parse` makes of the text; it is the answer where no number is long
 */
export function withExactNumbers(text: string, value: unknown): unknown {
  return LONG_NUMBER.test(text) ? parseWithSource(text, exactNumber) : value;
}

/**
 * The value of a JSON text with every number as a double, for whoever compares or computes.
 *
 * @param value what may hold exact numbers; it is the answer where no number is long
 */
export function withDoubles(text: string, value: unknown): unknown {
  return LONG_NUMBER.test(text) ? (JSON.parse(text) as unknown) : value;
}

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

/** TypeScript's library does not declare the third argument yet (proposal "JSON.parse source text access"). */
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;

const exactNumber: Reviver = (_key, value, { source }) =>
  typeof value !== "number" || source === undefined || isHeldByDouble(source)
    ? value
    : new ExactNumber(source);
