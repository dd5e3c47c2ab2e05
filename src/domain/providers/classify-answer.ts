import { getPointer } from "../../platform/json/pointer.ts";
import type {
  ANSWER_ACTIONS,
  ANSWER_KINDS,
  ClassificationRule,
  ProviderManifest,
} from "./manifest-schema.ts";
import { readSpanMs } from "./read-time.ts";

export type AnswerAction = (typeof ANSWER_ACTIONS)[number];
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** What an answer means. `ok`: it did what was asked for. */
export type AnswerClass =
  | { action: "ok" }
  | {
      action: AnswerAction;
      kind: AnswerKind;
      code: string;
      /** For people; the provider's own words where the manifest says where they stand. */
      message: string;
      /** When to come again, in milliseconds from now; undefined when nobody says. */
      retryAfterMs?: number;
    };

/** An answer, as far as its meaning goes. */
export interface Answer {
  status: number;
  headers: HeaderReader;
  /** The first 64 KB, decoded. */
  body: Uint8Array;
}

/** Looks a header up by its name in any case; null when it is missing. */
export type HeaderReader = Pick<Headers, "get">;

const MESSAGE_MAX = 500;

type Rules = Pick<ProviderManifest, "classification" | "answerType" | "retryAfter">;

/** Judges an answer: by the manifest's rules in their order, then by what its status means everywhere. */
export function classifyAnswer(manifest: Rules, answer: Answer, nowMs: number): AnswerClass {
  const document = lazyDocument(answer);
  const rule = manifest.classification.find((candidate) => fits(candidate, answer, document));
  if (rule !== undefined) return judged(manifest, rule, { answer, document, nowMs });
  if (isErrorPage(manifest, answer)) {
    return {
      action: "retry",
      kind: "outage",
      code: "html_answer",
      message: "The provider answered an HTML page where JSON was expected",
      ...waitOf(manifest, answer, nowMs),
    };
  }
  return general(manifest, answer, nowMs);
}

function general(manifest: Rules, answer: Answer, nowMs: number): AnswerClass {
  const { status } = answer;
  if (status < 300) return { action: "ok" };
  // Not modified: the answer to a conditional request (RFC 9110 section 15.4.5).
  if (status === 304) return { action: "ok" };
  const wait = waitOf(manifest, answer, nowMs);
  const message = `The provider answered ${status}`;
  if (status < 400) return { action: "fail", kind: "config", code: "redirected", message };
  if (status === 401) return { action: "refresh_then_retry", kind: "auth", code: "unauthorized", message };
  if (status === 403) return { action: "fail", kind: "auth", code: "forbidden", message };
  if (status === 407) return { action: "fail", kind: "config", code: "proxy_auth_required", message };
  if (status === 408 || status === 425)
    return { action: "retry", kind: "outage", code: "timeout", message, ...wait };
  if (status === 429)
    return { action: "rate_limited", kind: "limit", code: "rate_limited", message, ...wait };
  if (status === 404 || status === 405 || status === 410)
    return { action: "fail", kind: "data", code: "not_found", message };
  if (status < 500) return { action: "fail", kind: "data", code: "refused", message };
  // What the server does not do at all it will not do the next time either.
  if (status === 501 || status === 505)
    return { action: "fail", kind: "config", code: "not_implemented", message };
  return { action: "retry", kind: "outage", code: "server_error", message, ...wait };
}

interface Judging {
  answer: Answer;
  document: () => unknown;
  nowMs: number;
}

function judged(manifest: Rules, rule: ClassificationRule, judging: Judging): AnswerClass {
  const { answer, document, nowMs } = judging;
  const told = waitOf(manifest, answer, nowMs);
  const assumed =
    rule.retryAfterSeconds === undefined ? {} : { retryAfterMs: rule.retryAfterSeconds * 1_000 };
  return {
    action: rule.action,
    kind: rule.kind,
    code: rule.code,
    message: messageOf(rule, answer, document),
    ...(told.retryAfterMs === undefined ? assumed : told),
  };
}

function messageOf(
  { message, code }: ClassificationRule,
  { status }: Answer,
  document: () => unknown,
): string {
  const fallback = `The provider answered ${status} (${code})`;
  if (message === undefined) return fallback;
  if ("text" in message) return message.text;
  const found = getPointer(document(), message.pointer);
  return typeof found === "string" && found !== "" ? found.slice(0, MESSAGE_MAX) : fallback;
}

function fits(rule: ClassificationRule, answer: Answer, document: () => unknown): boolean {
  if (rule.status !== undefined && !rule.status.some((status) => isStatus(status, answer.status)))
    return false;
  if (rule.header !== undefined) {
    const value = answer.headers.get(rule.header.name);
    if (value === null) return false;
    const wanted = rule.header.equals;
    if (wanted !== undefined && !wanted.some((text) => text.toLowerCase() === value.trim().toLowerCase()))
      return false;
  }
  return rule.body === undefined || fitsBody(rule.body, document());
}

function isStatus(wanted: number | string, status: number): boolean {
  return typeof wanted === "number" ? wanted === status : Number(wanted[0]) === Math.floor(status / 100);
}

function fitsBody(rule: NonNullable<ClassificationRule["body"]>, document: unknown): boolean {
  const value = getPointer(document, rule.pointer);
  if (value === undefined || value === null) return false;
  if (rule.equals !== undefined) return rule.equals.some((wanted) => wanted === value);
  if (rule.contains !== undefined)
    return typeof value === "string" && value.toLowerCase().includes(rule.contains.toLowerCase());
  return true;
}

/** The body as JSON, read once and only when a rule asks; undefined when it is none or was cut. */
function lazyDocument({ body }: Answer): () => unknown {
  let read: { value: unknown } | undefined;
  return () => {
    read ??= { value: parse(body) };
    return read.value;
  };
}

function parse(body: Uint8Array): unknown {
  if (body.byteLength === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { ignoreBOM: false }).decode(body));
  } catch {
    return undefined;
  }
}

/** A maintenance page, a captive portal or a log-in form: HTML by its type, or by how it begins. */
function isErrorPage({ answerType }: Rules, { headers, body, status }: Answer): boolean {
  // Of other answers the status says more; an empty one says nothing.
  if (answerType !== "json" || status >= 300 || body.byteLength === 0) return false;
  const type = (headers.get("content-type") ?? "").toLowerCase();
  if (/^(?:text\/html|application\/xhtml\+xml)\b/.test(type)) return true;
  return (
    type === "" && /^\s*<(?:!doctype\s+html|html)\b/i.test(new TextDecoder().decode(body.subarray(0, 256)))
  );
}

/** When the provider says to come again: Retry-After in any form, else the headers that the manifest names. */
function waitOf({ retryAfter }: Rules, { headers }: Answer, nowMs: number): { retryAfterMs?: number } {
  const standard = headers.get("retry-after");
  const spanMs = standard === null ? undefined : readSpanMs(standard, "any", nowMs);
  if (spanMs !== undefined) return { retryAfterMs: spanMs };
  for (const { header, format } of retryAfter ?? []) {
    const text = headers.get(header);
    const found = text === null ? undefined : readSpanMs(text, format, nowMs);
    if (found !== undefined) return { retryAfterMs: found };
  }
  return {};
}
