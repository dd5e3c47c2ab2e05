import { Type } from "@sinclair/typebox";
import { ERRORS, type ErrorCode, type FieldError } from "../domain/errors.ts";

/** Body of every error (RFC 9457), `application/problem+json`. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: "`urn:hub:error:<code>`." }),
    title: Type.String({ description: "The same for every occurrence of the code." }),
    status: Type.Integer(),
    code: Type.String({ description: "For programs: never changes its meaning." }),
    detail: Type.Optional(Type.String({ description: "This occurrence, for people." })),
    requestId: Type.String({ description: "X-Request-Id of the call; quote it when asking for help." }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          path: Type.String({ description: "JSON pointer into the body, or the name of a parameter." }),
          message: Type.String(),
        }),
      ),
    ),
  },
  { description: "What went wrong." },
);

/** Statuses that any authenticated call can meet, whatever it does. */
const COMMON_STATUSES = [400, 401, 403, 422, 429, 500, 503] as const;

type ProblemTable<Status extends number> = Record<Status | (typeof COMMON_STATUSES)[number], typeof Problem>;

/**
 * Response table entries of a route: the statuses named, and those that every call can meet.
 *
 * @example response: { 200: Endpoint, ...problems(404, 409) }
 */
export function problems<const Status extends number>(...statuses: Status[]): ProblemTable<Status> {
  return Object.fromEntries(
    [...COMMON_STATUSES, ...statuses].map((status) => [status, Problem]),
  ) as ProblemTable<Status>;
}

/** Response table entries of a public route, which nobody is refused. */
export function publicProblems<const Status extends number>(
  ...statuses: Status[]
): Record<Status | 500, typeof Problem> {
  return Object.fromEntries([500, ...statuses].map((status) => [status, Problem])) as Record<
    Status | 500,
    typeof Problem
  >;
}

/** One occurrence of a code as the body of an answer. */
export function problemBody(
  code: ErrorCode,
  requestId: string,
  more: { detail?: string | undefined; errors?: readonly FieldError[] | undefined } = {},
): string {
  const { status, title } = ERRORS[code];
  return JSON.stringify({
    type: `urn:hub:error:${code}`,
    title,
    status,
    code,
    ...(more.detail === undefined || more.detail === title ? {} : { detail: more.detail }),
    requestId,
    ...(more.errors === undefined ? {} : { errors: more.errors }),
  });
}
