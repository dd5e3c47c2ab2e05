import { isDocumentObject } from "../../../../platform/formats/document.ts";
import { ValueFault } from "../value-fault.ts";
import { keyOf, order } from "./lists.ts";
import { describeType, type MappingFunctions, optional, textOf } from "./mapping-function.ts";

const one = optional("value", "any");
const other = optional("other", "any");

/** True or false; what is missing or null is false. @throws {ValueFault} for anything else */
export function truthOf(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) return false;
  throw new ValueFault("wrong_type", `a condition must be true or false, not ${describeType(value)}`);
}

/** Text, list or object without content. */
export function isEmpty(value: unknown): boolean {
  if (typeof value === "string") return value === "";
  if (Array.isArray(value)) return value.length === 0;
  return isDocumentObject(value) && Object.keys(value).length === 0;
}

const isEqual = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (a === undefined || b === undefined || (typeof a === "string" && typeof b === "string")) return false;
  return keyOf(a) === keyOf(b);
};

const test = (summary: string, judge: (value: unknown) => boolean) => ({
  summary,
  parameters: [one],
  blanks: "take" as const,
  make: () => (args: readonly unknown[]) => judge(args[0]),
});

const comparison = (summary: string, judge: (sign: number) => boolean) => ({
  summary,
  parameters: [one, other],
  blanks: "take" as const,
  make: () => (args: readonly unknown[]) => {
    const [a, b] = args;
    if (a === undefined || a === null || b === undefined || b === null) return false;
    return judge(order(a, b));
  },
});

/** Conditions. Comparing with what is missing or null is false, and no fault. */
export const LOGIC_FUNCTIONS: MappingFunctions = {
  exists: test("Whether there is a value, also null or an empty one", (value) => value !== undefined),
  isNull: test("Whether it is null", (value) => value === null),
  isEmpty: test("Whether it is a text, list or object without content", isEmpty),
  hasValue: test("Whether it is there, not null and not empty", (value) =>
    value !== undefined && value !== null && !isEmpty(value)),
  isNumber: test("Whether it is a number or a text that is one", (value) => {
    const text = typeof value === "boolean" ? undefined : textOf(value);
    return text !== undefined && /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/.test(text.slice(0, 400));
  }),
  equals: {
    summary: 'Whether two values are the same; 1 and 1.0 are, 1 and "1" are not',
    parameters: [one, other],
    blanks: "take",
    make: () => (args) => isEqual(args[0], args[1]),
  },
  notEquals: {
    summary: "Whether two values differ",
    parameters: [one, other],
    blanks: "take",
    make: () => (args) => !isEqual(args[0], args[1]),
  },
  in: {
    summary: "Whether it is one of a list",
    parameters: [one, optional("list", "any")],
    blanks: "take",
    make: () => (args) => {
      const [value, list] = args;
      return Array.isArray(list) && list.some((item) => isEqual(value, item));
    },
  },
  less: comparison(
    "Whether it is less; numbers as numbers, texts (also ISO dates) by their characters",
    (sign) => sign < 0,
  ),
  atMost: comparison("Whether it is less or the same", (sign) => sign <= 0),
  greater: comparison("Whether it is greater", (sign) => sign > 0),
  atLeast: comparison("Whether it is greater or the same", (sign) => sign >= 0),
  and: {
    summary: "Whether all are true",
    parameters: [one],
    rest: true,
    blanks: "take",
    make: () => (args) => args.every(truthOf),
  },
  or: {
    summary: "Whether one is true",
    parameters: [one],
    rest: true,
    blanks: "take",
    make: () => (args) => args.some(truthOf),
  },
  not: {
    summary: "The opposite",
    parameters: [one],
    blanks: "take",
    make: () => (args) => !truthOf(args[0]),
  },
  toBoolean: {
    summary: "true for true, 1, Y, YES, T; false for false, 0, N, NO, F, in any letters",
    parameters: [optional("value", "any")],
    make: () => (args) => {
      const text = textOf(args[0])?.trim().toLowerCase();
      if (text === undefined)
        throw new ValueFault("wrong_type", `toBoolean: value must be a text, not ${describeType(args[0])}`);
      if (text === "") return undefined;
      if (["true", "1", "y", "yes", "t"].includes(text)) return true;
      if (["false", "0", "n", "no", "f"].includes(text)) return false;
      throw new ValueFault("invalid_value", "toBoolean: the value is neither yes nor no");
    },
  },
};
