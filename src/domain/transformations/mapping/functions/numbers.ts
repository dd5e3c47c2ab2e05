import type { Decimal, Rounding } from "../decimal.ts";
import {
  add,
  compare,
  divide,
  formatDecimal,
  multiply,
  parseDecimal,
  round,
  ROUNDINGS,
  subtract,
  toNumber,
} from "../decimal.ts";
import { shown } from "../date-text.ts";
import currencies from "../freight/currencies.json" with { type: "json" };
import { ValueFault } from "../value-fault.ts";
import {
  constant,
  decimalIn,
  describeType,
  type MappingFunctions,
  optional,
  type Parameter,
  required,
} from "./mapping-function.ts";

const number = required("number", "decimal");
const rounding: Parameter = { name: "rounding", kind: "text", optional: true, oneOf: ROUNDINGS };
const PLACES_MAX = 100;
/** Places of a quotient that nobody asked for otherwise. */
const QUOTIENT_PLACES = 10;

const arithmetic = (summary: string, calculate: (one: Decimal, other: Decimal) => Decimal) => ({
  summary,
  parameters: [number, required("other", "decimal")],
  rest: true as const,
  make: () => (args: readonly unknown[]) => toNumber((args as Decimal[]).reduce(calculate)),
});

function placesOf(value: unknown): number {
  const places = value as number;
  if (Math.abs(places) <= PLACES_MAX) return places;
  throw new ValueFault("invalid_value", `places go from -${PLACES_MAX} to ${PLACES_MAX}`);
}

const rounded = (value: Decimal, places: unknown, mode: unknown): Decimal =>
  round(value, placesOf(places), (mode as Rounding | undefined) ?? "half_up");

/** Numbers of a list; blanks in it do not count. */
function numbersOf(list: unknown): Decimal[] {
  return (list as unknown[])
    .filter((item) => item !== null && item !== undefined && item !== "")
    .map((item) => {
      const decimal = decimalIn(item);
      if (decimal !== undefined) return decimal;
      const got = typeof item === "string" ? shown(item) : describeType(item);
      throw new ValueFault("wrong_type", `the list must hold numbers, not ${got}`);
    });
}

const ofList = (summary: string, calculate: (numbers: Decimal[]) => Decimal | undefined) => ({
  summary,
  parameters: [required("list", "list")],
  make: () => (args: readonly unknown[]) => {
    const result = calculate(numbersOf(args[0]));
    return result === undefined ? undefined : toNumber(result);
  },
});

const extreme = (numbers: Decimal[], sign: number): Decimal | undefined =>
  numbers.reduce<Decimal | undefined>(
    (best, one) => (best === undefined || compare(one, best) * sign > 0 ? one : best),
    undefined,
  );

/** @throws {ValueFault} for a code that ISO 4217 does not have */
function minorUnits(currency: unknown): number {
  const code = currency as string;
  if (Object.hasOwn(currencies.minorUnits, code)) return currencies.minorUnits[code as "USD"];
  throw new ValueFault("invalid_value", `${shown(code)} is no currency of ISO 4217`);
}

/** Numbers whose digits a double holds all. */
const SHORT_NUMBER = /^-?(?:0|[1-9]\d{0,9})(?:\.\d{1,5})?$/;

const ZERO = 48;

