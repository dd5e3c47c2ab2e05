import { ExactNumber, isHeldByDouble } from "../../../platform/formats/document.ts";
import { ValueFault } from "./value-fault.ts";

/** An exact decimal number: `digits / 10 ** scale`. */
export interface Decimal {
  digits: bigint;
  /** 0 or more. */
  scale: number;
}

export const ROUNDINGS = ["half_up", "half_even", "up", "down", "ceiling", "floor"] as const;
export type Rounding = (typeof ROUNDINGS)[number];

/** Longer numbers are no quantities; their arithmetic would only cost time. */
const DIGITS_MAX = 400;

const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/** Reads a decimal number: `12.50`, `-.5`, `007`, `1e3`. Undefined for anything else, also for blanks and separators. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = text.length > DIGITS_MAX ? null : NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return undefined;
  const power = Number(exponent) - fraction.length;
  if (Math.abs(power) > DIGITS_MAX) return undefined;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  return power >= 0 ? { digits: digits * 10n ** BigInt(power), scale: 0 } : { digits, scale: -power };
}

/** A number of a document. `0.1` is a tenth: what counts is how the number is written. */
export function decimalOf(value: number | ExactNumber): Decimal {
  const decimal = parseDecimal(typeof value === "number" ? String(value) : value.text);
  if (decimal === undefined)
    throw new ValueFault("invalid_value", "the number is too large to calculate with");
  return decimal;
}

/** The number as a document has it: a double where one holds it, else exact. Never negative zero. */
export function toNumber(decimal: Decimal): number | ExactNumber {
  if (decimal.scale === 0 && decimal.digits <= 9007199254740991n && decimal.digits >= -9007199254740991n)
    return Number(decimal.digits);
  const text = formatDecimal(trim(decimal));
  return isHeldByDouble(text) ? Number(text) : new ExactNumber(text);
}

export function formatDecimal({ digits, scale }: Decimal): string {
  const sign = digits < 0n ? "-" : "";
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, "0");
  return sign + (scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`);
}

function trim({ digits, scale }: Decimal): Decimal {
  let trimmed = digits;
  let places = scale;
  while (places > 0 && trimmed % 10n === 0n) {
    trimmed /= 10n;
    places--;
  }
  return { digits: trimmed, scale: places };
}

function aligned(one: Decimal, other: Decimal): [bigint, bigint, number] {
  const scale = Math.max(one.scale, other.scale);
  return [
    one.digits * 10n ** BigInt(scale - one.scale),
    other.digits * 10n ** BigInt(scale - other.scale),
    scale,
  ];
}

function bounded(decimal: Decimal): Decimal {
  if (decimal.scale <= DIGITS_MAX && decimal.digits.toString().length <= DIGITS_MAX) return decimal;
  throw new ValueFault("invalid_value", `the result has more than ${DIGITS_MAX} digits`);
}

export function add(one: Decimal, other: Decimal): Decimal {
  const [a, b, scale] = aligned(one, other);
  return bounded({ digits: a + b, scale });
}

export function subtract(one: Decimal, other: Decimal): Decimal {
  return add(one, { digits: -other.digits, scale: other.scale });
}

export function multiply(one: Decimal, other: Decimal): Decimal {
  return bounded({ digits: one.digits * other.digits, scale: one.scale + other.scale });
}

/** Negative, 0 or positive, as `one` is less than, equal to or greater than `other`. */
export function compare(one: Decimal, other: Decimal): number {
  const [a, b] = aligned(one, other);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** @throws {ValueFault} for a division by zero */
export function divide(one: Decimal, other: Decimal, places: number, rounding: Rounding): Decimal {
  if (other.digits === 0n) throw new ValueFault("invalid_value", "cannot divide by zero");
  const [a, b] = aligned(one, other);
  return bounded({ digits: roundedQuotient(a * 10n ** BigInt(places), b, rounding), scale: places });
}

/** With exactly so many places; negative places round to tens, hundreds … */
export function round(value: Decimal, places: number, rounding: Rounding): Decimal {
  if (places < 0) {
    const unit = 10n ** BigInt(-places);
    const tens = roundedQuotient(value.digits, unit * 10n ** BigInt(value.scale), rounding);
    return { digits: tens * unit, scale: 0 };
  }
  if (places >= value.scale)
    return { digits: value.digits * 10n ** BigInt(places - value.scale), scale: places };
  const digits = roundedQuotient(value.digits, 10n ** BigInt(value.scale - places), rounding);
  return { digits, scale: places };
}

function roundedQuotient(dividend: bigint, divisor: bigint, rounding: Rounding): bigint {
  const isNegative = dividend < 0n !== divisor < 0n;
  const a = dividend < 0n ? -dividend : dividend;
  const b = divisor < 0n ? -divisor : divisor;
  const whole = a / b;
  const rest = a % b;
  const half = rest * 2n === b ? 0 : rest * 2n > b ? 1 : -1;
  const isAway: Record<Rounding, boolean> = {
    half_up: half >= 0,
    half_even: half > 0 || (half === 0 && whole % 2n === 1n),
    up: rest > 0n,
    down: false,
    ceiling: rest > 0n && !isNegative,
    floor: rest > 0n && isNegative,
  };
  const magnitude = isAway[rounding] ? whole + 1n : whole;
  return isNegative ? -magnitude : magnitude;
}
