import { Value } from "@sinclair/typebox/value";
import { ExactNumber, isDocumentObject } from "../../../platform/formats/document.ts";
import type { CompiledSchema } from "../../../platform/json/compile-schema.ts";
import { compileSchema } from "../../../platform/json/compile-schema.ts";
import { TooManyFaults } from "./compile-forms.ts";
import { Compiler } from "./compiler.ts";
import type { Compiled, Place } from "./place.ts";
import { truthOf } from "./functions/logic.ts";
import type { CompiledValidation, MapContext, MappingFault } from "./mapping-result.ts";
import { FAULTS_MAX, MAP_LIMITS } from "./mapping-result.ts";
import { MappingRulesError } from "./compile-mapping.ts";
import type { Path } from "./path.ts";
import { ValidationRule, ValidationRules } from "./rules.ts";
import { Run, Scope } from "./scope.ts";
import { LimitFault, ValueFault } from "./value-fault.ts";
import { locateElement, locatePath, toList } from "./walk-path.ts";

/** Values of a document of which all faults of its schema are looked for; of a larger one the first only. */
const FIND_ALL_VALUES_MAX = 10_000;

interface CompiledRule {
  on: "input" | "output";
  pointer: string;
  message: string;
  check: Compiled;
  each: Compiled | undefined;
  path: Path | undefined;
}

export interface ValidationCheck {
  faults: MappingFault[];
  schemas: Partial<Record<"input" | "output", CompiledSchema & { ok: true }>>;
  rules: CompiledRule[];
}

/** Compiles validation rules of any form and tells every fault in them. */
export function compileValidationRules(validation: unknown): ValidationCheck {
  const compiler = new Compiler({});
  const compiled: ValidationCheck = { faults: compiler.faults, schemas: {}, rules: [] };
  const isShaped = compiler.checkShape(ValidationRules, validation, "");
  const { rules = [], ...schemas } = isShaped ? (validation as ValidationRules) : judgeable(validation);
  for (const side of ["input", "output"] as const) {
    const schema = schemas[side];
    if (schema === undefined) continue;
    const outcome = compileSchema(schema, `/${side}`);
    if (outcome.ok) compiled.schemas[side] = outcome;
    else {
      const faults = outcome.errors.map(({ path, message }) => ({
        code: "invalid_schema" as const,
        message,
        rule: path,
      }));
      compiler.faults.push(...faults);
    }
  }
  const template = { tables: new Map(), isRecord: false, codes: [], call: undefined };
  for (const [index, rule] of rules.entries()) {
    const pointer = `/rules/${index}`;
    const place = (name: string, levels: number): Place => ({
      pointer: `${pointer}/${name}`,
      target: [],
      outputDepth: 0,
      depth: 1,
      levels,
      template,
    });
    const levels = rule.each === undefined ? 0 : 1;
    compiled.rules.push({
      on: rule.on,
      pointer,
      message: rule.message,
      each: rule.each === undefined ? undefined : compiler.path(rule.each, place("each", 0)),
      check: compiler.expression(rule.check, place("check", levels)),
      path: rule.path === undefined ? undefined : compiler.path(rule.path, place("path", levels)).path,
    });
  }
  for (const { pointer } of compiler.expressions) {
    const message = "A condition is checked without JSONata; its functions are those of the mapping";
    compiler.faults.push({ code: "invalid_expression", message, rule: pointer });
  }
  return compiled;
}

/** What can be judged of validation rules whose form as a whole is wrong: schemas, and rules that have their own form. */
function judgeable(validation: unknown): ValidationRules {
  const { input, output, rules } = (isDocumentObject(validation) ? validation : {}) as Record<
    string,
    unknown
  >;
  const schemas = Object.entries({ input, output }).filter(([, schema]) => isDocumentObject(schema));
  // Empty ones keep the places of the others.
  const judged = Array.isArray(rules)
    ? rules.map((rule) => (Value.Check(ValidationRule, rule) ? rule : NO_RULE))
    : [];
  return { ...(Object.fromEntries(schemas) as ValidationRules), rules: judged };
}

const NO_RULE: ValidationRule = { on: "input", check: true, message: "-" };

/**
 * Compiles the validation of a template: JSON Schemas (Ajv, with patterns in linear time) and rules with messages.
 *
 * @throws {MappingRulesError} for rules that `checkMapping` refuses
 */
