import type { TSchema } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { Value, ValueErrorType } from "@sinclair/typebox/value";
import { isDocumentObject } from "../../../platform/formats/document.ts";
import { compileCall } from "./compile-call.ts";
import {
  compileConcat,
  compileEach,
  compileFirst,
  compileGroup,
  compileIf,
  compileJsonata,
  compileList,
  compileLookup,
} from "./compile-forms.ts";
import { compileObject, compileRules } from "./compile-object.ts";
import type { MappingDeps, MappingFault, MappingFaultCode, RuleTrace } from "./mapping-result.ts";
import { closest } from "./closest-name.ts";
import type { Path } from "./path.ts";
import { parsePath, pointerToken } from "./path.ts";
import type { Compiled, ExpressionCompiler, Node, Place, Template } from "./place.ts";
import { pointerOf, within } from "./place.ts";
import { mappingForms, MappingRules, RULES_MAX } from "./rules.ts";
import { Scope } from "./scope.ts";
import { LIBRARY_TABLES, type LookupTable } from "./tables.ts";
import type { Evaluate } from "./walk-path.ts";
import { compilePath, locatePath } from "./walk-path.ts";

const unknownForms = mappingForms(Type.Unknown());
export type FormName = Exclude<keyof typeof unknownForms, "rule">;
const FORM_NAMES = Object.keys(unknownForms).filter((name): name is FormName => name !== "rule");

/** Templates that may call each other in a row. */
const CALLS_MAX = 16;
/** Expressions of a template with all that it calls: a called template is compiled at each call. */
const COMPILED_MAX = RULES_MAX.nodes * 4;
/** Faults of one template that are told. */
const TEMPLATE_FAULTS_MAX = 500;

const NOTHING: Compiled = { evaluate: () => undefined, emits: false };

/** Turns rules into closures and collects every fault on the way. */
export class Compiler implements ExpressionCompiler {
  readonly faults: MappingFault[] = [];
  /** JSONata expressions with the places where they stand. */
  readonly expressions: { expression: string; pointer: string }[] = [];
  /** What each rule did, for a preview; undefined where nobody asks. */
  readonly traces: Map<string, RuleTrace> | undefined;
  readonly #deps: MappingDeps;
  #nodes = 0;

  constructor(deps: MappingDeps, options: { trace?: boolean } = {}) {
    this.#deps = deps;
    this.traces = options.trace ? new Map() : undefined;
  }

  /** A whole template: an evaluation of its root scope. */
  template(rules: unknown, codes: readonly string[], call?: { place: Place; code: string }): Evaluate {
    const pointer = call === undefined ? "" : call.place.pointer;
    const shape = {
      ...MappingRules.properties,
      rules: Type.Array(Type.Unknown(), { maxItems: RULES_MAX.rules }),
    };
    const isShaped = this.checkShape(
      Type.Object(shape, { additionalProperties: false }),
      rules,
      "",
      (fault) =>
        call === undefined
          ? fault
          : { ...fault, rule: pointer, message: `${fault.message} (in ${call.code})` },
    );
    if (!isShaped && call !== undefined) return () => undefined;
    const {
      mode,
      recordPath,
      tables = {},
      rules: list,
    } = isShaped ? (rules as MappingRules) : judgeable(rules);
    const template: Template = {
      tables: new Map(Object.entries(tables)),
      isRecord: recordPath !== undefined && call === undefined,
      codes,
      call: call === undefined ? undefined : { pointer, code: call.code },
    };
    const place: Place = {
      pointer: "/rules",
      target: call?.place.target ?? [],
      outputDepth: call?.place.outputDepth ?? 0,
      depth: 1,
      levels: 0,
      template,
    };
    this.#checkTables(tables, place);
    if (recordPath !== undefined) this.#checkRecordPath(recordPath, place);
    return compileRules(
      this,
      list,
      place,
      mode === "merge" ? { evaluate: (scope) => scope.item, emits: false } : "always",
    );
  }

