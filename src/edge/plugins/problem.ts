import type { TSchema } from "@sinclair/typebox";
import { ValueErrorType } from "@sinclair/typebox/errors";
import { Elysia, ParseError, ValidationError } from "elysia";
import { ERRORS, type ErrorCode, type FieldError, HubError } from "../../domain/errors.ts";
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
      const verdict = judge(error, allowedMethods(path));
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

function judge(error: unknown, allowed: readonly string[]): Verdict {
  if (error instanceof HubError) return hubVerdict(error);
  // What a parse hook throws arrives wrapped, with the original as its cause.
  if (error instanceof ParseError)
    return error.cause instanceof HubError ? hubVerdict(error.cause) : { code: "bad_request" };
  if (error instanceof ValidationError) return validationVerdict(error);
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

function validationVerdict(error: ValidationError): Verdict {
  // Our own answer broke its schema: not the caller's fault, and nothing of it may go out.
  if (error.type === "response") return { code: "internal", ours: true };
  // An id that is no UUID names nothing, exactly like a UUID that names nothing.
  if (error.type === "params") return { code: "not_found" };
  const inBody = error.type === "body";
  const errors = new Map<string, string>();
  for (const fault of error.all) {
    if (!("path" in fault)) continue;
    const path = inBody ? fault.path : fault.path.replace(/^\//, "");
    if (!errors.has(path)) errors.set(path, messageOf(fault));
    if (errors.size === FIELD_ERRORS_MAX) break;
  }
  return { code: "invalid_input", errors: [...errors].map(([path, message]) => ({ path, message })) };
}

/** A fault in words. Never with the value: it may be a secret in the wrong place. */
function messageOf(fault: { message: string; type?: ValueErrorType; schema?: TSchema }): string {
  if (fault.type === ValueErrorType.ObjectRequiredProperty) return "is missing";
  const members = (fault.schema?.["anyOf"] ?? []) as TSchema[];
  if (members.length === 0) return fault.message;
  const forms = members.map((member) =>
    "const" in member ? JSON.stringify(member["const"]) : String(member.type),
  );
  // The query's "numeric text or number" is a number to its reader.
  const isNumber = forms.includes("integer") || forms.includes("number");
  return isNumber ? "Expected number" : `Expected one of: ${[...new Set(forms)].join(", ")}`;
}

function isCoded(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}
