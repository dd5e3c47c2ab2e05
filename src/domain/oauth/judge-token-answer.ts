import { getPointer } from "../../platform/json/pointer.ts";
import { readTokenAnswer } from "../providers/read-token-answer.ts";
import type { TokenAuth } from "./token-times.ts";

type OAuth2Auth = Exclude<TokenAuth, { type: "TOKEN_REQUEST" }>;

/** What the provider gave. */
export interface GrantedTokens {
  /** `accessToken`, `refreshToken` when one came, and what the steps of a log-in captured. */
  values: Record<string, string>;
  /** Undefined when the answer does not say. */
  expiresInMs: number | undefined;
  /** Life of the refresh token, and of the whole log-in, where the answer says. */
  refreshEndsInMs?: number | undefined;
  loginEndsInMs?: number | undefined;
  /** Values of derived fields. */
  derived: Record<string, string>;
}

/** Why there is no token. Messages never hold a secret: of the answer only OAuth's own error code is told. */
export interface TokenFault {
  /**
   * `final`: the grant is over and a person has to log in. `refused`: the request is wrong, as with a changed client
   * secret. `outage`: nothing was decided. `lost`: it may have been decided and nobody heard.
   */
  kind: "final" | "refused" | "outage" | "lost";
  code: string;
  message: string;
  retryAfterMs?: number;
}

export type TokenResult =
  | { ok: true; tokens: GrantedTokens }
  | { ok: false; fault: TokenFault; status?: number };

/** An answer of a token endpoint. */
export interface TokenAnswerInput {
  status: number;
  /** Undefined when the body is no JSON. */
  document: unknown;
  retryAfterMs: number | undefined;
  location: string | null;
}

/** RFC 6749 section 5.2: what repeating does not mend, although the grant lives on. */
const CONFIGURATION_ERRORS = new Set([
  "invalid_client",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_request",
  "invalid_grant",
  "access_denied",
]);
/** What a header can carry (RFC 9110 section 5.5); a token with anything else cannot be used. */
export const SENDABLE_TOKEN = /^[\x21-\x7e]+$/;

/** Judges the answer to a grant by what the manifest says of it. */
export function judgeTokenAnswer(
  auth: OAuth2Auth,
  answer: Omit<TokenAnswerInput, "location">,
  nowMs: number,
): TokenResult {
  const { status, document } = answer;
  const error = errorCodeOf(document);
  const isFinal = auth.refresh.finalErrors.some(
    (final) =>
      (final.status === undefined || final.status === status) &&
      final.values.includes(String(getPointer(document, final.pointer))),
  );
  if (isFinal) return failed(status, "final", error ?? "invalid_grant", "The provider ended the log-in");
  if (status < 200 || status > 299) return judgeRefusal(answer, error);
  const reading = readTokenAnswer(auth.token.answer, document, nowMs);
  if (!reading.ok) {
    // What a proxy or a page of maintenance answers with 200 decides nothing.
    const message = "The answer of the token endpoint holds no access token";
    if (reading.code === "token_missing") return failed(status, "outage", reading.code, message);
    return judgeRefusal(answer, error ?? "token_refused");
  }
  if (!SENDABLE_TOKEN.test(reading.accessToken))
    return failed(status, "outage", "token_unusable", "The access token cannot stand in a header");
  return {
    ok: true,
    tokens: {
      values: {
        accessToken: reading.accessToken,
        ...(reading.refreshToken === undefined ? {} : { refreshToken: reading.refreshToken }),
      },
      expiresInMs: reading.expiresInMs,
      refreshEndsInMs: reading.refreshEndsInMs,
      loginEndsInMs: reading.loginEndsInMs,
      derived: reading.captured,
    },
  };
}

/** Judges an answer that is no success: of a token endpoint, or of a step of another log-in. */
export function judgeRefusal(
  answer: Omit<TokenAnswerInput, "location">,
  error?: string,
): Extract<TokenResult, { ok: false }> {
  const { status, retryAfterMs } = answer;
  const code = error ?? `status_${status}`;
  const message = `The token endpoint answered ${status}${error === undefined ? "" : ` (${error})`}`;
  const isRefusal =
    error === undefined
      ? (status >= 300 && status < 400) || [400, 401, 403, 404, 405, 410, 422].includes(status)
      : CONFIGURATION_ERRORS.has(error) && status < 500;
  const result = failed(status, isRefusal ? "refused" : "outage", code, message);
  if (retryAfterMs !== undefined) result.fault.retryAfterMs = retryAfterMs;
  return result;
}

/** OAuth's error code when it looks like one (RFC 6749 section 5.2); free text may hold anything. */
function errorCodeOf(document: unknown): string | undefined {
  const error = getPointer(document, "/error");
  return typeof error === "string" && /^[\w.-]{1,60}$/.test(error) ? error : undefined;
}

function failed(
  status: number,
  kind: TokenFault["kind"],
  code: string,
  message: string,
): Extract<TokenResult, { ok: false }> {
  return { ok: false, status, fault: { kind, code, message } };
}
