import type { Config } from "../../platform/config.ts";
import type { ApiLogRow } from "./append-api-logs.ts";
import type { Redactor } from "./redact.ts";

/** One request of the hub's own with what came of it: of a connection test, or to a token endpoint. */
export interface LoggedExchange {
  id: string;
  tenantId: string;
  integrationId: string | null;
  correlationId: string;
  request: { method: string; url: string; headers: Readonly<Record<string, string>>; body?: string };
  /** Undefined when none came. */
  answer: { status: number; headers: Iterable<[string, string]>; body: Uint8Array } | undefined;
  /** Undefined when it was what was hoped for. */
  fault: { code: string; message: string } | undefined;
  durationMs: number;
}

/** The log row of an exchange, without its secrets. */
export function exchangeRow(
  config: Pick<Config, "logRequestBodies" | "logResponseBodies" | "logBodyMaxBytes">,
  redactor: Redactor,
  exchange: LoggedExchange,
): ApiLogRow {
  const { request, answer, fault, ...rest } = exchange;
  const { pathname, search } = new URL(request.url);
  const sent = request.body === undefined ? undefined : Buffer.from(request.body);
  const sentType = new Headers(request.headers).get("content-type");
  const headers = answer === undefined ? undefined : new Headers([...answer.headers]);
  const { logRequestBodies, logResponseBodies, logBodyMaxBytes } = config;
  return {
    id: rest.id,
    tenantId: rest.tenantId,
    integrationId: rest.integrationId,
    endpointId: null,
    direction: "OUTBOUND",
    method: request.method,
    url: redactor.url(request.url),
    path: redactor.url(pathname),
    queryParams: redactor.query(search),
    headers: redactor.headers(Object.entries(request.headers)),
    body: sent === undefined || !logRequestBodies ? null : redactor.body(sent, sentType, logBodyMaxBytes),
    bodySize: sent?.byteLength ?? 0,
    responseStatus: answer?.status ?? null,
    responseHeaders: headers === undefined ? null : redactor.headers(headers),
    responseBody:
      answer === undefined || !logResponseBodies
        ? null
        : redactor.body(answer.body, headers!.get("content-type"), logBodyMaxBytes),
    responseSize: answer?.body.byteLength ?? null,
    responseTimeMs: Math.round(rest.durationMs),
    correlationId: rest.correlationId,
    userId: null,
    sourceIp: null,
    status: statusOf(answer?.status, fault?.code),
    errorCode: fault?.code ?? null,
    errorMessage: fault === undefined ? null : redactor.text(fault.message),
    retryOf: null,
    attemptNumber: 1,
  };
}

function statusOf(status: number | undefined, code: string | undefined): ApiLogRow["status"] {
  if (code === undefined) return "SUCCESS";
  if (code === "timeout") return "TIMEOUT";
  return status !== undefined && status < 500 ? "CLIENT_ERROR" : "SERVER_ERROR";
}
