import { ExactNumber } from "../../../../platform/formats/document.ts";
import { shown } from "../date-text.ts";
import type { Decimal } from "../decimal.ts";
import { decimalOf, parseDecimal } from "../decimal.ts";
import type { Scope } from "../scope.ts";
import { ValueFault } from "../value-fault.ts";

/**
 * What a parameter takes, and what the function gets: `text` a string (numbers and truth values are written out),
 * `decimal` an exact number (texts are read), `integer` a number, `boolean`, `list` an array (a single value is a list
 * of one), `any` what there is.
 */
export type ParameterKind = "any" | "text" | "decimal" | "integer" | "boolean" | "list";

export interface Parameter {
  name: string;
  kind: ParameterKind;
  optional?: true;
  /** Must be written in the rules, so that it is checked and prepared once. */
  constant?: true;
  oneOf?: readonly string[];
}

/** Called with one value a parameter, converted to its kind; `undefined` for what was left out. */
export type Implementation = (args: readonly unknown[], scope: Scope) => unknown;

/** One function of the library. */
export interface MappingFunction {
  summary: string;
  parameters: readonly Parameter[];
  /** The last parameter may be repeated. */
  rest?: true;
  /** `take`: called with missing and null arguments too. Otherwise such a first argument is the result. */
  blanks?: "take";
  /**
   * Made once for each place of use.
   *
   * @param constants values of the arguments that are constants, `undefined` for the others
   * @throws {ValueFault} for a constant that the function cannot use
   */
  make: (constants: readonly unknown[]) => Implementation;
}

export type MappingFunctions = Readonly<Record<string, MappingFunction>>;

/** Longest text that a function gives, in characters: that of the largest document. */
export const TEXT_MAX = 1_048_576;

export const required = (name: string, kind: ParameterKind): Parameter => ({ name, kind });
export const optional = (name: string, kind: ParameterKind): Parameter => ({ name, kind, optional: true });
export const constant = (name: string, kind: ParameterKind): Parameter => ({ name, kind, constant: true });
export const optionalConstant = (name: string, kind: ParameterKind): Parameter => ({
  name,
  kind,
  optional: true,
  constant: true,
});

export function describeType(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "boolean") return "a truth value";
  if (typeof value === "number" || value instanceof ExactNumber) return "a number";
  return typeof value === "string" ? "a text" : "an object";
}

/** A scalar as text; `undefined` for lists, objects, null and what is missing. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Object.is(value, -0) ? "0" : String(value);
  if (typeof value === "boolean") return String(value);
  return value instanceof ExactNumber ? value.text : undefined;
}

/** A number of a document, or a text that is one. */
export function decimalIn(value: unknown): Decimal | undefined {
  if (typeof value === "number" || value instanceof ExactNumber) return decimalOf(value);
  return typeof value === "string" ? parseDecimal(value.trim()) : undefined;
}

/** @throws {ValueFault} for a value that the parameter does not take */
export function convert(value: unknown, parameter: Parameter, functionName: string): unknown {
  const { kind, oneOf } = parameter;
  if (value === undefined) {
    if (parameter.optional) return undefined;
    throw new ValueFault("wrong_type", `${functionName}: ${parameter.name} is missing`);
  }
  if (kind === "any") return value;
  const converted = CONVERSIONS[kind](value);
  if (converted === undefined) {
    const got = typeof value === "string" ? shown(value) : describeType(value);
    throw new ValueFault(
      "wrong_type",
      `${functionName}: ${parameter.name} must be ${KIND_NAMES[kind]}, not ${got}`,
    );
  }
  if (oneOf !== undefined && !oneOf.includes(converted as string)) {
    throw new ValueFault(
      "invalid_value",
      `${functionName}: ${parameter.name} must be one of ${oneOf.join(", ")}`,
    );
  }
  return converted;
}

const KIND_NAMES = {
  text: "a text",
  decimal: "a number",
  integer: "a whole number",
  boolean: "true or false",
  list: "a list",
} as const;

const CONVERSIONS: Record<keyof typeof KIND_NAMES, (value: unknown) => unknown> = {
  text: textOf,
  decimal: decimalIn,
  integer: (value) => {
    const decimal = decimalIn(value);
    const number = decimal === undefined ? Number.NaN : Number(decimal.digits) / 10 ** decimal.scale;
    return Number.isSafeInteger(number) ? number : undefined;
  },
  boolean: (value) => (typeof value === "boolean" ? value : undefined),
  list: (value) => (Array.isArray(value) ? value : value === null ? undefined : [value]),
};