export function compileValidation(validation: ValidationRules): CompiledValidation {
  const { faults, schemas, rules } = compileValidationRules(validation);
  if (faults.length > 0) throw new MappingRulesError(faults);
  const checkSide = (side: "input" | "output", document: unknown, context: MapContext): MappingFault[] =>
    [
      ...checkSchema(schemas[side], document, side),
      ...checkRules(
        rules.filter(({ on }) => on === side),
        document,
        context,
        side,
      ),
    ].slice(0, FAULTS_MAX);
  return {
    checkInput: (document, context = {}) => checkSide("input", document, context),
    checkOutput: (document, context = {}) => checkSide("output", document, context),
  };
}

const placeIn = (side: "input" | "output", pointer: string): Pick<MappingFault, "source" | "target"> =>
  side === "input" ? { source: pointer } : { target: pointer };

function checkSchema(
  schema: (CompiledSchema & { ok: true }) | undefined,
  document: unknown,
  side: "input" | "output",
): MappingFault[] {
  if (schema === undefined) return [];
  const plain = withDoubles(document);
  const first = schema.check(plain);
  if (first === undefined) return [];
  const found = isSmall(plain) ? schema.findAll(plain, FAULTS_MAX) : [first];
  return found.map(({ path, message }) => ({
    code: "schema_mismatch",
    message,
    rule: `/${side}`,
    part: "validation",
    ...placeIn(side, path),
  }));
}

/** Numbers that a double does not hold, as the nearest double: a schema knows no others. */
function withDoubles(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof ExactNumber) return value.toNumber();
  if (Array.isArray(value)) {
    const items = value.map(withDoubles);
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  let changed: Record<string, unknown> | undefined;
  for (const [name, member] of Object.entries(value)) {
    const plain = withDoubles(member);
    if (plain === member) continue;
    changed ??= { ...value };
    changed[name] = plain;
  }
  return changed ?? value;
}

function isSmall(value: unknown): boolean {
  let left = FIND_ALL_VALUES_MAX;
  const count = (one: unknown): void => {
    if (--left < 0 || typeof one !== "object" || one === null) return;
    for (const member of Object.values(one)) if (left >= 0) count(member);
  };
  count(value);
  return left >= 0;
}

function checkRules(
  rules: readonly CompiledRule[],
  document: unknown,
  context: MapContext,
  side: "input" | "output",
): MappingFault[] {
  if (rules.length === 0) return [];
  const run = new Run(MAP_LIMITS, context, new Map());
  const index = context.recordIndex ?? 0;
  const root = new Scope(run, document, document, undefined, index, index, () => "", false);
  const faults: MappingFault[] = [];
  try {
    for (const rule of rules) checkRule(rule, root, side, faults);
  } catch (error) {
    if (error instanceof LimitFault)
      faults.push({ code: error.code, message: error.message, rule: "/rules", part: "validation" });
    else if (!(error instanceof TooManyFaults)) throw error;
  }
  return faults;
}

function checkRule(rule: CompiledRule, root: Scope, side: "input" | "output", faults: MappingFault[]): void {
  const listPath = rule.each?.path;
  if (rule.each === undefined || listPath === undefined) return judge(rule, root, side, faults);
  const items = toList(rule.each.evaluate(root));
  const origin = (scope: Scope): string | undefined => locateElement(listPath, root, scope.index);
  for (let index = 0; index < items.length; index++) {
    root.run.spend(1);
    judge(rule, new Scope(root.run, items[index], root.root, root, index, index, origin, true), side, faults);
  }
}

function judge(rule: CompiledRule, scope: Scope, side: "input" | "output", faults: MappingFault[]): void {
  let { message } = rule;
  try {
    if (truthOf(rule.check.evaluate(scope))) return;
  } catch (error) {
    if (!(error instanceof ValueFault) || error instanceof LimitFault) throw error;
    message = `${message} (${error.message})`;
  }
  const path = rule.path ?? rule.check.path;
  const pointer = (path && locatePath(path, scope)) ?? scope.locate() ?? "";
  faults.push({
    code: "rule_violated",
    message,
    rule: rule.pointer,
    part: "validation",
    ...placeIn(side, pointer),
  });
  if (faults.length >= FAULTS_MAX) throw new TooManyFaults();
}
