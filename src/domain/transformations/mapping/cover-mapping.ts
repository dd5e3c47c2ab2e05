import { isDocumentObject } from "../../../platform/formats/document.ts";
import { getPointer } from "../../../platform/json/pointer.ts";
import type { MappingDeps } from "./mapping-result.ts";
import type { Path, PathStep } from "./path.ts";
import { formatSteps, parsePath, parseTarget } from "./path.ts";
import type { MappingRule, MappingRules } from "./rules.ts";

/** What a mapping reads and writes, seen from the rules alone. Paths as in rules, `[*]` for each element of a list. */
export interface Coverage {
  /** Fields of the source sample that no rule reads. */
  unusedSource: string[];
  /** Fields of the source sample. */
  sourceFields: number;
  /** Places that rules write. */
  targets: string[];
  /** What the target schema demands and no rule writes. */
  unmappedRequired: string[];
  /** Other fields of the target schema or sample that no rule writes. */
  unmappedOptional: string[];
  /** Places written that the target schema does not allow. */
  unknownTargets: string[];
}

export interface CoverageInput {
  sourceSample?: unknown;
  targetSample?: unknown;
  targetSchema?: Readonly<Record<string, unknown>>;
  resolveMapping?: MappingDeps["resolveMapping"];
}

/** Fields of one sample that are looked at. */
const FIELDS_MAX = 5_000;
const DEPTH_MAX = 64;
/** Elements of a list that are looked at: later ones rarely have other fields. */
const ELEMENTS_MAX = 50;

/**
 * Compares a mapping with a sample of its source and with the schema or a sample of its target. JSONata counts as
 * reading every field below its input whose name occurs in it.
 */
export function coverMapping(rules: MappingRules, input: CoverageInput): Coverage {
  const reader = new RuleReader(input.resolveMapping);
  reader.template(rules, [recordNames(rules)], []);
  const fields = input.sourceSample === undefined ? [] : fieldsOf(input.sourceSample);
  const isUsed = (field: Field): boolean =>
    rules.mode === "merge" ||
    reader.reads.some((read) => isPrefix(read, field.names)) ||
    reader.isInExpression(field.names);
  const targets = [...reader.writes.values()];
  const wanted = input.targetSchema === undefined ? [] : schemaFields(input.targetSchema);
  const isWritten = ({ names }: { names: readonly string[] }): boolean =>
    targets.some((target) => isPrefix(target, names) || isPrefix(names, target));
  const required = wanted.filter((field) => field.required && !isWritten(field) && isNeeded(field, targets));
  const sample = input.targetSample === undefined ? [] : fieldsOf(input.targetSample);
  const known = [...wanted.filter(({ required: is }) => !is), ...sample];
  return {
    unusedSource: fields.filter((field) => !isUsed(field)).map(({ text }) => text),
    sourceFields: fields.length,
    targets: targets.map(pathOfNames),
    unmappedRequired: required.map(({ text }) => text),
    unmappedOptional: [...new Set(known.filter((field) => !isWritten(field)).map(({ text }) => text))],
    unknownTargets: input.targetSchema === undefined ? [] : unknownTargets(targets, input.targetSchema),
  };
}

interface Field {
  names: readonly string[];
  text: string;
}

const pathOfNames = (names: readonly string[]): string =>
  formatSteps(names.map((name): PathStep => ({ kind: "name", name })));

function isPrefix(one: readonly string[], other: readonly string[]): boolean {
  return one.length <= other.length && one.every((name, index) => name === other[index]);
}

function recordNames(rules: MappingRules): readonly string[] {
  const outcome = rules.recordPath === undefined ? undefined : parsePath(rules.recordPath);
  return outcome?.ok ? namesOf(outcome.path.steps) : [];
}

const namesOf = (steps: readonly PathStep[]): string[] =>
  steps.flatMap((step) => (step.kind === "name" ? [step.name] : []));

/** Fields without members of their own; lists of several kinds of elements together. */
function fieldsOf(sample: unknown): Field[] {
  const found = new Map<string, Field>();
  const visit = (value: unknown, steps: readonly PathStep[]): void => {
    if (found.size >= FIELDS_MAX || steps.length > DEPTH_MAX) return;
    if (Array.isArray(value) && value.length > 0) {
      for (const item of value.slice(0, ELEMENTS_MAX)) visit(item, [...steps, { kind: "every" }]);
    } else if (isDocumentObject(value) && Object.keys(value).length > 0) {
      for (const [name, member] of Object.entries(value)) visit(member, [...steps, { kind: "name", name }]);
    } else {
      const text = formatSteps(steps);
      if (text !== "") found.set(text, { names: namesOf(steps), text });
    }
  };
  visit(sample, []);
  return [...found.values()];
}

