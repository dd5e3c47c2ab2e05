import { decodeAnswer } from "../../platform/egress/decode-answer.ts";
import type { StreamedAnswer, StreamFailure } from "../../platform/egress/streamed-exchange.ts";
import { type AnswerClass, classifyAnswer, type HeaderReader } from "../providers/classify-answer.ts";
import type { ProviderManifest } from "../providers/manifest-schema.ts";

/** Bytes of an answer that its meaning may depend on. */
export const JUDGED_BYTES = 64 * 1024;

/** An answer's head, once for all who ask. */
export interface JudgedAnswer {
  verdict: AnswerClass;
  headers: HeaderReader;
}

/**
 * Finds out what an answer means. Its beginning is waited for where the meaning can depend on it, or where the whole of
 * it is short; what streams without end is passed on at once.
 */
export async function judgeAnswer(
  manifest: ProviderManifest,
  answer: StreamedAnswer,
  nowMs: number,
): Promise<JudgedAnswer> {
  const headers: HeaderReader = { get: (name) => answer.headers.get(name.toLowerCase()) };
  const body = needsBody(answer.status, headers) ? await beginningOf(answer, headers) : new Uint8Array(0);
  return { headers, verdict: classifyAnswer(manifest, { status: answer.status, headers, body }, nowMs) };
}

function needsBody(status: number, headers: HeaderReader): boolean {
  const type = (headers.get("content-type") ?? "").toLowerCase();
  if (type.startsWith("text/event-stream") || /\b(?:ndjson|json-seq|stream\+json)\b/.test(type)) return false;
  const length = headers.get("content-length");
  if (length !== null && Number(length) <= JUDGED_BYTES) return true;
  return status >= 400 || /json|xml|html/.test(type);
}

async function beginningOf(answer: StreamedAnswer, headers: HeaderReader): Promise<Uint8Array> {
  const bytes = await answer.peek(JUDGED_BYTES);
  const encoding = headers.get("content-encoding");
  if (encoding === null || bytes.byteLength === 0) return bytes;
  try {
    return (await decodeAnswer(bytes, encoding, JUDGED_BYTES)).body;
  } catch {
    // A bomb: its status has to do.
    return new Uint8Array(0);
  }
}

/** What it means that no answer came. */
export function judgeFailure(failure: StreamFailure): Exclude<AnswerClass, { action: "ok" }> {
  const { message } = failure;
  if (failure.kind === "timeout") return { action: "retry", kind: "outage", code: "timeout", message };
  const { code } = failure;
  if (failure.kind === "refused" || code === "dns_not_found")
    return { action: "fail", kind: "config", code, message };
  if (code === "request_invalid" || code === "aborted")
    return { action: "fail", kind: "data", code, message };
  return { action: "retry", kind: "outage", code, message };
}

/**
 * What a circuit is to hear: failures are 5xx, timeouts and lost connections; never 4xx, and never what a rule of the
 * manifest says is a limit or the caller's own fault.
 *
 * @param status undefined without a complete answer
 */
export function outcomeFor(verdict: AnswerClass, status: number | undefined): "success" | "failure" | "none" {
  if (status === undefined) {
    if (verdict.action === "ok") return "failure";
    const isOurs = verdict.kind === "data" || (verdict.kind === "config" && verdict.code !== "dns_not_found");
    return isOurs ? "none" : "failure";
  }
  if (verdict.action === "ok" || status < 300) {
    return verdict.action !== "ok" && verdict.kind === "outage" ? "failure" : "success";
  }
  if (status < 500 || verdict.kind === "limit" || verdict.kind === "data" || verdict.kind === "auth")
    return "success";
  return "failure";
}
