import type { Compiled, ExpressionCompiler, Node, Place } from "./place.ts";
import { closest } from "./closest-name.ts";
import { siteOf, within } from "./place.ts";
import { FUNCTIONS, signatureOf } from "./functions/library.ts";
import type { MappingFunction, Parameter } from "./functions/mapping-function.ts";
import { convert } from "./functions/mapping-function.ts";
import type { Scope } from "./scope.ts";
import { ValueFault } from "./value-fault.ts";

const NOTHING: Compiled = { evaluate: () => undefined, emits: false };

/** `{ call, args }`. */
export function compileCall(compiler: ExpressionCompiler, node: Node, place: Place): Compiled {
  const name = node["call"] as string;
  const args = (node["args"] as unknown[] | undefined) ?? [];
  const compiled = args.map((arg, index) => compiler.expression(arg, within(place, "args", index)));
  const called = FUNCTIONS.get(name);
  if (called === undefined) {
    const hint = closest(name, [...FUNCTIONS.keys()]);
    compiler.fault(
      "unknown_function",
      `There is no function ${JSON.stringify(name)}${hint}`,
      within(place, "call"),
    );
    return NOTHING;
  }
  const least = called.parameters.filter(({ optional }) => !optional).length;
  if (args.length < least || (!called.rest && args.length > called.parameters.length)) {
    const message = `${signatureOf(name, called)} does not take ${args.length} arguments`;
    compiler.fault("wrong_argument_count", message, within(place, "args"));
    return NOTHING;
  }
  const parameters = compiled.map((_, index) => parameterAt(called, index));
  const constants = compiled.map((arg, index) =>
    constantAt(compiler, name, arg, parameters[index], within(place, "args", index)),
  );
  if (constants.includes(FAULTY)) return NOTHING;
  try {
    return link(name, called, compiled, parameters, constants, place);
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error;
    const code = error.code === "invalid_pattern" ? error.code : "invalid_argument";
    compiler.fault(code, `${name}: ${error.message}`, within(place, "args"));
    return NOTHING;
  }
}

const FAULTY = Symbol("faulty");

function parameterAt({ parameters }: MappingFunction, index: number): Parameter {
  const last = parameters.at(-1) ?? { name: "value", kind: "any" };
  return parameters[index] ?? last;
}

/** The converted constant, undefined for what is known only later, or FAULTY. */
function constantAt(
  compiler: ExpressionCompiler,
  name: string,
  arg: Compiled,
  parameter: Parameter | undefined,
  place: Place,
): unknown {
  if (parameter === undefined) return undefined;
  if (arg.constant === undefined) {
    if (!parameter.constant) return undefined;
    compiler.fault(
      "invalid_argument",
      `${name}: ${parameter.name} must stand in the rules, as { "value": … }`,
      place,
    );
    return FAULTY;
  }
  const { value } = arg.constant;
  if (value === null && parameter.kind !== "any") return undefined;
  try {
    return convert(value, parameter, name);
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error;
    compiler.fault("invalid_argument", error.message, place);
    return FAULTY;
  }
}

/** Characters of a text, or elements of a list, that cost as much as one step. */
const TEXT_PER_STEP = 64;

function cost(value: unknown): number {
  if (typeof value === "string") return 1 + value.length / TEXT_PER_STEP;
  return Array.isArray(value) ? 1 + value.length / 4 : 1;
}

function link(
  name: string,
  called: MappingFunction,
  compiled: readonly Compiled[],
  parameters: readonly Parameter[],
  constants: readonly unknown[],
  place: Place,
): Compiled {
  const implementation = called.make(constants);
  const path = compiled.find((arg) => arg.path !== undefined)?.path;
  const site = siteOf(place, path);
  const takesBlanks = called.blanks === "take";
  // What each call begins with: the constants in their places, and `undefined` for what is left out.
  const template: readonly unknown[] = Array.from(
    { length: Math.max(compiled.length, called.parameters.length) },
    (_, index) => constants[index],
  );
  const sources = compiled
    .map(({ evaluate }, index) => ({ evaluate, index, parameter: parameters[index] as Parameter }))
    .filter(({ index }) => constants[index] === undefined);
  const converted = (value: unknown, parameter: Parameter): unknown =>
    typeof value === "string" && parameter.kind === "text" && parameter.oneOf === undefined
      ? value
      : convert(value === null && !takesBlanks ? undefined : value, parameter, name);
  const finish = (args: unknown[], scope: Scope): unknown => {
    const result = implementation(args, scope);
    scope.run.site = undefined;
    return result;
  };
  const [only] = sources;
  const evaluateOne = (scope: Scope): unknown => {
    const { evaluate: first, parameter } = only as (typeof sources)[number];
    const value = first(scope);
    if (!takesBlanks && (value === undefined || value === null)) return value;
    scope.run.site = site;
    scope.run.spend(cost(value));
    const args = template.slice();
    args[0] = converted(value, parameter);
    return finish(args, scope);
  };
  const evaluateAll = (scope: Scope): unknown => {
    const args = template.slice();
    for (let at = 0; at < sources.length; at++) {
      const source = sources[at] as (typeof sources)[number];
      const value = source.evaluate(scope);
      if (!takesBlanks && source.index === 0 && (value === undefined || value === null)) return value;
      args[source.index] = value;
    }
    scope.run.site = site;
    scope.run.spend(cost(args[0]));
    for (let at = 0; at < sources.length; at++) {
      const { index, parameter } = sources[at] as (typeof sources)[number];
      args[index] = converted(args[index], parameter);
    }
    return finish(args, scope);
  };
  const evaluate = sources.length === 1 && only?.index === 0 ? evaluateOne : evaluateAll;
  return path === undefined ? { evaluate, emits: false } : { evaluate, emits: false, path };
}