interface SchemaField extends Field {
  required: boolean;
  /** Objects around it that must be there for it to be needed. */
  optionalParents: readonly (readonly string[])[];
}

/** Fields of a JSON Schema by `properties` and `items`; references within the schema are followed. */
function schemaFields(schema: Readonly<Record<string, unknown>>): SchemaField[] {
  const found: SchemaField[] = [];
  const visit = (
    node: unknown,
    steps: readonly PathStep[],
    parents: readonly (readonly string[])[],
  ): void => {
    const own = resolved(schema, node);
    if (own === undefined || found.length >= FIELDS_MAX || steps.length > 16) return;
    const { properties, items, required } = own;
    if (items !== undefined) visit(items, [...steps, { kind: "every" }], parents);
    if (!isDocumentObject(properties)) return;
    for (const [name, member] of Object.entries(properties)) {
      const inner: PathStep[] = [...steps, { kind: "name", name }];
      const isRequired = Array.isArray(required) && required.includes(name);
      const names = namesOf(inner);
      found.push({ names, text: formatSteps(inner), required: isRequired, optionalParents: parents });
      visit(member, inner, isRequired ? parents : [...parents, names]);
    }
  };
  visit(schema, [], []);
  return found;
}

function resolved(root: unknown, node: unknown): Readonly<Record<string, unknown>> | undefined {
  let at = node;
  for (let hops = 0; hops < 16 && isDocumentObject(at); hops++) {
    const reference: unknown = at["$ref"];
    if (typeof reference !== "string" || !reference.startsWith("#")) return at;
    at = getPointer(root, reference.slice(1)) as typeof at;
  }
  return undefined;
}

/** Of an object that is left out nothing is required. */
function isNeeded(field: SchemaField, targets: readonly (readonly string[])[]): boolean {
  return field.optionalParents.every((parent) => targets.some((target) => isPrefix(parent, target)));
}

function unknownTargets(
  targets: readonly (readonly string[])[],
  schema: Readonly<Record<string, unknown>>,
): string[] {
  const isKnown = (names: readonly string[]): boolean => {
    let node = resolved(schema, schema);
    for (const name of names) {
      while (node !== undefined && node["items"] !== undefined) node = resolved(schema, node["items"]);
      const properties = node?.["properties"];
      if (node === undefined || !isDocumentObject(properties)) return true;
      if (!Object.hasOwn(properties, name)) return node["additionalProperties"] !== false;
      node = resolved(schema, properties[name]);
    }
    return true;
  };
  return targets.filter((names) => !isKnown(names)).map(pathOfNames);
}

type Names = readonly string[] | undefined;
type Node = Readonly<Record<string, unknown>>;

/** Walks rules with the names that lead to each element, which the paths inside start from. */
class RuleReader {
  readonly reads: (readonly string[])[] = [];
  readonly writes = new Map<string, readonly string[]>();
  readonly #expressions: { words: ReadonlySet<string>; isAll: boolean; input: Names }[] = [];
  readonly #resolve: MappingDeps["resolveMapping"];
  #depth = 0;

  constructor(resolve: MappingDeps["resolveMapping"]) {
    this.#resolve = resolve;
  }

