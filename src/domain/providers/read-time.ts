import type { TimeFormat } from "./request-schema.ts";

/** A wait longer than this is read as this: a typing error of a provider must not park calls for years. */
const SPAN_MS_MAX = 31 * 86_400_000;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
/** IMF-fixdate, RFC 850 and asctime (RFC 9110 section 5.6.7). */
const HTTP_DATE = new RegExp(
  `^(?:[A-Z][a-z]{2,8},? )(?:\\d{2}[ -](?:${MONTHS})[ -]\\d{2,4} \\d{2}:\\d{2}:\\d{2} GMT|(?:${MONTHS}) [ \\d]\\d \\d{2}:\\d{2}:\\d{2} \\d{4})$`,
);
const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})$/;
const NUMBER = /^\d{1,16}(?:\.\d{1,9})?$/;

/**
 * Reads a time of an answer as a span from now.
 *
 * @param format how the provider writes it; `any`: in whichever of the forms it can be told apart (Retry-After)
 * @returns milliseconds from now, 0 or more, 31 days at most; undefined when it is none
 */
export function readSpanMs(text: string, format: TimeFormat | "any", nowMs: number): number | undefined {
  const span = spanOf(text.trim(), format, nowMs);
  if (span === undefined || !Number.isFinite(span)) return undefined;
  return Math.min(Math.max(0, Math.ceil(span)), SPAN_MS_MAX);
}

function spanOf(text: string, format: TimeFormat | "any", nowMs: number): number | undefined {
  switch (format) {
    case "delta_s":
      return numberOf(text, 1_000);
    case "delta_ms":
      return numberOf(text, 1);
    case "epoch_s":
      return fromNow(numberOf(text, 1_000), nowMs);
    case "epoch_ms":
      return fromNow(numberOf(text, 1), nowMs);
    case "http_date":
      return fromNow(httpDate(text), nowMs);
    case "iso8601":
      return fromNow(isoDate(text), nowMs);
    case "duration":
      return duration(text);
    case "any":
      return anySpan(text, nowMs);
  }
}

/** Seconds in the year 2001 and after, in seconds and in milliseconds: nobody waits that long, so they are times. */
const EPOCH_S_MIN = 1_000_000_000;
const EPOCH_MS_MIN = 1_000_000_000_000;

function anySpan(text: string, nowMs: number): number | undefined {
  const number = numberOf(text, 1);
  if (number !== undefined) {
    if (number >= EPOCH_MS_MIN) return number - nowMs;
    return number >= EPOCH_S_MIN ? number * 1_000 - nowMs : number * 1_000;
  }
  return fromNow(httpDate(text) ?? isoDate(text), nowMs) ?? duration(text);
}

function numberOf(text: string, factor: number): number | undefined {
  return NUMBER.test(text) ? Number(text) * factor : undefined;
}

function fromNow(atMs: number | undefined, nowMs: number): number | undefined {
  return atMs === undefined ? undefined : atMs - nowMs;
}

function httpDate(text: string): number | undefined {
  if (!HTTP_DATE.test(text)) return undefined;
  // asctime names no zone and means GMT; left to itself the parser takes the machine's own.
  const atMs = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(atMs) ? undefined : atMs;
}

function isoDate(text: string): number | undefined {
  if (!ISO.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** `6m0s`, `1.5s`, `250ms`, or ISO 8601 as in `PT1M30S`. */
function duration(text: string): number | undefined {
  const plain = text.replace(/^P?T?(?=\d)/i, "").toLowerCase();
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[dhms]))+$/.test(plain)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of plain.matchAll(/([\d.]+)(ms|[dhms])/g))
    sum += Number(amount) * UNIT_MS[unit!]!;
  return sum;
}
