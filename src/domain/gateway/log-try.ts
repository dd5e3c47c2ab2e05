import { decodeAnswer } from "../../platform/egress/decode-answer.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { apiLogWriterOf } from "../api-logs/api-log-writer.ts";
import type { ApiLogRow } from "../api-logs/append-api-logs.ts";
import type { Redactor } from "../api-logs/redact.ts";
import type { AnswerClass } from "../providers/classify-answer.ts";

/** Read further than is kept, because a secret that is cut at the edge is not recognised. */
const OVERLAP_BYTES = 4_096;

/** Bytes of each body that a log row is made of; 0 when bodies of this side are not logged. */
export function loggedBytes(runtime: Runtime, side: "request" | "response"): number {
  const { logRequestBodies, logResponseBodies, logBodyMaxBytes } = runtime.config;
  return (side === "request" ? logRequestBodies : logResponseBodies) ? logBodyMaxBytes + OVERLAP_BYTES : 0;
}

/** One try as it is logged. */
export interface LoggedTry {
  id: string;
  tenantId: string;
  integrationId: string;
  correlationId: string;
  userId: string | null;
  sourceIp: string | null;
  method: string;
  url: string;
  /** As sent, the credential included. */
  headers: Readonly<Record<string, string>>;
  requestBody: Uint8Array | undefined;
  requestBytes: number;
  answer:
    | { status: number; headers: Iterable<[string, string]>; body: Uint8Array | undefined; bytes: number }
    | undefined;
  verdict: AnswerClass;
  timings: Readonly<Record<string, number>>;
  attempt: number | null;
  /** Log row of the first try. */
  retryOf: string | null;
}

/** Writes the log row of one try, without its secrets; the caller does not wait. */
export async function logTry(runtime: Runtime, redactor: Redactor, logged: LoggedTry): Promise<void> {
  const { answer, verdict } = logged;
  const { pathname, search } = partsOf(logged.url);
  const answerHeaders = answer === undefined ? undefined : [...answer.headers];
  const headerOf = (
    entries: readonly (readonly [string, string])[] | undefined,
    name: string,
  ): string | null => entries?.find(([known]) => known === name)?.[1] ?? null;
  const sent = Object.entries(logged.headers);
  const requested = bodyOf(runtime, redactor, logged.requestBody, (name) => headerOf(sent, name));
  const answered = bodyOf(runtime, redactor, answer?.body, (name) => headerOf(answerHeaders, name));
  const body = requested instanceof Promise ? await requested : requested;
  const responseBody = answered instanceof Promise ? await answered : answered;
  apiLogWriterOf(runtime).add({
    id: logged.id,
    tenantId: logged.tenantId,
    integrationId: logged.integrationId,
    endpointId: null,
    direction: "OUTBOUND",
    method: logged.method,
    url: redactor.url(logged.url),
    path: redactor.url(pathname),
    queryParams: search === "" ? {} : redactor.query(search),
    headers: redactor.headers(sent),
    body,
    bodySize: logged.requestBytes,
    responseStatus: answer?.status ?? null,
    responseHeaders: answerHeaders === undefined ? null : redactor.headers(answerHeaders),
    responseBody,
    responseSize: answer?.bytes ?? null,
    responseTimeMs: logged.timings["total"] ?? null,
    correlationId: logged.correlationId,
    userId: logged.userId,
    sourceIp: logged.sourceIp,
    status: statusOf(answer?.status, verdict),
    errorCode: verdict.action === "ok" ? null : verdict.code,
    errorMessage: verdict.action === "ok" ? null : redactor.text(verdict.message),
    retryOf: logged.retryOf,
    attemptNumber: logged.attempt,
    timings: logged.timings,
  });
}

/** Path and query of an address that `URL` wrote; it has no fragment. */
function partsOf(url: string): { pathname: string; search: string } {
  const pathStart = url.indexOf("/", url.indexOf("://") + 3);
  const queryStart = url.indexOf("?", pathStart);
  return queryStart < 0
    ? { pathname: url.slice(pathStart), search: "" }
    : { pathname: url.slice(pathStart, queryStart), search: url.slice(queryStart) };
}

/** A body without its secrets. What is encoded is decoded first: else nobody could find a secret in it. */
function bodyOf(
  { config }: Runtime,
  redactor: Redactor,
  bytes: Uint8Array | undefined,
  header: (name: string) => string | null,
): Uint8Array | null | Promise<Uint8Array | null> {
  if (bytes === undefined || bytes.byteLength === 0) return null;
  const { logBodyMaxBytes } = config;
  const redacted = (plain: Uint8Array): Uint8Array =>
    redactor.body(plain, header("content-type"), logBodyMaxBytes);
  const encoding = header("content-encoding");
  if (encoding === null || encoding.toLowerCase() === "identity") return redacted(bytes);
  return decodeAnswer(bytes, encoding, logBodyMaxBytes + OVERLAP_BYTES).then(
    (decoded) => (decoded.body === bytes ? null : redacted(decoded.body)),
    () => null,
  );
}

function statusOf(status: number | undefined, verdict: AnswerClass): ApiLogRow["status"] {
  if (verdict.action === "ok" || verdict.action === "ignore") return "SUCCESS";
  // A 408 of the provider is an answer; one that broke off at the deadline is none.
  if (verdict.code === "timeout" && (status === undefined || status < 400)) return "TIMEOUT";
  if (status !== undefined && status >= 400) return status < 500 ? "CLIENT_ERROR" : "SERVER_ERROR";
  return verdict.kind === "data" || verdict.kind === "limit" ? "CLIENT_ERROR" : "SERVER_ERROR";
}
