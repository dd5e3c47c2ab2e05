import { ExactNumber, isDocumentObject } from "../../../platform/formats/document.ts";
import type { Compiled, ExpressionCompiler, Node, Place } from "./place.ts";
import { siteOf, within } from "./place.ts";
import { shown } from "./date-text.ts";
import { keyOf } from "./functions/lists.ts";
import { isEmpty, truthOf } from "./functions/logic.ts";
import { describeType, TEXT_MAX, textOf } from "./functions/mapping-function.ts";
import type { Blank } from "./rules.ts";
import type { Site } from "./scope.ts";
import { Scope } from "./scope.ts";
import { LimitFault, Unresolved, ValueFault } from "./value-fault.ts";
import { locateElement, toList } from "./walk-path.ts";

const withPath = (compiled: Compiled, from: readonly (Compiled | undefined)[]): Compiled => {
  const path = from.find((one) => one?.path !== undefined)?.path;
  return path === undefined ? compiled : { ...compiled, path };
};

/** Keeps a fault and goes on with the next rule or element. @throws what ends the run */
export function settle(error: unknown, site: Site, scope: Scope): undefined {
  if (error instanceof Unresolved) return undefined;
  if (!(error instanceof ValueFault) || error instanceof LimitFault) throw error;
  const at = scope.run.site ?? site;
  scope.run.site = undefined;
  if (!scope.run.report(error, at, scope)) throw new TooManyFaults();
  return undefined;
}

/** Ends the run with the faults that there are. */
export class TooManyFaults extends Error {
  override readonly name = "TooManyFaults";
}

/** How a rule tells that there is no value. */
export function blankTest(blank: Blank | undefined): (value: unknown) => boolean {
  if (blank === "null") return (value) => value === undefined || value === null;
  if (blank === "empty") return (value) => value === undefined || value === null || isEmpty(value);
  return (value) => value === undefined;
}

/** `{ concat, separator }`: what is missing or null is left out; missing when nothing is left. */
export function compileConcat(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const parts = (node["concat"] as unknown[]).map((part, index) =>
    compiler.expression(part, within(place, "concat", index)),
  );
  const separator = (node["separator"] as string | undefined) ?? "";
  const evaluate = (scope: Scope): unknown => {
    let joined: string | undefined;
    for (const part of parts) {
      const value = part.evaluate(scope);
      if (value === undefined || value === null) continue;
      const text = textOf(value);
      if (text === undefined)
        throw new ValueFault("wrong_type", `concat joins texts and numbers, not ${describeType(value)}`);
      if (separator !== "" && text === "") continue;
      joined = joined === undefined ? text : joined + separator + text;
      if (joined.length > TEXT_MAX)
        throw new ValueFault("invalid_value", `the text has more than ${TEXT_MAX} characters`);
    }
    return joined;
  };
  return withPath({ evaluate, emits: false }, parts);
}

/** `{ if, then, else }`. */
export function compileIf(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const condition = compiler.expression(node["if"], within(place, "if"));
  const then = compiler.expression(node["then"], within(place, "then"));
  const otherwise =
    node["else"] === undefined ? undefined : compiler.expression(node["else"], within(place, "else"));
  const evaluate = (scope: Scope): unknown =>
    truthOf(condition.evaluate(scope)) ? then.evaluate(scope) : otherwise?.evaluate(scope);
  return withPath({ evaluate, emits: then.emits && otherwise?.emits !== false }, [
    then,
    otherwise,
    condition,
  ]);
}

/** `{ first, blank }`: the first that has a value. */
export function compileFirst(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const choices = (node["first"] as unknown[]).map((one, index) =>
    compiler.expression(one, within(place, "first", index)),
  );
  const isBlank = blankTest((node["blank"] as Blank | undefined) ?? "null");
  const evaluate = (scope: Scope): unknown => {
    for (const choice of choices) {
      const value = choice.evaluate(scope);
      if (!isBlank(value)) return value;
    }
    return undefined;
  };
  return withPath({ evaluate, emits: choices.every(({ emits }) => emits) }, choices);
}