  isInExpression(names: readonly string[]): boolean {
    return this.#expressions.some(
      ({ words, isAll, input }) => isPrefix(input ?? [], names) && (isAll || words.has(names.at(-1) ?? "")),
    );
  }

  template(rules: MappingRules, contexts: readonly Names[], target: readonly string[]): void {
    if (++this.#depth <= 16) for (const rule of rules.rules) this.#rule(rule, contexts, target);
    this.#depth--;
  }

  #rule(rule: MappingRule, contexts: readonly Names[], target: readonly string[]): void {
    const outcome = parseTarget(rule.target);
    const steps = outcome.ok ? outcome.steps.filter((step) => typeof step === "string") : [];
    const place = [...target, ...steps];
    if (rule.when !== undefined) this.#read(rule.when, contexts);
    for (const from of [rule.from, rule.default]) if (from !== undefined) this.#value(from, contexts, place);
  }

  /** An expression whose value goes to a place. */
  #value(node: unknown, contexts: readonly Names[], place: readonly string[]): void {
    const form = typeof node === "object" && node !== null ? (node as Node) : {};
    const inner = (...parts: unknown[]): void => {
      for (const part of parts) if (part !== undefined) this.#value(part, contexts, place);
    };
    if (Array.isArray(form["object"])) {
      if (form["base"] !== undefined) this.#value(form["base"], contexts, place);
      for (const rule of form["object"] as MappingRule[]) this.#rule(rule, contexts, place);
      return;
    }
    if (form["if"] !== undefined) {
      this.#read(form["if"], contexts);
      return inner(form["then"], form["else"]);
    }
    if (Array.isArray(form["first"])) return inner(...(form["first"] as unknown[]));
    if (Array.isArray(form["list"])) return inner(...(form["list"] as unknown[]));
    const list = form["each"] ?? form["group"];
    if (list !== undefined) {
      const element = this.#listNames(list, contexts);
      const inside = [...contexts, element];
      for (const part of [form["where"], form["by"]]) if (part !== undefined) this.#read(part, inside);
      // Inside a group paths start at { key, items }: the items are the elements themselves.
      return this.#value(
        form["do"],
        form["group"] === undefined ? inside : [...contexts, groupNames(element)],
        place,
      );
    }
    if (typeof form["mapping"] === "string") {
      const { mapping, version, input } = form as {
        mapping: string;
        version?: number | "latest";
        input?: unknown;
      };
      const called = this.#resolve?.(mapping, version ?? "latest");
      const names = input === undefined ? contexts.at(-1) : this.#listNames(input, contexts);
      if (called !== undefined) return this.template(called, [names], place);
    }
    this.writes.set(place.join("\u0000"), place);
    this.#read(node, contexts);
  }

  /** An expression whose value is used somehow: every path in it is read. */
  #read(node: unknown, contexts: readonly Names[]): void {
    if (typeof node === "string") return this.#path(node, contexts);
    if (typeof node !== "object" || node === null) return;
    if (Array.isArray(node)) return node.forEach((item) => this.#read(item, contexts));
    const form = node as Node;
    if (typeof form["path"] === "string") return this.#path(form["path"], contexts);
    if ("value" in form) return;
    if (typeof form["jsonata"] === "string") return this.#jsonata(form, contexts);
    const list = form["each"] ?? form["group"];
    const inside = list === undefined ? contexts : [...contexts, this.#listNames(list, contexts)];
    for (const [name, member] of Object.entries(form)) {
      if (name === "each" || name === "group" || name === "call" || name === "table" || name === "separator")
        continue;
      if (name === "object" && Array.isArray(member))
        for (const rule of member as MappingRule[]) this.#read([rule.from, rule.when, rule.default], inside);
      else this.#read(member, inside);
    }
  }

  #jsonata(form: Node, contexts: readonly Names[]): void {
    const expression = String(form["jsonata"]);
    const input = form["input"] === undefined ? contexts.at(-1) : undefined;
    if (form["input"] !== undefined) this.#read(form["input"], contexts);
    else {
      const words = new Set(
        expression
          .match(/[\p{L}_][\p{L}\p{N}_]*|`[^`]*`|"[^"]*"/gu)
          ?.map((word) => word.replaceAll(/^[`"]|[`"]$/g, "")),
      );
      this.#expressions.push({
        words,
        isAll: /\*|^\s*\$\$?\s*$|\$(?:keys|each|spread|sift|string)\b/.test(expression),
        input,
      });
    }
  }

  #path(text: string, contexts: readonly Names[]): void {
    const outcome = parsePath(text);
    if (!outcome.ok) return;
    const names = this.#namesOf(outcome.path, contexts);
    if (names !== undefined) this.reads.push(names);
  }

  /** Names that lead to a list's elements; reading the list reads none of its fields yet. */
  #listNames(node: unknown, contexts: readonly Names[]): Names {
    const text = typeof node === "string" ? node : (node as Node)["path"];
    const outcome = typeof text === "string" ? parsePath(text) : undefined;
    if (outcome?.ok) return this.#namesOf(outcome.path, contexts);
    this.#read(node, contexts);
    return undefined;
  }

  #namesOf({ head, levels, steps }: Path, contexts: readonly Names[]): Names {
    if (head === "context" || head === "index" || head === "number") return undefined;
    const base = head === "root" ? contexts[0] : contexts.at(-1 - (head === "parent" ? levels : 0));
    if (base === undefined) return undefined;
    const names = [...base];
    for (const step of steps) {
      if (step.kind === "where") this.reads.push([...names, ...step.names]);
      if (step.kind === "name") names.push(step.name);
    }
    return isGroup(base) ? groupMember(names, base) : names;
  }
}

/** Marks the names of a group's element, in which `items` stands for the list that was grouped. */
const GROUP = "\u0000group";
const groupNames = (element: Names): Names => (element === undefined ? undefined : [...element, GROUP]);
const isGroup = (names: readonly string[]): boolean => names.at(-1) === GROUP;

function groupMember(names: readonly string[], base: readonly string[]): Names {
  const [first, ...rest] = names.slice(base.length);
  return first === "items" ? [...base.slice(0, -1), ...rest] : undefined;
}
