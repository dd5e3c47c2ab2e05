import { RE2JS } from "re2js";
import type { FieldError } from "../errors.ts";

/** What a filter looks at. `data` is asked for only when a condition needs it, and parsed once by the caller. */
export interface FilterableEvent {
  id: string;
  type: string;
  orderingKey?: string | undefined;
  data(): unknown;
}

/** An event that no filter can judge, with the cause as its message. */
export class UnmatchableEvent extends Error {}

/** A compiled filter; it throws only what `data` throws. */
export type EventFilter = (event: FilterableEvent) => boolean;

/** Bounds of one filter: what a person writes stays far below, and what loops or floods is refused when saved. */
export const FILTER_BYTES_MAX = 16_384;
const DEPTH_MAX = 8;
const CONDITIONS_MAX = 100;
const LIST_MAX = 500;
const PATH_MAX = 200;
const PATTERN_MAX = 200;
/** A linear search over this much text takes milliseconds; the rest of a longer text is not searched. */
const SEARCHED_CHARS_MAX = 4096;
/** Values that a path through nested arrays is followed to. */
const VALUES_MAX = 1000;

const ROOTS = new Set(["id", "type", "orderingKey", "data"]);

type ValueTest = (value: unknown) => boolean;

/** Faults found so far, and how many conditions there were. */
interface Compilation {
  errors: FieldError[];
  conditions: number;
}

/**
 * Compiles a payload filter into closures, for example `{ "data.status": { "$in": ["NEW", "SENT"] } }`. Paths are
 * dotted, from `id`, `type`, `orderingKey` or `data`; a path through an array looks at each of its elements. Conditions
 * of one object must all hold. As in MongoDB, a condition holds when it holds for any value that its path leads to, and
 * `$ne`, `$nin` and `$not` hold when their opposite holds for none.
 *
 * @param at JSON pointer of the filter in the request body
 * @returns the test, or every fault found
 */
export function compileFilter(
  filter: unknown,
  at = "/filter",
): { ok: true; test: EventFilter } | { ok: false; errors: FieldError[] } {
  const compilation: Compilation = { errors: [], conditions: 0 };
  if (Buffer.byteLength(JSON.stringify(filter) ?? "") > FILTER_BYTES_MAX) {
    return { ok: false, errors: [{ path: at, message: `must be at most ${FILTER_BYTES_MAX} bytes` }] };
  }
  const test = compileObject(compilation, filter, at, 0);
  const { errors } = compilation;
  return errors.length > 0 ? { ok: false, errors } : { ok: true, test };
}

const never = (): boolean => false;

function fault(compilation: Compilation, path: string, message: string): typeof never {
  if (compilation.errors.length < 20) compilation.errors.push({ path, message });
  return never;
}

const pointerToken = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");

function compileObject(compilation: Compilation, filter: unknown, at: string, depth: number): EventFilter {
  if (!isObject(filter)) return fault(compilation, at, "must be an object of conditions");
  if (depth > DEPTH_MAX) return fault(compilation, at, `is nested deeper than ${DEPTH_MAX} levels`);
  const tests = Object.entries(filter).map(([name, condition]) => {
    const place = `${at}/${pointerToken(name)}`;
    if (name === "$and" || name === "$or" || name === "$nor") {
      return compileList(compilation, { name, list: condition, at: place, depth });
    }
    if (name === "$not") {
      const inner = compileObject(compilation, condition, place, depth + 1);
      return (event: FilterableEvent) => !inner(event);
    }
    if (name.startsWith("$")) return fault(compilation, place, "is no operator that combines conditions");
    return compilePath(compilation, { path: name, condition, at: place, depth });
  });
  return (event) => tests.every((test) => test(event));
}

function compileList(
  compilation: Compilation,
  input: { name: "$and" | "$or" | "$nor"; list: unknown; at: string; depth: number },
): EventFilter {
  const { name, list, at, depth } = input;
  if (!Array.isArray(list) || list.length === 0)
    return fault(compilation, at, "must be a list of conditions");
  if (list.length > CONDITIONS_MAX)
    return fault(compilation, at, `must have at most ${CONDITIONS_MAX} members`);
  const tests = list.map((member, index) => compileObject(compilation, member, `${at}/${index}`, depth + 1));
  if (name === "$and") return (event) => tests.every((test) => test(event));
  if (name === "$or") return (event) => tests.some((test) => test(event));
  return (event) => !tests.some((test) => test(event));
}

function compilePath(
  compilation: Compilation,
  input: { path: string; condition: unknown; at: string; depth: number },
): EventFilter {
  const { path, condition, at, depth } = input;
  const [root = "", ...names] = path.split(".");
  if (
    path.length > PATH_MAX ||
    !ROOTS.has(root) ||
    names.includes("") ||
    (root !== "data" && names.length > 0)
  ) {
    const message = `must begin with data., or be id, type or orderingKey, in at most ${PATH_MAX} characters`;
    return fault(compilation, at, message);
  }
  const test = compileCondition(compilation, condition, at, depth + 1);
  if (root === "data")
    return (event) => {
      const found = valuesAt(event.data(), names);
      return test(elementsOf(found), found.length > 0);
    };
  const field = root as "id" | "type" | "orderingKey";
  return (event) => test(event[field] === undefined ? [] : [event[field]], event[field] !== undefined);
}

/** A test over every value that the path leads to; none when there is nothing, or a list without elements. */
type ValuesTest = (values: readonly unknown[], exists: boolean) => boolean;