/** `{ list }`: what is missing is left out. */
export function compileList(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const inner = { ...place, outputDepth: place.outputDepth + 1 };
  const items = (node["list"] as unknown[]).map((item, index) =>
    compiler.expression(item, within({ ...inner, target: [...place.target, index] }, "list", index)),
  );
  return {
    evaluate: (scope) => {
      const out: unknown[] = [];
      for (const item of items) {
        const value = item.evaluate(scope);
        if (value === undefined) continue;
        if (!item.emits) scope.run.emit(value, inner.outputDepth, 1);
        out.push(value);
      }
      return out;
    },
    emits: true,
  };
}

/** `{ each, where, do }`. */
export function compileEach(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const list = compiler.expression(node["each"], within(place, "each"));
  const element: Place = {
    ...place,
    levels: place.levels + 1,
    outputDepth: place.outputDepth + 1,
    target: [...place.target, undefined],
  };
  const where =
    node["where"] === undefined ? undefined : compiler.expression(node["where"], within(element, "where"));
  const map = compiler.expression(node["do"], within(element, "do"));
  const listPath = list.path;
  const origin =
    listPath && ((scope: Scope) => scope.parent && locateElement(listPath, scope.parent, scope.index));
  const site = siteOf(within(element, "do"), map.path);
  const whereSite = where && siteOf(within(element, "where"), where.path);
  const evaluate = (scope: Scope): unknown => {
    const { run } = scope;
    const value = list.evaluate(scope);
    if (value === undefined || value === null) return value;
    const items = toList(value);
    const out: unknown[] = [];
    for (let index = 0; index < items.length; index++) {
      run.spend(1);
      const inner = new Scope(run, items[index], scope.root, scope, index, out.length, origin, true);
      let at = whereSite ?? site;
      try {
        if (where !== undefined && !truthOf(where.evaluate(inner))) continue;
        at = site;
        const mapped = map.evaluate(inner);
        if (mapped === undefined) continue;
        if (!map.emits) run.emit(mapped, element.outputDepth, 1);
        out.push(mapped);
      } catch (error) {
        settle(error, at, inner);
      }
    }
    return out;
  };
  return withPath({ evaluate, emits: true }, [list]);
}

interface Group {
  key: unknown;
  items: unknown[];
}

/** `{ group, by, do, as }`: groups stand in the order of their first elements; a missing key is `null`. */
export function compileGroup(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const list = compiler.expression(node["group"], within(place, "group"));
  const element = { ...place, levels: place.levels + 1 };
  const by = compiler.expression(node["by"], within(element, "by"));
  const isObject = node["as"] === "object";
  const inner: Place = {
    ...element,
    outputDepth: place.outputDepth + 1,
    target: [...place.target, undefined],
  };
  const map = compiler.expression(node["do"], within(inner, "do"));
  const listPath = list.path;
  const origin =
    listPath && ((scope: Scope) => scope.parent && locateElement(listPath, scope.parent, scope.index));
  const bySite = siteOf(within(element, "by"), by.path);
  const site = siteOf(within(inner, "do"), map.path);

  const collect = (items: readonly unknown[], scope: Scope): Group[] => {
    const groups = new Map<string, Group>();
    for (let index = 0; index < items.length; index++) {
      scope.run.spend(1);
      const at = new Scope(scope.run, items[index], scope.root, scope, index, index, origin, false);
      try {
        const key = by.evaluate(at) ?? null;
        const name = keyOf(key);
        const group = groups.get(name);
        if (group === undefined) groups.set(name, { key, items: [items[index]] });
        else group.items.push(items[index]);
      } catch (error) {
        settle(error, bySite, at);
      }
    }
    return [...groups.values()];
  };

  const evaluate = (scope: Scope): unknown => {
    const value = list.evaluate(scope);
    if (value === undefined || value === null) return value;
    const out: [string, unknown][] = [];
    for (const [index, group] of collect(toList(value), scope).entries()) {
      const at = new Scope(scope.run, group, scope.root, scope, index, out.length, undefined, true);
      try {
        const mapped = map.evaluate(at);
        if (mapped === undefined) continue;
        const name = isObject ? memberName(group.key) : "";
        if (!map.emits) scope.run.emit(mapped, inner.outputDepth, 1);
        scope.run.emit(name, inner.outputDepth, 0);
        out.push([name, mapped]);
      } catch (error) {
        settle(error, site, at);
      }
    }
    return isObject ? Object.fromEntries(out) : out.map(([, mapped]) => mapped);
  };
  return withPath({ evaluate, emits: true }, [list]);
}

