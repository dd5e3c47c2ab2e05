import { Kind, type TSchema } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import type { FieldError } from "./errors.ts";

/** Faults that are told of one document; whoever has more of them has the wrong document. */
const FAULTS_MAX = 100;

/**
 * Every fault of a value, each with its JSON pointer. A union whose members are told apart by a literal (`type`,
 * `strategy`) is judged by the member that is meant, not by "none of them fits". No message holds a value: it may be a
 * secret in the wrong place.
 */
export function schemaFaults(schema: TSchema, value: unknown, at = ""): FieldError[] {
  const faults = new Map<string, string>();
  collect(Value.Errors(schema, value), at, faults);
  return [...faults].map(([path, message]) => ({ path, message }));
}

function collect(errors: Iterable<ValueError>, at: string, faults: Map<string, string>): void {
  for (const error of errors) {
    if (faults.size >= FAULTS_MAX) return;
    const path = at + error.path;
    if (error.type === ValueErrorType.Union) {
      const meant = meantMember(error.schema, error.value);
      if (meant !== undefined) {
        for (const fault of schemaFaults(meant, error.value, path)) add(faults, fault.path, fault.message);
        continue;
      }
      const unknown = unknownKind(error.schema, error.value);
      if (unknown !== undefined) {
        add(faults, `${path}/${unknown.name}`, unknown.message);
        continue;
      }
    }
    add(faults, path, messageOf(error));
  }
}

function add(faults: Map<string, string>, path: string, message: string): void {
  if (!faults.has(path) && faults.size < FAULTS_MAX) faults.set(path, message);
}

function messageOf(error: ValueError): string {
  if (error.type === ValueErrorType.ObjectAdditionalProperties) return "is not known here";
  if (error.type === ValueErrorType.ObjectRequiredProperty) return "is missing";
  if (error.type !== ValueErrorType.Union) return error.message;
  const forms = membersOf(error.schema).map((member) =>
    "const" in member ? JSON.stringify(member["const"]) : String(member["type"] ?? member[Kind]),
  );
  return `must be one of: ${[...new Set(forms)].join(", ")}`;
}

function membersOf(schema: TSchema): TSchema[] {
  return (schema["anyOf"] ?? []) as TSchema[];
}

/** The member with which a value shares a literal, or the only one of its own JSON type. */
function meantMember(schema: TSchema, value: unknown): TSchema | undefined {
  const objects = membersOf(schema).filter((member) => member["type"] === "object");
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const record = value as Record<string, unknown>;
  const named = objects.find((member) =>
    Object.entries((member["properties"] ?? {}) as Record<string, TSchema>).some(
      ([name, property]) => isDiscriminator(name) && literalsOf(property).includes(record[name]),
    ),
  );
  if (named !== undefined) return named;
  const hasDiscriminator = objects.some((member) =>
    Object.keys((member["properties"] ?? {}) as object).some(isDiscriminator),
  );
  return objects.length === 1 && !hasDiscriminator ? objects[0] : undefined;
}

/** What is wrong with an object that is none of the union's because of the literal that tells them apart. */
function unknownKind(schema: TSchema, value: unknown): { name: string; message: string } | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const kinds = membersOf(schema).flatMap((member) =>
    Object.entries((member["properties"] ?? {}) as Record<string, TSchema>)
      .filter(([name, property]) => isDiscriminator(name) && literalsOf(property)[0] !== undefined)
      .map(([name, property]) => ({ name, literals: literalsOf(property) })),
  );
  const name = kinds[0]?.name;
  if (name === undefined) return undefined;
  const known = kinds.flatMap(({ literals }) => literals.map((literal) => JSON.stringify(literal)));
  const fault = Object.hasOwn(value, name) ? `must be one of: ${known.join(", ")}` : "is missing";
  return { name, message: fault };
}

function isDiscriminator(name: string): boolean {
  return name === "type" || name === "strategy";
}

function literalsOf(schema: TSchema): unknown[] {
  return "const" in schema ? [schema["const"]] : membersOf(schema).map((member) => member["const"]);
}
