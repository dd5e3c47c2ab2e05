import type { TSchema } from "@sinclair/typebox";
import { ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import { Elysia, ParseError, ValidationError } from "elysia";
import { detailOf, ERRORS, type ErrorCode, type FieldError, HubError } from "../../domain/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { problemBody } from "../problems.ts";

/** Faults of one request that are told; the first ones matter, and a body can hold a hundred thousand. */
const FIELD_ERRORS_MAX = 20;

/** What an error becomes: the code, what is told of it, and whether it is our fault. */
interface Verdict {
  code: ErrorCode;
  detail?: string;
  errors?: readonly FieldError[];
  retryAfterSeconds?: number;
  /** Logged at error level; nothing of it reaches the caller. */
  ours?: true;
}

/**
 * Turns every error into `application/problem+json`. The first `.use` of the app: an error handler only sees the routes
 * registered after it. Nothing but a HubError's own message is shown: messages of libraries and of the database may
 * hold anything.
 *
 * @param allowedMethods methods that a path knows, to tell 405 from 404
 */
export function problemPlugin(log: Logger, allowedMethods: (path: string) => readonly string[]) {
  return new Elysia({ name: "problem" }).onError(
    { as: "global" },
    function toProblem({ error, set, request, path }) {
      const verdict = judge(error, request.url, allowedMethods(path));
      const requestId = String(set.headers["x-request-id"] ?? "");
      if (verdict.ours) {
        log.error({ err: error, requestId, method: request.method, path }, "request failed");
      }
      // A returned `status()` would alter the framework's shared 404 error for all later requests (elysia#1969).
      set.status = ERRORS[verdict.code].status;
      set.headers["content-type"] = "application/problem+json";
      if (verdict.retryAfterSeconds !== undefined)
        set.headers["retry-after"] = String(verdict.retryAfterSeconds);
      if (verdict.code === "unauthenticated") set.headers["www-authenticate"] = "Bearer";
      if (verdict.code === "method_not_allowed") set.headers["allow"] = allowedMethods(path).join(", ");
      return problemBody(verdict.code, requestId, { detail: verdict.detail, errors: verdict.errors });
    },
  );
}

function judge(error: unknown, url: string, allowed: readonly string[]): Verdict {
  if (error instanceof HubError) return hubVerdict(error);
  // What a parse hook throws arrives wrapped, with the original as its cause.
  if (error instanceof ParseError)
    return error.cause instanceof HubError ? hubVerdict(error.cause) : { code: "bad_request" };
  if (error instanceof ValidationError) return validationVerdict(error, url);
  if (isCoded(error, "NOT_FOUND")) return { code: allowed.length > 0 ? "method_not_allowed" : "not_found" };
  return { code: "internal", ours: true };
}

function hubVerdict(error: HubError): Verdict {
  return {
    code: error.code,
    detail: error.message,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
    ...(error.status === 500 ? { ours: true as const } : {}),
  };
}

function validationVerdict(error: ValidationError, url: string): Verdict {
  // Our own answer broke its schema: not the caller's fault, and nothing of it may go out.
  if (error.type === "response") return { code: "internal", ours: true };
  // An id that is no UUID names nothing, exactly like a UUID that names nothing.
  if (error.type === "params") return { code: "not_found" };
  // So does a number in the path that is out of its range; the framework tells of it as of one in the query.
  if (error.type === "property" && !url.includes("?")) return { code: "not_found" };
  const inBody = error.type === "body";
  const faults = new Map<string, string>();
  for (const fault of error.all) {
    if (!("path" in fault)) continue;
    const { below, message } = wordsOf(fault);
    const path = inBody ? fault.path + below : fault.path.replace(/^\//, "") || parameterOf(url, fault.value);
    if (!faults.has(path)) faults.set(path, message);
    if (faults.size === FIELD_ERRORS_MAX) break;
  }
  const errors = [...faults].map(([path, message]) => ({ path, message }));
  return { code: "invalid_input", detail: detailOf(errors), errors };
}

/** Whose value it is: of a number in the query that is out of its range the framework does not tell the name. */
function parameterOf(url: string, value: unknown): string {
  const search = new URLSearchParams(url.split("?", 2)[1]);
  const names = [...new Set(search.keys())].filter((name) =>
    search.getAll(name).some((text) => +text === value),
  );
  return names.length === 1 ? names[0]! : "";
}

interface Fault {
  message: string;
  type?: ValueErrorType;
  schema?: TSchema;
  value?: unknown;
}

/**
 * A fault in words. Never with the value: it may be a secret in the wrong place.
 *
 * @returns the words, and where below the fault's own path they belong
 */
function wordsOf(fault: Fault): { below: string; message: string } {
  if (fault.type === ValueErrorType.ObjectRequiredProperty) return { below: "", message: "is missing" };
  const members = fault.schema === undefined ? [] : membersOf(fault.schema);
  if (members.length < 2) return { below: "", message: fault.message };
  const meant = meantMembers(members, fault.value);
  // "null or an integer up to 10" of 11: the number is too large, and not of the wrong kind.
  const inner = meant.length === 1 ? Value.Errors(meant[0]!, fault.value).First() : undefined;
  if (inner !== undefined) return { below: inner.path, message: wordsOf(inner).message };
  const forms = members.map(formOf);
  // The query's "numeric text or number" is a number to its reader.
  const isNumber = forms.includes("integer") || forms.includes("number");
  const message = isNumber ? "Expected number" : `Expected one of: ${[...new Set(forms)].join(", ")}`;
  return { below: "", message };
}

/** A member of a union as its reader may write it; of an object the fields that it needs, with their literals. */
function formOf(member: TSchema): string {
  if ("const" in member) return JSON.stringify(member["const"]);
  const needed = member.type === "object" ? ((member["required"] as string[] | undefined) ?? []) : [];
  const fields = needed.map((name) => {
    const field = (member["properties"] as Record<string, TSchema>)[name];
    return field !== undefined && "const" in field ? `${name}: ${JSON.stringify(field["const"])}` : name;
  });
  return fields.length === 0 ? String(member.type) : `{ ${fields.join(", ")} }`;
}

/**
 * The members of a union that a value was meant for: those of its kind, and of several objects the one that shares a
 * literal with it, else the one with its fields.
 */
function meantMembers(members: readonly TSchema[], value: unknown): TSchema[] {
  const ofKind = members.filter((member) => isMeant(member, value));
  if (ofKind.length < 2 || typeof value !== "object" || value === null) return ofKind;
  const fields = Object.keys(value);
  const named = ofKind.filter((member) =>
    Object.entries((member["properties"] ?? {}) as Record<string, TSchema>).some(
      ([name, field]) => "const" in field && field["const"] === (value as Record<string, unknown>)[name],
    ),
  );
  if (named.length === 1) return named;
  return ofKind.filter((member) => fields.some((field) => Object.hasOwn(member["properties"] ?? {}, field)));
}

/** What a union takes, also through unions within it; the schema itself when it is none. */
function membersOf(schema: TSchema): TSchema[] {
  const members = schema["anyOf"] as TSchema[] | undefined;
  return members === undefined ? [schema] : members.flatMap(membersOf);
}

function isMeant(member: TSchema, value: unknown): boolean {
  const { type } = member;
  // A text that is a number, in a query, is one of the framework's own.
  if ("const" in member || (type === "string" && ["integer", "numeric"].includes(String(member["format"]))))
    return false;
  if (type === "integer") return typeof value === "number";
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function isCoded(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}
