import { ERRORS } from "../domain/errors.ts";
import { newId } from "../platform/uuid.ts";
import { problemBody } from "./problems.ts";

/**
 * Answers a request that names no host, which only HTTP/1.0 allows (RFC 9112, section 3.2). Probes of load balancers
 * are such requests, so health is told; everything else gets 400: what it is to call has no absolute URL.
 *
 * @param handle the management app
 */
export function answerWithoutHost(
  request: Request,
  handle: (request: Request) => Response | Promise<Response>,
): Response | Promise<Response> {
  const { method, headers, url } = request;
  if (url.startsWith("/health/") && (method === "GET" || method === "HEAD" || method === "OPTIONS"))
    return handle(new Request(`http://localhost${url}`, { method, headers }));
  const requestId = newId();
  return new Response(problemBody("malformed_request", requestId, { detail: "Host is missing or empty." }), {
    status: ERRORS.malformed_request.status,
    headers: { "content-type": "application/problem+json", "x-request-id": requestId },
  });
}