  /** Any expression. A fault gives an expression without a value. */
  expression(node: unknown, place: Place): Compiled {
    if (place.depth > RULES_MAX.depth) {
      this.fault("too_large", `Expressions are nested deeper than ${RULES_MAX.depth}`, place);
      return NOTHING;
    }
    if (++this.#nodes > COMPILED_MAX) {
      if (this.#nodes === COMPILED_MAX + 1)
        this.fault(
          "too_large",
          `The template has more than ${COMPILED_MAX} expressions with all that it calls`,
          place,
        );
      return NOTHING;
    }
    if (typeof node === "string") return this.path(node, place);
    if (typeof node === "number" || typeof node === "boolean") return constantOf(node);
    const names =
      typeof node === "object" && node !== null ? FORM_NAMES.filter((name) => Object.hasOwn(node, name)) : [];
    const [name] = names;
    if (name === undefined || names.length > 1) {
      const hint =
        names.length > 1 ? `not ${names.join(" and ")} together` : `one of ${FORM_NAMES.join(", ")}`;
      this.fault(
        "invalid_rule",
        `An expression is a path (a text), a number, true, false, or an object with ${hint}`,
        place,
      );
      return NOTHING;
    }
    if (!this.checkShape(unknownForms[name], node, place.pointer, (fault) => this.inTemplate(fault, place)))
      return NOTHING;
    return this.#form(name, node as Node, place);
  }

  #form(name: FormName, node: Node, place: Place): Compiled {
    switch (name) {
      case "path":
        return this.path(node["path"] as string, within(place, "path"));
      case "value":
        return constantOf(node["value"]);
      case "concat":
        return compileConcat(this, node, place);
      case "call":
        return compileCall(this, node, place);
      case "if":
        return compileIf(this, node, place);
      case "first":
        return compileFirst(this, node, place);
      case "each":
        return compileEach(this, node, place);
      case "group":
        return compileGroup(this, node, place);
      case "object":
        return compileObject(this, node, place);
      case "list":
        return compileList(this, node, place);
      case "lookup":
        return compileLookup(this, node, place);
      case "jsonata":
        this.expressions.push({
          expression: node["jsonata"] as string,
          pointer: pointerOf(within(place, "jsonata")),
        });
        return compileJsonata(this, node, place);
      case "mapping":
        return this.#subMapping(node, place);
    }
  }

  path(text: string, place: Place): Compiled {
    const outcome = parsePath(text);
    if (!outcome.ok) {
      this.fault("invalid_path", `The path ${JSON.stringify(text)}: ${outcome.message}`, place);
      return NOTHING;
    }
    const { path } = outcome;
    const objection = this.#objectionTo(path, place);
    if (objection !== undefined) {
      this.fault(objection.code, `The path ${JSON.stringify(text)} ${objection.message}`, place);
      return NOTHING;
    }
    return { evaluate: compilePath(path), emits: false, path };
  }