/** A text of one to nine digits, the most frequent number; -1 for every other text. */
function shortWhole(text: string): number {
  const { length } = text;
  if (length === 0 || length > 9 || (length > 1 && text.charCodeAt(0) === ZERO)) return -1;
  let value = 0;
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function readNumber(value: string, decimalSign: string, groupSign: string): Decimal {
  const plain = value.trim().replaceAll(groupSign === "" ? "\u0000" : groupSign, "");
  const isAmbiguous = decimalSign !== "." && plain.includes(".");
  const decimal = isAmbiguous ? undefined : parseDecimal(plain.replace(decimalSign, "."));
  if (decimal === undefined) throw new ValueFault("invalid_value", `${shown(value)} is no number`);
  return decimal;
}

function writeNumber(value: Decimal, decimalSign: string, groupSign: string): string {
  const [whole = "", fraction] = formatDecimal(value).split(".");
  const grouped = groupSign === "" ? whole : whole.replaceAll(/\B(?=(?:\d{3})+$)/g, groupSign);
  return fraction === undefined ? grouped : `${grouped}${decimalSign}${fraction}`;
}

const amount = required("amount", "decimal");
const currency = required("currency", "text");

/** Functions of numbers. All are exact: 0.1 + 0.2 is 0.3, and a number of 20 digits keeps them. */
export const NUMBER_FUNCTIONS: MappingFunctions = {
  number: {
    summary: "A text as number; signs of decimals and groups where they are not . and none",
    parameters: [required("text", "text"), optional("decimalSign", "text"), optional("groupSign", "text")],
    make: () => (args) => {
      const [value, decimalSign = ".", groupSign = ""] = args as [string, string?, string?];
      if (decimalSign === ".") {
        const whole = shortWhole(value);
        if (whole >= 0) return whole;
        // Adding 0 turns -0 into 0.
        if (SHORT_NUMBER.test(value)) return Number(value) + 0;
      }
      return value.trim() === "" ? undefined : toNumber(readNumber(value, decimalSign, groupSign));
    },
  },
  formatNumber: {
    summary: "A number as text with so many places: 1250.5 → 1250.50, or 1.250,50",
    parameters: [
      number,
      required("places", "integer"),
      optional("decimalSign", "text"),
      optional("groupSign", "text"),
      rounding,
    ],
    make: () => (args) => {
      const [value, places, decimalSign = ".", groupSign = "", mode] = args as [
        Decimal,
        number,
        string?,
        string?,
        string?,
      ];
      return writeNumber(rounded(value, places, mode), decimalSign, groupSign);
    },
  },
  add: arithmetic("The sum of its arguments", add),
  subtract: arithmetic("The first argument less the others", subtract),
  multiply: arithmetic("The product of its arguments", multiply),
  divide: {
    summary: "A quotient with so many places (10), rounded half up",
    parameters: [number, required("divisor", "decimal"), optional("places", "integer"), rounding],
    make: () => (args) => {
      const [one, other, places = QUOTIENT_PLACES, mode = "half_up"] = args as [
        Decimal,
        Decimal,
        number?,
        Rounding?,
      ];
      return toNumber(divide(one, other, Math.max(0, placesOf(places)), mode));
    },
  },
  round: {
    summary: "Rounded to so many places, half up unless said otherwise",
    parameters: [number, optional("places", "integer"), rounding],
    make: () => (args) => toNumber(rounded(args[0] as Decimal, args[1] ?? 0, args[2])),
  },
  abs: {
    summary: "Without its sign",
    parameters: [number],
    make: () => (args) => {
      const value = args[0] as Decimal;
      return toNumber({ digits: value.digits < 0n ? -value.digits : value.digits, scale: value.scale });
    },
  },
  negate: {
    summary: "With the other sign",
    parameters: [number],
    make: () => (args) => {
      const value = args[0] as Decimal;
      return toNumber({ digits: -value.digits, scale: value.scale });
    },
  },
  sum: ofList("The sum of a list; 0 for an empty one", (numbers) =>
    numbers.reduce(add, { digits: 0n, scale: 0 }),
  ),
  min: ofList("The least number of a list", (numbers) => extreme(numbers, -1)),
  max: ofList("The greatest number of a list", (numbers) => extreme(numbers, 1)),
  average: ofList("The mean of a list, to 10 places", (numbers) =>
    numbers.length === 0
      ? undefined
      : divide(numbers.reduce(add), { digits: BigInt(numbers.length), scale: 0 }, QUOTIENT_PLACES, "half_up"),
  ),
  impliedDecimal: {
    summary: "A number whose last digits are decimals without a sign (X12 N2: 125000 → 1250)",
    parameters: [number, constant("places", "integer")],
    make: () => (args) => {
      const value = args[0] as Decimal;
      return toNumber(multiply(value, { digits: 1n, scale: Math.max(0, placesOf(args[1])) }));
    },
  },
  toImpliedDecimal: {
    summary: "The digits of a number without the sign of decimals (X12 N2: 1250.5 → 125050)",
    parameters: [number, constant("places", "integer"), rounding],
    make: () => (args) => {
      const places = Math.max(0, placesOf(args[1]));
      return round(
        args[0] as Decimal,
        places,
        (args[2] as Rounding | undefined) ?? "half_up",
      ).digits.toString();
    },
  },
  money: {
    summary: "An amount as text with the places of its currency: 12.5, USD → 12.50",
    parameters: [amount, currency, rounding],
    make: () => (args) => formatDecimal(rounded(args[0] as Decimal, minorUnits(args[1]), args[2])),
  },
  roundMoney: {
    summary: "An amount rounded to the places of its currency",
    parameters: [amount, currency, rounding],
    make: () => (args) => toNumber(rounded(args[0] as Decimal, minorUnits(args[1]), args[2])),
  },
  toMinorUnits: {
    summary: "An amount in the smallest unit of its currency: 12.50, USD → 1250",
    parameters: [amount, currency, rounding],
    make: () => (args) => {
      const { digits } = rounded(args[0] as Decimal, minorUnits(args[1]), args[2]);
      return toNumber({ digits, scale: 0 });
    },
  },
  fromMinorUnits: {
    summary: "An amount from the smallest unit of its currency: 1250, USD → 12.5",
    parameters: [amount, currency],
    make: () => (args) => toNumber(multiply(args[0] as Decimal, { digits: 1n, scale: minorUnits(args[1]) })),
  },
  exchange: {
    summary: "An amount times a rate, rounded to the places of the currency that it becomes",
    parameters: [amount, required("rate", "decimal"), currency, rounding],
    make: () => (args) =>
      toNumber(rounded(multiply(args[0] as Decimal, args[1] as Decimal), minorUnits(args[2]), args[3])),
  },
  isCurrency: {
    summary: "Whether a text is a currency code of ISO 4217",
    parameters: [required("code", "text")],
    make: () => (args) => Object.hasOwn(currencies.minorUnits, args[0] as string),
  },
};