function memberName(key: unknown): string {
  const name = textOf(key);
  if (name === undefined)
    throw new ValueFault("wrong_type", `a member's name must be a text, not ${describeType(key)}`);
  if (name === "__proto__")
    throw new ValueFault("invalid_value", "__proto__ is not a name that can be written");
  return name;
}

/** `{ lookup, table, default, reverse }`: a value that the table does not have is a fault, unless there is a default. */
export function compileLookup(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const key = compiler.expression(node["lookup"], within(place, "lookup"));
  const otherwise =
    node["default"] === undefined
      ? undefined
      : compiler.expression(node["default"], within(place, "default"));
  const table = compiler.table(node["table"], place);
  const isReverse = node["reverse"] === true;
  const entries = new Map<string, unknown>();
  for (const [name, value] of Object.entries(table ?? {})) {
    const from = isReverse ? textOf(value) : name;
    if (from === undefined) {
      compiler.fault(
        "invalid_table",
        `The table cannot be read backwards: ${shown(name)} has no text or number`,
        within(place, "table"),
      );
      break;
    }
    if (!entries.has(from)) entries.set(from, isReverse ? name : value);
  }
  const title = typeof node["table"] === "string" ? node["table"] : "the table";
  const site = siteOf(place, key.path);
  const evaluate = (scope: Scope): unknown => {
    const value = key.evaluate(scope);
    if (value === undefined || value === null) return value;
    const name = textOf(value);
    if (name !== undefined) {
      const found = entries.get(name);
      if (found !== undefined) return found;
    }
    if (otherwise !== undefined) return otherwise.evaluate(scope);
    scope.run.site = site;
    const got = name === undefined ? describeType(value) : shown(name);
    throw new ValueFault("unknown_value", `${title} has no entry for ${got}`);
  };
  return withPath({ evaluate, emits: false }, [key]);
}

/** `{ jsonata, input }`: its result is fetched between two passes of the mapping. */
export function compileJsonata(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const expression = node["jsonata"] as string;
  const input =
    node["input"] === undefined ? undefined : compiler.expression(node["input"], within(place, "input"));
  const site = siteOf(place, input?.path);
  const evaluate = (scope: Scope): unknown => {
    const { run } = scope;
    const value = input === undefined ? scope.item : input.evaluate(scope);
    if (value === undefined) return undefined;
    const text = jsonText(value);
    run.spend(1 + text.length / 256);
    const key = `${expression}\n${text}`;
    if (!run.answers.has(key)) {
      run.answers.set(key, undefined);
      run.asked.push({ key, expression, input: text });
    }
    const answer = run.answers.get(key);
    if (answer === undefined) throw new Unresolved();
    if (answer.ok) return answer.value;
    run.site = site;
    throw new ValueFault("expression_failed", answer.message);
  };
  return withPath({ evaluate, emits: false }, [input]);
}

/** JSON for JSONata, whose numbers are doubles: what they cannot hold goes as text, with all its digits. */
function jsonText(value: unknown): string {
  return JSON.stringify(hasExact(value) ? exactAsText(value) : value);
}

function hasExact(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof ExactNumber) return true;
  return Object.values(value).some(hasExact);
}

function exactAsText(value: unknown): unknown {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return value.map(exactAsText);
  if (!isDocumentObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, exactAsText(member)]));
}
