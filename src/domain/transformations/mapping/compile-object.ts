import { Type } from "@sinclair/typebox";
import { isDocumentObject } from "../../../platform/formats/document.ts";
import { assemblerOf } from "../../../platform/formats/assemble-object.ts";
import { blankTest, settle } from "./compile-forms.ts";
import type { Compiled, ExpressionCompiler, Node, Place } from "./place.ts";
import { siteOf, within } from "./place.ts";
import { truthOf } from "./functions/logic.ts";
import { describeType } from "./functions/mapping-function.ts";
import type { RuleTrace } from "./mapping-result.ts";
import type { TargetStep } from "./path.ts";
import { parseTarget } from "./path.ts";
import type { MappingRule } from "./rules.ts";
import { mappingForms } from "./rules.ts";
import type { Scope, Site } from "./scope.ts";
import { targetPointer } from "./scope.ts";
import { ValueFault } from "./value-fault.ts";
import type { Evaluate } from "./walk-path.ts";

const ruleForm = mappingForms(Type.Unknown()).rule;

/** What a place counts besides its name and its text: quotes, signs, the digits of a number. */
const PLACE_CHARS = 4;

/** Values of one rule that a trace keeps. */
const TRACED_VALUES_MAX = 20;

/** `{ object, base }`: missing when no rule gives a value and there is no base. */
export function compileObject(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const base =
    node["base"] === undefined ? undefined : compiler.expression(node["base"], within(place, "base"));
  const evaluate = compileRules(
    compiler,
    node["object"] as unknown[],
    within(place, "object"),
    base ?? "unless empty",
  );
  return { evaluate, emits: true };
}

/** A place of the output with what is written there: by one rule, or by rules inside it. */
interface Target {
  rule?: { index: number; evaluate: Evaluate; remove: boolean };
  members: Map<TargetStep, Target>;
  /** First rule that writes here or inside. */
  first: number;
}

/**
 * Rules of one object.
 *
 * @param base what the object begins with; without one `always` gives an empty object where no rule has a value
 */
export function compileRules(
  compiler: ExpressionCompiler,
  rules: readonly unknown[],
  place: Place,
  base: Compiled | "always" | "unless empty",
): Evaluate {
  const root: Target = { members: new Map(), first: 0 };
  const isMerge = typeof base === "object";
  for (const [index, rule] of rules.entries()) {
    const at = within(place, index);
    if (!compiler.checkShape(ruleForm, rule, at.pointer, (fault) => compiler.inTemplate(fault, at))) {
      if (isDocumentObject(rule)) judgeSources(compiler, rule, at);
      continue;
    }
    addRule(compiler, root, rule as MappingRule, index, at, isMerge);
  }
  if (root.rule !== undefined) return root.rule.evaluate;
  if (isMerge) {
    const merge = mergeInto(root);
    return (scope) => {
      const value = base.evaluate(scope);
      if (value !== undefined && value !== null && !isDocumentObject(value))
        throw new ValueFault("wrong_type", `only an object can be merged into, not ${describeType(value)}`);
      const merged = merge(scope, value) ?? {};
      scope.run.emit(merged, place.outputDepth, 1);
      return merged;
    };
  }
  const build = buildTarget(root);
  return base === "always" ? (scope) => build(scope) ?? {} : build;
}

function addRule(
  compiler: ExpressionCompiler,
  root: Target,
  rule: MappingRule,
  index: number,
  at: Place,
  isMerge: boolean,
): void {
  const outcome = parseTarget(rule.target);
  const targetPlace = within(at, "target");
  if (!outcome.ok) {
    const message = `The target ${JSON.stringify(rule.target)}: ${outcome.message}`;
    compiler.fault("invalid_target", message, targetPlace);
    return judgeSources(compiler, rule, at);
  }
  const { steps } = outcome;
  if (rule.remove && (!isMerge || rule.from !== undefined))
    return compiler.fault(
      "invalid_rule",
      "remove stands alone, where the output begins as a copy (merge, base)",
      within(at, "remove"),
    );
  if (!rule.remove && rule.from === undefined && rule.default === undefined)
    return compiler.fault("invalid_rule", "The rule has no value: give from or default", at);
  const evaluate = compileRule(compiler, rule, steps, at);
  const taken = insert(root, steps, { index, evaluate, remove: rule.remove === true });
  if (taken === undefined) return;
  const message = `${JSON.stringify(rule.target)} is written by rule ${taken} too, as a whole or in part`;
  compiler.fault("target_conflict", message, targetPlace);
}

/** @returns the rule that the place belongs to already, undefined when it was free */
function insert(
  root: Target,
  steps: readonly TargetStep[],
  leaf: NonNullable<Target["rule"]>,
): number | undefined {
  let at = root;
  for (const step of steps) {
    if (at.rule !== undefined) return at.rule.index;
    const [sibling] = at.members.keys();
    if (sibling !== undefined && typeof sibling !== typeof step) return at.first;
    let next = at.members.get(step);
    if (next === undefined) {
      next = { members: new Map(), first: leaf.index };
      at.members.set(step, next);
    }
    at = next;
  }
  if (at.rule !== undefined || at.members.size > 0) return at.rule?.index ?? at.first;
  at.rule = leaf;
  return undefined;
}

const SOURCES = ["from", "when", "default"] as const;

/** Of a rule that cannot be used: what else is wrong with it, so that every fault is told at once. */
function judgeSources(compiler: ExpressionCompiler, rule: object, at: Place): void {
  for (const name of SOURCES) {
    const source: unknown = (rule as Partial<Record<string, unknown>>)[name];
    if (source !== undefined) compiler.expression(source, within(at, name));
  }
}

