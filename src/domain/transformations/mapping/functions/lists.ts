import { ExactNumber, isDocumentObject } from "../../../../platform/formats/document.ts";
import { compare } from "../decimal.ts";
import { Scope } from "../scope.ts";
import { ValueFault } from "../value-fault.ts";
import { compilePath } from "../walk-path.ts";
import { parsePath } from "../path.ts";
import {
  decimalIn,
  type MappingFunctions,
  optional,
  optionalConstant,
  type Parameter,
  required,
  TEXT_MAX,
  textOf,
} from "./mapping-function.ts";

const list = required("list", "list");

/** Key by which equal values are equal: kind and content. Objects and lists are compared by their JSON. */
export function keyOf(value: unknown): string {
  if (typeof value === "object" && value !== null && !(value instanceof ExactNumber))
    return `o${JSON.stringify(value)}`;
  const decimal = typeof value === "number" || value instanceof ExactNumber ? decimalIn(value) : undefined;
  if (decimal === undefined) return `${typeof value}${String(value)}`;
  let { digits, scale } = decimal;
  while (scale > 0 && digits % 10n === 0n) [digits, scale] = [digits / 10n, scale - 1];
  return `n${digits}/${scale}`;
}

const NUMERIC = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/** Negative, 0 or positive. Numbers and numeric texts as numbers, other texts by their characters. */
export function order(one: unknown, other: unknown): number {
  const [a, b] = [decimalOr(one), decimalOr(other)];
  if (a !== undefined && b !== undefined) return compare(a, b);
  const [left, right] = [textOf(one), textOf(other)];
  if (left === undefined || right === undefined)
    throw new ValueFault("wrong_type", "only numbers and texts have an order");
  return left < right ? -1 : left > right ? 1 : 0;
}

function decimalOr(value: unknown): ReturnType<typeof decimalIn> {
  return typeof value === "string" && !NUMERIC.test(value) ? undefined : decimalIn(value);
}

/** A path in the elements of a list, written in the rules. */
function elementPath(text: unknown): ((item: unknown, scope: Scope) => unknown) | undefined {
  if (text === undefined) return undefined;
  const outcome = parsePath(String(text));
  if (!outcome.ok) throw new ValueFault("invalid_argument", `the path ${outcome.message}`);
  if (outcome.path.head !== "item")
    throw new ValueFault("invalid_argument", "the path must start at the element");
  const evaluate = compilePath(outcome.path);
  return (item, scope) => evaluate(new Scope(scope.run, item, scope.root, scope, 0, 0, undefined, false));
}

const by = optionalConstant("path", "text");
const direction: Parameter = {
  name: "direction",
  kind: "text",
  optional: true,
  oneOf: ["ascending", "descending"],
};

/** Functions of lists. */
export const LIST_FUNCTIONS: MappingFunctions = {
  count: {
    summary: "Number of its elements; 0 where there is no list",
    parameters: [optional("list", "any")],
    blanks: "take",
    make: () => (args) => {
      const value = args[0];
      return value === undefined || value === null ? 0 : Array.isArray(value) ? value.length : 1;
    },
  },
  item: {
    summary: "The element at a place: 0 the first, -1 the last",
    parameters: [list, required("place", "integer")],
    make: () => (args) => (args[0] as unknown[]).at(args[1] as number),
  },
  join: {
    summary: "Texts and numbers of a list in one text, with a separator",
    parameters: [list, optional("separator", "text")],
    make: () => (args) => {
      const parts = (args[0] as unknown[])
        .filter((part) => part !== null && part !== undefined)
        .map((part) => {
          const text = textOf(part);
          if (text === undefined) throw new ValueFault("wrong_type", "only texts and numbers can be joined");
          return text;
        });
      const separator = (args[1] as string | undefined) ?? "";
      const length = parts.reduce((sum, part) => sum + part.length + separator.length, 0);
      if (length > TEXT_MAX)
        throw new ValueFault("invalid_value", `the text has more than ${TEXT_MAX} characters`);
      return parts.join(separator);
    },
  },
  distinct: {
    summary: "Each element once, by a path in it where one is given",
    parameters: [list, by],
    make: (constants) => {
      const pathOf = elementPath(constants[1]);
      return (args, scope) => {
        const seen = new Set<string>();
        return (args[0] as unknown[]).filter((item) => {
          scope.run.spend(1);
          const key = keyOf(pathOf === undefined ? item : pathOf(item, scope));
          return !seen.has(key) && seen.add(key);
        });
      };
    },
  },
  sort: {
    summary: "In order, by a path in the elements where one is given; what has no value stands last",
    parameters: [list, by, direction],
    make: (constants) => {
      const pathOf = elementPath(constants[1]);
      return (args, scope) => {
        const sign = args[2] === "descending" ? -1 : 1;
        const keyed = (args[0] as unknown[]).map((item) => ({
          item,
          key: (pathOf === undefined ? item : pathOf(item, scope)) ?? undefined,
        }));
        return keyed
          .sort((one, other) => {
            scope.run.spend(1);
            if (one.key === undefined || other.key === undefined)
              return Number(one.key === undefined) - Number(other.key === undefined);
            return order(one.key, other.key) * sign;
          })
          .map(({ item }) => item);
      };
    },
  },
  reverse: {
    summary: "In the opposite order",
    parameters: [list],
    make: () => (args) => (args[0] as unknown[]).toReversed(),
  },
  slice: {
    summary: "Elements from a place on, at most so many",
    parameters: [list, required("start", "integer"), optional("length", "integer")],
    make: () => (args) => {
      const [items, start, length] = args as [unknown[], number, number?];
      const from = start < 0 ? Math.max(0, items.length + start) : start;
      return items.slice(from, length === undefined ? undefined : from + Math.max(0, length));
    },
  },
  append: {
    summary: "One list of the elements of all arguments; what is missing is left out",
    parameters: [optional("list", "any")],
    rest: true,
    blanks: "take",
    make: () => (args, scope) => {
      const all = args.flatMap((value) => (value === undefined || value === null ? [] : value));
      scope.run.spend(all.length >> 2);
      return all;
    },
  },
  flatten: {
    summary: "Lists inside a list opened, one level",
    parameters: [list],
    make: () => (args) => (args[0] as unknown[]).flat(),
  },
  entries: {
    summary: "Members of an object as a list of { key, value }",
    parameters: [required("object", "any")],
    make: () => (args) => {
      if (!isDocumentObject(args[0])) throw new ValueFault("wrong_type", "entries: object must be an object");
      return Object.entries(args[0]).map(([key, value]) => ({ key, value }));
    },
  },
};
