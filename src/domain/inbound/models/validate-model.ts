import type { TSchema } from "@sinclair/typebox";
import type { ValueError } from "@sinclair/typebox/compiler";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { FieldError } from "../../errors.ts";
import { CALENDAR } from "./fields.ts";
import { Invoice } from "./invoice.ts";
import { LoadStatus } from "./load-status.ts";
import { Tracking } from "./tracking.ts";

/** What an endpoint's bodies must look like, by `handlerType`. CUSTOM is anything. */
export const MODELS = { LOAD_STATUS: LoadStatus, TRACKING: Tracking, INVOICE: Invoice } as const;

export const HANDLER_TYPES = ["LOAD_STATUS", "TRACKING", "INVOICE", "CUSTOM"] as const;
export type HandlerType = (typeof HANDLER_TYPES)[number];

/** Faults reported of one document; more would only make the dead letter long. */
const ERRORS_MAX = 20;

const COMPILED = {
  LOAD_STATUS: TypeCompiler.Compile<TSchema>(LoadStatus),
  TRACKING: TypeCompiler.Compile<TSchema>(Tracking),
  INVOICE: TypeCompiler.Compile<TSchema>(Invoice),
} as const;

export type ModelCheck = { ok: true } | { ok: false; errors: FieldError[] };

/**
 * Checks a document against its handler's model. Members that the model does not name are allowed and kept: senders add
 * fields without notice.
 *
 * @returns at most 20 faults, each with a JSON pointer and what is wanted there; values are not quoted
 */
export function validateModel(handlerType: HandlerType, value: unknown): ModelCheck {
  if (handlerType === "CUSTOM") return { ok: true };
  const compiled = COMPILED[handlerType];
  const errors: FieldError[] = [];
  if (!compiled.Check(value)) {
    const seen = new Set<string>();
    for (const error of compiled.Errors(value)) {
      // The validator reports a missing member twice: as missing, and as undefined of the wrong type.
      if (seen.has(error.path)) continue;
      seen.add(error.path);
      errors.push({ path: error.path, message: describe(error) });
      if (errors.length === ERRORS_MAX) break;
    }
  } else {
    collectImpossibleDates(MODELS[handlerType], value, "", errors);
  }
  return errors.length === 0 ? { ok: true } : { ok: false, errors };
}

function describe(error: ValueError): string {
  const { schema } = error;
  if (error.value === undefined) return withMeaning("is required", schema);
  const choices = choicesOf(schema);
  if (choices !== undefined) return `must be one of ${choices.join(", ")}`;
  if (typeof schema["pattern"] === "string" && typeof error.value === "string") {
    return withMeaning("has not the right form", schema);
  }
  return error.message.replace(/^Expected /, "must be ").replace("must be required property", "is required");
}

function withMeaning(message: string, schema: TSchema): string {
  const example: unknown = schema.examples === undefined ? undefined : [schema.examples].flat()[0];
  const meaning = schema.description === undefined ? "" : ` (${schema.description.slice(0, 200)})`;
  return message + meaning + (example === undefined ? "" : `, for example ${JSON.stringify(example)}`);
}

function choicesOf(schema: TSchema): string[] | undefined {
  const members: unknown = schema["anyOf"];
  if (!Array.isArray(members)) return undefined;
  const values = members.map((member: TSchema): unknown => member["const"]);
  return values.every((value) => typeof value === "string") ? values : undefined;
}

/** Walks the model beside a value that fits it, and looks at the dates that a pattern cannot judge. */
function collectImpossibleDates(schema: TSchema, value: unknown, path: string, errors: FieldError[]): void {
  if (value === undefined || errors.length === ERRORS_MAX) return;
  if (schema[CALENDAR] === true) {
    if (!isCalendarDate(String(value))) errors.push({ path, message: "is no day of the calendar" });
  } else if (schema["type"] === "array") {
    for (const [index, item] of (value as unknown[]).entries()) {
      collectImpossibleDates(schema["items"] as TSchema, item, `${path}/${index}`, errors);
    }
  } else if (schema["type"] === "object") {
    for (const [name, member] of Object.entries(schema["properties"] as Record<string, TSchema>)) {
      const held = Object.hasOwn(value as object, name)
        ? (value as Record<string, unknown>)[name]
        : undefined;
      collectImpossibleDates(member, held, `${path}/${name}`, errors);
    }
  }
}

/** Whether the first ten characters, `YYYY-MM-DD`, name a day. */
function isCalendarDate(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split("-").map(Number);
  const daysInMonth = new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
  return (day ?? 0) <= daysInMonth;
}