function compileRule(
  compiler: ExpressionCompiler,
  rule: MappingRule,
  steps: readonly TargetStep[],
  at: Place,
): Evaluate {
  const place: Place = {
    ...at,
    target: [...at.target, ...steps],
    outputDepth: at.outputDepth + steps.length,
  };
  const part = (name: "from" | "when" | "default"): Compiled | undefined =>
    rule[name] === undefined ? undefined : compiler.expression(rule[name], within(place, name));
  const [from, when, otherwise] = [part("from"), part("when"), part("default")];
  const isBlank = blankTest(rule.blank);
  const isRequired = rule.required === true;
  const site = siteOf(place, from?.path ?? otherwise?.path);
  const depth = place.outputDepth;
  const judged = (scope: Scope): unknown => {
    if (when !== undefined && !truthOf(when.evaluate(scope))) return undefined;
    const given = from?.evaluate(scope);
    if (!isBlank(given)) return count(given, from, scope, depth);
    const fallback = otherwise?.evaluate(scope);
    if (fallback === undefined && isRequired)
      throw new ValueFault("required_missing", "There is no value for a place that must have one");
    return count(fallback, otherwise, scope, depth);
  };
  const isPlain = from !== undefined && when === undefined && otherwise === undefined;
  const evaluate =
    isPlain && !isRequired && rule.blank === undefined
      ? movingRule(from, site, depth)
      : (scope: Scope): unknown => {
          try {
            return judged(scope);
          } catch (error) {
            return settle(error, site, scope);
          }
        };
  return compiler.traces === undefined ? evaluate : traced(compiler.traces, evaluate, site);
}

/** The most frequent rules: a value goes to a place, whatever it is. */
function movingRule({ evaluate, emits }: Compiled, site: Site, depth: number): Evaluate {
  return (scope) => {
    try {
      const value = evaluate(scope);
      if (typeof value === "string") scope.run.emitText(value);
      else if (!emits && typeof value === "object" && value !== null) scope.run.emitTree(value, depth);
      return value;
    } catch (error) {
      return settle(error, site, scope);
    }
  };
}

/** Counts a value for the limits of the output; its place is counted with its object. */
function count(value: unknown, from: Compiled | undefined, { run }: Scope, depth: number): unknown {
  if (typeof value === "string") run.emitText(value);
  else if (typeof value === "object" && value !== null && from?.emits !== true) run.emitTree(value, depth);
  return value;
}

/** Keeps what the rule gave, and how long it took. */
function traced(
  traces: Map<string, RuleTrace>,
  evaluate: Evaluate,
  site: ReturnType<typeof siteOf>,
): Evaluate {
  const rule = site.inner ?? site.rule;
  const trace: RuleTrace = { rule, runs: 0, micros: 0, values: [] };
  traces.set(rule, trace);
  return (scope: Scope) => {
    const startMs = performance.now();
    const value = evaluate(scope);
    trace.micros += (performance.now() - startMs) * 1000;
    trace.runs++;
    if (trace.values.length < TRACED_VALUES_MAX && value !== undefined) {
      const source = site.locate?.(scope);
      const target = targetPointer(site.target, scope);
      trace.values.push(source === undefined ? { target, value } : { source, target, value });
    }
    return value;
  };
}

/** Builds an object or list of what the rules below a place give; undefined when that is nothing. */
function buildTarget(target: Target): Evaluate {
  if (target.rule !== undefined) return target.rule.evaluate;
  const members = [...target.members].map(([name, member]) => ({ name, build: buildTarget(member) }));
  const chars = members.reduce((sum, { name }) => sum + PLACE_CHARS + String(name).length, 0);
  if (typeof members[0]?.name === "number") {
    const places = members.toSorted((one, other) => Number(one.name) - Number(other.name));
    return (scope) => {
      const list = places.map(({ build }) => build(scope)).filter((value) => value !== undefined);
      scope.run.grow(list.length, chars);
      return list.length === 0 ? undefined : list;
    };
  }
  const names = members.map(({ name }) => name as string);
  const builds = members.map(({ build }) => build);
  const assemble = assemblerOf(names);
  return (scope) => {
    const values: unknown[] = [];
    for (let index = 0; index < builds.length; index++) values.push((builds[index] as Evaluate)(scope));
    scope.run.grow(names.length, chars);
    return assemble(values);
  };
}

/** Writes into a copy of what is there; the source itself stays as it is. */
function mergeInto(target: Target): (scope: Scope, base: unknown) => unknown {
  const members = [...target.members].map(([name, member]) => ({
    name,
    remove: member.rule?.remove === true,
    write: member.rule === undefined ? mergeInto(member) : (scope: Scope) => member.rule?.evaluate(scope),
  }));
  if (typeof members[0]?.name === "number") {
    return (scope, base) => {
      const list: unknown[] = Array.isArray(base)
        ? [...base]
        : base === undefined || base === null
          ? []
          : [base];
      for (const { name, remove, write } of members) {
        const value = remove ? undefined : write(scope, list[name as number]);
        if (value !== undefined) list[Math.min(name as number, list.length)] = value;
      }
      const removed = new Set<TargetStep>(members.filter(({ remove }) => remove).map(({ name }) => name));
      const kept = list.filter((_, index) => !removed.has(index));
      return kept.length === 0 && base === undefined ? undefined : kept;
    };
  }
  return (scope, base) => {
    const isObject = isDocumentObject(base);
    const object: Record<string, unknown> = isObject ? { ...base } : {};
    for (const { name, remove, write } of members) {
      if (remove) delete object[name];
      else {
        const value = write(scope, Object.hasOwn(object, name) ? object[name] : undefined);
        if (value !== undefined) object[name] = value;
      }
    }
    return isObject || Object.keys(object).length > 0 ? object : base;
  };
}
