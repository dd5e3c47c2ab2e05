import type { Server } from "bun";
import {
  acceptWebhook,
  type AcceptDeps,
  type RefusalOutcome,
  type WebhookAnswer,
} from "../../domain/inbound/accept-webhook.ts";
import { BODY_BYTES_MAX } from "../../domain/inbound/endpoint-schema.ts";
import { ERRORS, type ErrorCode } from "../../domain/errors.ts";
import { newId } from "../../platform/uuid.ts";
import type { FastHistogram } from "../../platform/metrics.ts";
import type { FixedAnswer } from "../../domain/inbound/schemes/scheme.ts";
import { type BodyBudget, BodyShare, readCountedBody } from "./read-body.ts";

export interface IngressDeps extends AcceptDeps {
  budget: BodyBudget;
  latency: FastHistogram;
}

/** Requests that one process works on at a time; more get 503 at once instead of waiting for all the others. */
const REQUESTS_IN_FLIGHT_MAX = 10_000;

const PREFIX = "/webhooks/";

/**
 * Start of the path in an absolute URL when it is an inbound webhook's, else -1. Works on the text, because parsing
 * the URL costs as much as verifying the signature.
 */
export function webhookPathStart(url: string): number {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start >= 0 && url.startsWith(PREFIX, start) ? start : -1;
}

/**
 * The transport of `/webhooks/:tenant/:path`: limits, reading, and the sender's answer. Lives outside Elysia, which
 * would read the body its own way.
 *
 * @param pathStart result of `webhookPathStart`
 */
export async function handleWebhook(
  deps: IngressDeps,
  request: Request,
  server: Server<undefined>,
  pathStart: number,
): Promise<Response> {
  const startedAtNs = Bun.nanoseconds();
  const { url, headers } = request;
  const query = url.indexOf("?", pathStart);
  const endpointKey = url.slice(pathStart + PREFIX.length, query < 0 ? undefined : query);
  if (!/^[^/]+\/[A-Za-z0-9_-]{1,200}$/.test(endpointKey)) {
    // No endpoint can have it; a slash too many behind a tenant's path is to be found among its refused requests.
    if (endpointKey.indexOf("/") > 0) {
      const seen = { request, server, pathStart, endpointKey, endpoint: null };
      return refuseUnread(deps, seen, "not_found", "unknown_endpoint");
    }
    deps.count("unknown_endpoint");
    return refusal("not_found", newId());
  }
  if (headers.get("host")?.includes(",")) {
    return refuseUnread(
      deps,
      { request, server, pathStart, endpointKey },
      "malformed_request",
      "header_doubled",
    );
  }
  const declared = headers.get("content-length");
  const contentLength =
    declared === null ? (headers.has("transfer-encoding") ? undefined : 0) : Number(declared);
  if ((contentLength ?? 0) > BODY_BYTES_MAX) {
    return refuseUnread(deps, { request, server, pathStart, endpointKey }, "body_too_large", "too_large");
  }
  if (server.pendingRequests > REQUESTS_IN_FLIGHT_MAX) {
    return refuseUnread(deps, { request, server, pathStart, endpointKey }, "unavailable", "busy", 1);
  }
  const share = new BodyShare(deps.budget);
  try {
    const answer = await acceptWebhook(deps, {
      method: request.method,
      endpointKey,
      target: url.slice(pathStart),
      headers,
      readBody: (maxBytes) => readCountedBody(request, contentLength, maxBytes, share),
      socketAddress: () => server.requestIP(request)?.address ?? "",
    });
    return answerOf(answer);
  } catch (error) {
    deps.runtime.log.error({ err: error }, "accepting failed");
    return refusal("internal", newId());
  } finally {
    share.release();
    deps.latency.observe((Bun.nanoseconds() - startedAtNs) / 1e9);
  }
}

/** Refuses before the endpoint was looked up and the body read; `endpoint` is null where there can be none. */
function refuseUnread(
  deps: IngressDeps,
  seen: {
    request: Request;
    server: Server<undefined>;
    pathStart: number;
    endpointKey: string;
    endpoint?: null;
  },
  code: ErrorCode,
  outcome: RefusalOutcome,
  retryAfterSeconds?: number,
): Response {
  const { request, server, pathStart, endpointKey } = seen;
  const id = newId();
  deps.count(outcome);
  deps.rejections.add({
    id,
    requestId: id,
    request: {
      method: request.method,
      endpointKey,
      target: request.url.slice(pathStart),
      headers: request.headers,
      socketAddress: () => server.requestIP(request)?.address ?? "",
    },
    body: undefined,
    code,
    cause: outcome,
    endpoint: seen.endpoint,
  });
  return refusal(code, id, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
}

function answerOf(answer: WebhookAnswer): Response {
  if (answer.kind === "refused" && answer.answer !== undefined) return fixed(answer.answer, {});
  if (answer.kind === "refused") return refusal(answer.code, answer.requestId, answer);
  if (answer.kind === "fixed") return fixed(answer.answer, {});
  const headers = { "hub-receipt-id": answer.receiptId, "x-request-id": answer.requestId };
  if (answer.answer !== undefined) return fixed(answer.answer, headers);
  return new Response(`{"id":"${answer.receiptId}","status":"${answer.status}"}`, {
    headers: { "content-type": "application/json", ...headers },
  });
}

function fixed(answer: FixedAnswer, headers: Record<string, string>): Response {
  const all: Record<string, string> = { ...answer.headers, ...headers };
  if (answer.contentType !== undefined) all["content-type"] = answer.contentType;
  return new Response(answer.body === "" ? null : answer.body, { status: answer.status, headers: all });
}

/** One body for all causes of a code: it tells the sender what to do, and nobody what exists here. */
function refusal(
  code: ErrorCode,
  requestId: string,
  more: { retryAfterSeconds?: number; allow?: string; authenticate?: string } = {},
): Response {
  const { status, title } = ERRORS[code];
  const headers: Record<string, string> = {
    "content-type": "application/problem+json",
    "x-request-id": requestId,
  };
  if (more.retryAfterSeconds !== undefined) headers["retry-after"] = String(more.retryAfterSeconds);
  if (more.allow !== undefined) headers["allow"] = more.allow;
  if (more.authenticate !== undefined) headers["www-authenticate"] = more.authenticate;
  return new Response(JSON.stringify({ type: `urn:hub:error:${code}`, title, status, code, requestId }), {
    status,
    headers,
  });
}
