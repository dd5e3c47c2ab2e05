import { Ajv, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { RE2JS } from "re2js";
import { isPointer, getPointer } from "./pointer.ts";

/** What does not fit, or what is wrong with a schema. */
export interface SchemaFault {
  /** JSON pointer. */
  path: string;
  message: string;
}

/** Bounds of one schema. Its validator runs in the process that accepts webhooks, so its cost is bounded when it is saved. */
const SCHEMA_BYTES_MAX = 65_536;
const NODES_MAX = 2_000;
const PATTERN_MAX = 500;
/** Comparing each element with each other one is quadratic. */
const UNIQUE_ITEMS_MAX = 1_000;

const DRAFT_7 = /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/;
const DRAFT_2020 = /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

/** Judges a document: nothing when it fits, else the first fault with a JSON pointer into the document. */
type SchemaCheck = (data: unknown) => SchemaFault | undefined;

export type CompiledSchema =
  | {
      ok: true;
      check: SchemaCheck;
      /** Every fault, at most so many. Takes longer than `check`, and memory by the number of faults. */
      findAll(data: unknown, max: number): SchemaFault[];
    }
  | { ok: false; errors: SchemaFault[] };

/**
 * Compiles a JSON Schema (draft 2020-12, or 7 where `$schema` says so). Patterns run in linear time (RE2). References
 * stay within the document and do not lead back to themselves, because a schema that does costs more than its payload's
 * size tells.
 *
 * @param at JSON pointer of the schema, for faults of the schema itself
 * @returns the check, or what is wrong with the schema
 */
export function compileSchema(schema: Record<string, unknown>, at = "/schema"): CompiledSchema {
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > SCHEMA_BYTES_MAX)
    return { ok: false, errors: [{ path: at, message: `must be at most ${SCHEMA_BYTES_MAX} bytes` }] };
  const draft = schema["$schema"];
  if (
    draft !== undefined &&
    !(typeof draft === "string" && (DRAFT_7.test(draft) || DRAFT_2020.test(draft)))
  ) {
    return { ok: false, errors: [{ path: `${at}/$schema`, message: "must be draft 2020-12 or draft-07" }] };
  }
  const expansion = new Expansion(schema);
  const objection = expansion.judge();
  if (objection !== undefined)
    return { ok: false, errors: [{ path: at + objection.path, message: objection.message }] };
  try {
    const isDraft7 = typeof draft === "string" && DRAFT_7.test(draft);
    const validate = compile(schema, isDraft7, OPTIONS);
    let validateAll: ValidateFunction | undefined;
    return {
      ok: true,
      check: (data) => (validate(data) ? undefined : describe(validate.errors?.[0])),
      findAll: (data, max) => {
        validateAll ??= compile(schema, isDraft7, { ...OPTIONS, allErrors: true });
        return validateAll(data) ? [] : (validateAll.errors ?? []).slice(0, max).map(describe);
      },
    };
  } catch (error) {
    const message = (error as Error).message.slice(0, 300);
    return { ok: false, errors: [{ path: at, message: `is no JSON Schema: ${message}` }] };
  }
}

function compile(schema: Record<string, unknown>, isDraft7: boolean, options: Options): ValidateFunction {
  const ajv = isDraft7 ? new Ajv(options) : new Ajv2020(options);
  addFormats.default(ajv);
  return ajv.compile(schema);
}

/** Ajv keeps patterns apart by their text; `code` only matters for validators that are written to files. */
const linearRegExp = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(pattern);
    return { test: (text: string) => compiled.matcher(text).find(), toString: () => pattern };
  },
  { code: "" },
);

const OPTIONS: Options = {
  // The first fault only: of an array with a hundred thousand wrong elements each would be one.
  allErrors: false,
  strict: false,
  validateFormats: true,
  addUsedSchema: false,
  logger: false,
  code: { regExp: linearRegExp as NonNullable<Options["code"]>["regExp"] & object },
};

function describe(error: ErrorObject | undefined): SchemaFault {
  if (error === undefined) return { path: "", message: "does not fit the schema" };
  const missing = (error.params as Record<string, unknown>)["missingProperty"];
  const additional = (error.params as Record<string, unknown>)["additionalProperty"];
  const allowed = (error.params as Record<string, unknown>)["allowedValues"];
  const member = missing ?? additional;
  const path = typeof member === "string" ? `${error.instancePath}/${token(member)}` : error.instancePath;
  if (missing !== undefined) return { path, message: "is missing" };
  if (additional !== undefined) return { path, message: "is not known to the schema" };
  const list = Array.isArray(allowed) ? `: ${JSON.stringify(allowed).slice(0, 200)}` : "";
  return { path, message: `${error.message ?? "does not fit the schema"}${list}` };
}

const token = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1");

/** Walks a schema as its validator does, references included, and counts what it meets. */
class Expansion {
  readonly #root: Record<string, unknown>;
  readonly #open = new Set<object>();
  #nodes = 0;

  constructor(root: Record<string, unknown>) {
    this.#root = root;
  }

  judge(): SchemaFault | undefined {
    return this.#walk(this.#root, "");
  }

  #walk(node: unknown, path: string): SchemaFault | undefined {
    if (typeof node !== "object" || node === null) return undefined;
    if (++this.#nodes > NODES_MAX)
      return { path: "", message: `is too large: more than ${NODES_MAX} parts with its references` };
    if (this.#open.has(node))
      return { path, message: "leads back to itself; recursive schemas are not supported" };
    this.#open.add(node);
    const objection =
      this.#judgeKeywords(node as Record<string, unknown>, path) ?? this.#walkMembers(node, path);
    this.#open.delete(node);
    return objection;
  }

  #walkMembers(node: object, path: string): SchemaFault | undefined {
    for (const [name, member] of Object.entries(node)) {
      // Values are compared, not followed; definitions count where they are referred to.
      if (name === "const" || name === "enum" || name === "default" || name === "examples") continue;
      const objection = this.#walk(member, `${path}/${token(name)}`);
      if (objection !== undefined) return objection;
    }
    return undefined;
  }

  #judgeKeywords(node: Record<string, unknown>, path: string): SchemaFault | undefined {
    for (const name of ["$dynamicRef", "$recursiveRef"]) {
      if (name in node) return { path: `${path}/${name}`, message: "is not supported" };
    }
    const { pattern, uniqueItems, maxItems } = node;
    if (typeof pattern === "string" && pattern.length > PATTERN_MAX)
      return { path: `${path}/pattern`, message: `must have at most ${PATTERN_MAX} characters` };
    if (uniqueItems === true && !(typeof maxItems === "number" && maxItems <= UNIQUE_ITEMS_MAX))
      return { path: `${path}/uniqueItems`, message: `needs maxItems of at most ${UNIQUE_ITEMS_MAX}` };
    const reference = node["$ref"];
    if (typeof reference !== "string") return undefined;
    const pointer = reference.startsWith("#") ? decode(reference.slice(1)) : undefined;
    const target = pointer === undefined ? undefined : getPointer(this.#root, pointer);
    if (target === undefined)
      return { path: `${path}/$ref`, message: "must be a JSON pointer into this schema, as in #/$defs/name" };
    return this.#walk(target, `${path}/$ref`);
  }
}

function decode(fragment: string): string | undefined {
  try {
    const pointer = decodeURIComponent(fragment);
    return isPointer(pointer) ? pointer : undefined;
  } catch {
    return undefined;
  }
}
