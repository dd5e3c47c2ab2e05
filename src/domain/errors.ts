/** One fault of the input: `path` is a JSON pointer into the body, or the name of a parameter. */
export interface FieldError {
  path: string;
  message: string;
}

interface CatalogueEntry {
  status: number;
  title: string;
}

/** Every code that a caller can meet, with its HTTP status and a title that never changes (RFC 9457). */
export const ERRORS = {
  path_invalid: { status: 400, title: "The path cannot be passed on to the provider" },
  bad_request: { status: 400, title: "The request cannot be understood" },
  malformed_request: { status: 400, title: "The request is malformed" },
  header_doubled: { status: 400, title: "A header that may stand once stands twice" },
  unauthenticated: { status: 401, title: "A valid API key or token is needed" },
  signature_invalid: { status: 401, title: "The signature was not accepted" },
  forbidden: { status: 403, title: "The key or token lacks the scope for this" },
  source_not_allowed: { status: 403, title: "The sender's address is not on the endpoint's list" },
  not_found: { status: 404, title: "There is no such thing" },
  method_not_allowed: { status: 405, title: "The method is not allowed here" },
  conflict: { status: 409, title: "The state does not allow this" },
  in_use: { status: 409, title: "It is in use" },
  connection_test_failed: { status: 409, title: "The connection test failed" },
  reauthorization_required: { status: 409, title: "Somebody has to log in with the provider" },
  integration_paused: { status: 409, title: "The integration is paused" },
  not_oauth: { status: 409, title: "The integration has no tokens of this kind" },
  idempotency_in_progress: { status: 409, title: "A request with this Idempotency-Key is being processed" },
  endpoint_disabled: { status: 410, title: "The endpoint is disabled" },
  body_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The content type is not supported" },
  invalid_input: { status: 422, title: "The input is not valid" },
  no_sandbox: { status: 422, title: "The provider has no system for this environment" },
  idempotency_mismatch: { status: 422, title: "This Idempotency-Key was used with another request" },
  transformation_failed: { status: 422, title: "The document does not fit its transformation" },
  rate_limited: { status: 429, title: "Too many requests" },
  queue_full: { status: 429, title: "Too many calls wait for this integration" },
  queue_timeout: { status: 429, title: "The provider's limit left no room in time" },
  internal: { status: 500, title: "Something went wrong on our side" },
  upstream_failed: { status: 502, title: "The provider could not be reached" },
  answer_not_transformed: { status: 502, title: "The provider's answer does not fit its transformation" },
  upstream_timeout: { status: 504, title: "The provider did not answer in time" },
  gateway_busy: { status: 503, title: "Too many calls are under way in this process" },
  unavailable: { status: 503, title: "The hub cannot take this at the moment" },
  token_unavailable: { status: 503, title: "The provider gives no access token at the moment" },
  circuit_open: { status: 503, title: "The provider fails; calls are stopped for a while" },
  capacity_exceeded: { status: 503, title: "The hub is full at the moment" },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** An error that a caller is to see: the edge turns it into `application/problem+json`, a job into a log line. */
export class HubError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    detail?: string,
    more: { errors?: readonly FieldError[]; retryAfterSeconds?: number } = {},
  ) {
    super(detail ?? ERRORS[code].title);
    this.name = "HubError";
    this.code = code;
    this.status = ERRORS[code].status;
    this.errors = more.errors;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}

/** Input that breaks a rule: 422 with the path of each fault. */
export function invalidInput(errors: readonly FieldError[], detail?: string): HubError {
  return new HubError("invalid_input", detail ?? detailOf(errors), { errors });
}

/** Faults that a text for people names; all of them stand beside it. */
const DETAIL_FAULTS_MAX = 5;

/** Faults as one text for people. */
export function detailOf(errors: readonly FieldError[]): string {
  const named = errors
    .slice(0, DETAIL_FAULTS_MAX)
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  const others = errors.length - named.length;
  return named.join("; ") + (others > 0 ? `; and ${others} more` : "");
}

/** The one answer for what does not exist and for what belongs to another tenant. */
export function notFound(): HubError {
  return new HubError("not_found");
}
