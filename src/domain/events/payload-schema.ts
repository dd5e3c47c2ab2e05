import { Ajv, type ErrorObject, type Options } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { RE2JS } from "re2js";
import { isPointer, getPointer } from "../../platform/json/pointer.ts";
import type { FieldError } from "../errors.ts";

/** Bounds of one schema. Its validator runs in the process that accepts webhooks, so its cost is bounded when it is saved. */
const SCHEMA_BYTES_MAX = 65_536;
const NODES_MAX = 2_000;
const PATTERN_MAX = 500;
/** Comparing each element with each other one is quadratic. */
const UNIQUE_ITEMS_MAX = 1_000;

const DRAFT_7 = /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/;
const DRAFT_2020 = /^https:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

/** Judges a payload: nothing when it fits, else the fault with a JSON pointer into the payload. */
export type PayloadCheck = (data: unknown) => FieldError | undefined;

/**
 * Compiles a JSON Schema (draft 2020-12, or 7 where `$schema` says so). Patterns run in linear time (RE2). References
 * stay within the document and do not lead back to themselves, because a schema that does costs more than its payload's
 * size tells.
 *
 * @param at JSON pointer of the schema in the request body
 * @returns the check, or what is wrong with the schema
 */
export function compilePayloadSchema(
  schema: Record<string, unknown>,
  at = "/schema",
): { ok: true; check: PayloadCheck } | { ok: false; errors: FieldError[] } {
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
    const ajv = isDraft7 ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
    addFormats.default(ajv);
    const validate = ajv.compile(schema);
    return {
      ok: true,
      check: (data) => (validate(data) ? undefined : describe(validate.errors?.[0])),
    };
  } catch (error) {
    const message = (error as Error).message.slice(0, 300);
    return { ok: false, errors: [{ path: at, message: `is no JSON Schema: ${message}` }] };
  }
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

function describe(error: ErrorObject | undefined): FieldError {
  if (error === undefined) return { path: "", message: "does not fit the schema of its type" };
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

  judge(): FieldError | undefined {
    return this.#walk(this.#root, "");
  }

  #walk(node: unknown, path: string): FieldError | undefined {
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

  #walkMembers(node: object, path: string): FieldError | undefined {
    for (const [name, member] of Object.entries(node)) {
      // Values are compared, not followed; definitions count where they are referred to.
      if (name === "const" || name === "enum" || name === "default" || name === "examples") continue;
      const objection = this.#walk(member, `${path}/${token(name)}`);
      if (objection !== undefined) return objection;
    }
    return undefined;
  }

  #judgeKeywords(node: Record<string, unknown>, path: string): FieldError | undefined {
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
