import { Elysia } from "elysia";
import { newId } from "../../platform/uuid.ts";

/** Longer or odd ones are replaced: the id goes into logs, rows and headers (DESIGN.md section 8). */
const ORDINARY_ID = /^[\w.:/+=@-]{1,100}$/;

/** The caller's X-Request-Id when it is at most 100 ordinary characters, else a new one. */
export function requestIdOf(given: string | null): string {
  return given !== null && ORDINARY_ID.test(given) ? given : newId();
}

/** Headers of every answer: nothing is sniffed, framed, cached or referred. */
const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
};

/** Browsers keep to https for a year once they came by it. */
const STRICT_TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains";

/**
 * Gives every answer, errors included, its X-Request-Id and the security headers, before anything can fail.
 *
 * @param isHttps PUBLIC_URL is https: browsers are told to stay there
 */
export function answerHeaders(isHttps: boolean) {
  return new Elysia({ name: "answer-headers" }).onRequest(function setAnswerHeaders({ request, set }) {
    Object.assign(set.headers, SECURITY_HEADERS);
    if (isHttps) set.headers["strict-transport-security"] = STRICT_TRANSPORT_SECURITY;
    set.headers["x-request-id"] = requestIdOf(request.headers.get("x-request-id"));
  });
}