  #objectionTo(
    { head, levels }: Path,
    place: Place,
  ): { code: MappingFaultCode; message: string } | undefined {
    const { isRecord } = place.template;
    if (head === "root" && isRecord)
      return {
        code: "outside_record",
        message: "looks outside the record; with recordPath each record is mapped by itself",
      };
    const reach =
      head === "parent" ? levels : head === "index" || head === "number" ? levels + (isRecord ? 0 : 1) : 0;
    if (reach <= place.levels) return undefined;
    if (isRecord) return { code: "outside_record", message: "looks outside the record" };
    return {
      code: "invalid_path",
      message:
        place.levels === 0
          ? "needs a list (each, group) around it"
          : `has only ${place.levels} lists around it`,
    };
  }

  #subMapping(node: Node, place: Place): Compiled {
    const code = node["mapping"] as string;
    const version = (node["version"] as number | "latest" | undefined) ?? "latest";
    const { codes } = place.template;
    if (codes.includes(code)) {
      this.fault(
        "mapping_cycle",
        `The mapping ${JSON.stringify(code)} leads back to itself: ${[...codes, code].join(" → ")}`,
        place,
      );
      return NOTHING;
    }
    if (codes.length >= CALLS_MAX) {
      this.fault("too_large", `More than ${CALLS_MAX} mappings call each other`, place);
      return NOTHING;
    }
    const rules = this.#deps.resolveMapping?.(code, version);
    if (rules === undefined) {
      this.fault(
        "unknown_mapping",
        `There is no mapping ${JSON.stringify(code)} with version ${version}`,
        place,
      );
      return NOTHING;
    }
    const input =
      node["input"] === undefined ? undefined : this.expression(node["input"], within(place, "input"));
    const { call } = place.template;
    const site = { ...place, pointer: call?.pointer ?? place.pointer };
    const evaluate = this.template(rules, [...codes, code], {
      place: site,
      code: call === undefined ? code : `${call.code} → ${code}`,
    });
    const inputPath = input?.path;
    const origin =
      inputPath === undefined
        ? undefined
        : (scope: Scope) => scope.parent && locatePath(inputPath, scope.parent);
    const itself = (scope: Scope): string | undefined => scope.parent?.locate();
    return {
      evaluate: (scope) => {
        scope.run.spend(1);
        const item = input === undefined ? scope.item : input.evaluate(scope);
        if (item === undefined || item === null) return item;
        return evaluate(
          new Scope(scope.run, item, item, scope, 0, 0, input === undefined ? itself : origin, false),
        );
      },
      emits: true,
    };
  }

  /** A lookup table by its name, or one that stands in the rules. */
  table(named: unknown, place: Place): LookupTable | undefined {
    if (typeof named !== "string") {
      const table = named as LookupTable;
      this.#countEntries(Object.keys(table).length, within(place, "table"));
      return table;
    }
    const table = place.template.tables.get(named) ?? LIBRARY_TABLES.get(named);
    if (table === undefined) {
      const hint = closest(named, [...place.template.tables.keys(), ...LIBRARY_TABLES.keys()]);
      this.fault(
        "unknown_table",
        `There is no table ${JSON.stringify(named)}${hint}`,
        within(place, "table"),
      );
    }
    return table;
  }

  #entries = 0;
  #countEntries(count: number, place: Place): void {
    this.#entries += count;
    if (this.#entries > RULES_MAX.tableEntries && this.#entries - count <= RULES_MAX.tableEntries)
      this.fault("too_large", `Lookup tables have more than ${RULES_MAX.tableEntries} entries`, place);
  }

  #checkTables(tables: Readonly<Record<string, LookupTable>>, place: Place): void {
    for (const [name, table] of Object.entries(tables))
      this.#countEntries(Object.keys(table).length, { ...place, pointer: `/tables${pointerToken(name)}` });
  }

  #checkRecordPath(text: string, place: Place): void {
    const at = { ...place, pointer: "/recordPath" };
    const outcome = parsePath(text);
    if (!outcome.ok) return this.fault("invalid_path", `The record path ${outcome.message}`, at);
    const { head, steps } = outcome.path;
    const isNames = steps.every(
      ({ kind }, index) => kind === "name" || (kind === "every" && index === steps.length - 1),
    );
    if (head !== "item" || !isNames || steps.length === 0)
      this.fault(
        "invalid_path",
        "The record path has names only, from the document down: orders.order, or [*] for rows",
        at,
      );
  }

  /** Checks one node against its form. @returns whether it fits */
  checkShape(
    schema: TSchema,
    node: unknown,
    pointer: string,
    place: (fault: MappingFault) => MappingFault = (fault) => fault,
  ): boolean {
    if (Value.Check(schema, node)) return true;
    for (const error of Value.Errors(schema, node)) {
      // A missing member is told twice: as missing, and as of the wrong type.
      const isAbsent = error.value === undefined && error.path !== "";
      if (isAbsent && error.type !== ValueErrorType.ObjectRequiredProperty) continue;
      const message =
        error.type === ValueErrorType.ObjectAdditionalProperties
          ? "is not known here"
          : error.type === ValueErrorType.ObjectRequiredProperty
            ? "is missing"
            : (oneOf(error.schema) ?? `must be different: ${error.message}`);
      this.#keep(
        place({
          code: "invalid_rule",
          message: `${error.path.split("/").at(-1) || "It"} ${message}`,
          rule: pointer + error.path,
        }),
      );
    }
    return false;
  }

  fault(code: MappingFaultCode, message: string, place: Place): void {
    this.#keep(this.inTemplate({ code, message, rule: place.pointer }, place));
  }

  /** A fault of a called template stands at its call. */
  inTemplate(fault: MappingFault, { template }: Place): MappingFault {
    if (template.call === undefined) return fault;
    return {
      ...fault,
      rule: template.call.pointer,
      message: `${fault.message} (in ${template.call.code}${fault.rule})`,
    };
  }

  #keep(fault: MappingFault): void {
    if (this.faults.length < TEMPLATE_FAULTS_MAX) this.faults.push(fault);
  }
}

/** What can be judged of rules whose form as a whole is wrong: the rules themselves, and tables to find. */
function judgeable(rules: unknown): MappingRules {
  const { mode, tables, rules: list } = (isDocumentObject(rules) ? rules : {}) as Record<string, unknown>;
  const known = Object.entries(isDocumentObject(tables) ? tables : {}).filter(([, table]) =>
    isDocumentObject(table),
  );
  const isJudged = Array.isArray(list) && list.length <= RULES_MAX.rules;
  return {
    // Of an unknown mode nobody can say that it takes no `remove`.
    mode: mode === undefined || mode === "build" ? "build" : "merge",
    tables: Object.fromEntries(known) as Record<string, LookupTable>,
    rules: isJudged ? (list as MappingRules["rules"]) : [],
  };
}

/** The choices of a text that is one of several; undefined for everything else. */
function oneOf(schema: TSchema): string | undefined {
  const members = (schema["anyOf"] ?? []) as TSchema[];
  if (members.length === 0 || members.some((member) => typeof member["const"] !== "string")) return undefined;
  return `must be one of ${members.map((member) => member["const"] as string).join(", ")}`;
}

function constantOf(value: unknown): Compiled {
  return { evaluate: () => value, emits: false, constant: { value } };
}
