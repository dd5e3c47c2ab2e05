/** Formats that documents are read from and written to here; X12 has its own core in `../x12`. */
export const DOCUMENT_FORMATS = ["JSON", "XML", "CSV"] as const;
export type DocumentFormat = (typeof DOCUMENT_FORMATS)[number];

/**
 * What every format is read into and written from: plain values. Objects hold own members only and never one named
 * `__proto__`; strings hold no half of a surrogate pair; numbers are finite.
 */
export type DocumentValue =
  | string
  | number
  | boolean
  | null
  | ExactNumber
  | DocumentValue[]
  | { [name: string]: DocumentValue };

export type DocumentObject = { [name: string]: DocumentValue };

/** JSON's grammar of a number (RFC 8259, section 6). */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * A number as it was written, because a double would change it: 12345678901234567890, 1e400, 0.10000000000000000001.
 * It stays exact where it is only moved; `JSON.stringify` writes it as the number that it is.
 */
export class ExactNumber {
  readonly text: string;

  /** @throws {RangeError} where the text is no JSON number */
  constructor(text: string) {
    if (!NUMBER.test(text)) throw new RangeError("An exact number must be written like a JSON number");
    this.text = text;
  }

  /** The nearest double, for arithmetic; Infinity where there is none. */
  toNumber(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }

  toJSON(): unknown {
    return rawJson(this.text);
  }
}

/** TypeScript's library does not declare it yet (proposal "JSON.parse source text access", in JavaScriptCore). */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/** What a document holds where a member may sit: an object that is neither an array nor a number. */
export function isDocumentObject(value: unknown): value is DocumentObject {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

/**
 * Whether a number that was written as `text` comes back as the same number after it was a double. 0.1 does, although
 * a double is not exactly a tenth: what counts is the shortest text of the double.
 */
export function isHeldByDouble(text: string): boolean {
  const value = Number(text);
  if (!Number.isFinite(value)) return false;
  if (String(value) === text) return true;
  // Nothing but zeros in front of the exponent, or too small for a double.
  if (value === 0) return !/[1-9]/.test(text.split(/[eE]/, 1)[0]!);
  return canonicalNumber(String(value)) === canonicalNumber(text);
}

/**
 * `sign digits E exponent` without leading or trailing zeros, so that equal numbers have equal texts. Of a number that a
 * double reaches, so the exponent is no larger than the text is long. Takes time in proportion to the text: no pattern
 * looks for zeros at the end.
 */
function canonicalNumber(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return text;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = (whole + fraction).replace(/^0+/, "");
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  return `${sign}${digits.slice(0, end)}E${Number(exponent) - fraction.length + digits.length - end}`;
}