function compileCondition(
  compilation: Compilation,
  condition: unknown,
  at: string,
  depth: number,
): ValuesTest {
  if (++compilation.conditions > CONDITIONS_MAX)
    return fault(compilation, at, `is more than ${CONDITIONS_MAX} conditions`);
  if (depth > DEPTH_MAX) return fault(compilation, at, `is nested deeper than ${DEPTH_MAX} levels`);
  if (!isObject(condition)) return compileOperator(compilation, "$eq", condition, at);
  const operators = Object.entries(condition);
  if (operators.length === 0) return fault(compilation, at, "must name an operator");
  const tests = operators.map(([name, operand]) => {
    const place = `${at}/${pointerToken(name)}`;
    if (name !== "$not") return compileOperator(compilation, name, operand, place);
    const inner = compileCondition(compilation, operand, place, depth + 1);
    return (values: readonly unknown[], exists: boolean) => !inner(values, exists);
  });
  return (values, exists) => tests.every((test) => test(values, exists));
}

function compileOperator(compilation: Compilation, name: string, operand: unknown, at: string): ValuesTest {
  const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name]! : undefined;
  if (operator === undefined) {
    return fault(compilation, at, `is no operator; there are ${Object.keys(OPERATORS).join(", ")}, $not`);
  }
  const result = operator(operand);
  return typeof result === "string" ? fault(compilation, at, result) : result;
}

const ifAny =
  (test: ValueTest): ValuesTest =>
  (values) =>
    values.some(test);
const ifNone =
  (test: ValueTest): ValuesTest =>
  (values) =>
    !values.some(test);

const isScalar = (value: unknown): boolean => value === null || typeof value !== "object";
const isList = (value: unknown): value is unknown[] =>
  Array.isArray(value) && value.length <= LIST_MAX && value.every(isScalar);
const SCALAR = "must be a text, a number, true, false or null";
const LIST = `must be a list of at most ${LIST_MAX} texts, numbers, true, false or null`;

/** Text is compared with text, numbers with numbers; anything else is not comparable. */
function compare(holds: (order: number) => boolean): (operand: unknown) => ValuesTest | string {
  return (operand) => {
    if (typeof operand !== "number" && typeof operand !== "string") return "must be a number or a text";
    return ifAny((value) => {
      if (typeof value !== typeof operand) return false;
      const found = value as number | string;
      return holds(found < operand ? -1 : found > operand ? 1 : 0);
    });
  };
}

function text(test: (value: string, operand: string) => boolean): (operand: unknown) => ValuesTest | string {
  return (operand) =>
    typeof operand === "string"
      ? ifAny((value) => typeof value === "string" && test(value, operand))
      : "must be a text";
}

/** Each takes its operand and answers the test, or what is wrong with the operand. */
const OPERATORS: Readonly<Record<string, (operand: unknown) => ValuesTest | string>> = {
  $eq: (operand) => (isScalar(operand) ? ifAny((value) => value === operand) : SCALAR),
  $ne: (operand) => (isScalar(operand) ? ifNone((value) => value === operand) : SCALAR),
  $gt: compare((order) => order > 0),
  $gte: compare((order) => order >= 0),
  $lt: compare((order) => order < 0),
  $lte: compare((order) => order <= 0),
  $in: (operand) => (isList(operand) ? inSet(ifAny, operand) : LIST),
  $nin: (operand) => (isList(operand) ? inSet(ifNone, operand) : LIST),
  $exists: (operand) =>
    typeof operand === "boolean" ? (_values, exists) => exists === operand : "must be true or false",
  $startsWith: text((value, operand) => value.startsWith(operand)),
  $endsWith: text((value, operand) => value.endsWith(operand)),
  $contains: text((value, operand) => value.includes(operand)),
  $regex: matchPattern,
};

function inSet(how: (test: ValueTest) => ValuesTest, operand: readonly unknown[]): ValuesTest {
  const known = new Set(operand);
  return how((value) => known.has(value));
}

/** RE2's syntax and its linear time: a pattern of a subscription cannot hold up the worker. */
function matchPattern(operand: unknown): ValuesTest | string {
  if (typeof operand !== "string" || operand.length > PATTERN_MAX)
    return `must be a regular expression of at most ${PATTERN_MAX} characters`;
  try {
    const pattern = RE2JS.compile(operand);
    return ifAny(
      (value) => typeof value === "string" && pattern.matcher(value.slice(0, SEARCHED_CHARS_MAX)).find(),
    );
  } catch (error) {
    return `is no regular expression in RE2's syntax: ${(error as Error).message.replace(/^error parsing regexp: /, "")}`;
  }
}

/** Every value under a path: an array on the way stands for itself by index, and else for each of its elements. */
function valuesAt(root: unknown, names: readonly string[]): unknown[] {
  let values: unknown[] = [root];
  for (const name of names) {
    const next: unknown[] = [];
    for (const value of values) {
      if (next.length >= VALUES_MAX) break;
      if (Array.isArray(value)) {
        if (/^\d{1,9}$/.test(name) && Number(name) < value.length) next.push(value[Number(name)]);
        for (const element of value.slice(0, VALUES_MAX)) {
          if (isObject(element) && Object.hasOwn(element, name)) next.push(element[name]);
        }
      } else if (isObject(value) && Object.hasOwn(value, name)) next.push(value[name]);
    }
    values = next;
  }
  return values;
}

/** An array at the end of a path stands for its elements. */
function elementsOf(values: readonly unknown[]): unknown[] {
  return values.flatMap((value) => (Array.isArray(value) ? value.slice(0, VALUES_MAX) : [value]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
