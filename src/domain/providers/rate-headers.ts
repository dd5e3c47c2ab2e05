import type { HeaderReader } from "./classify-answer.ts";
import type { ProviderManifest, RateHeader } from "./manifest-schema.ts";
import { readSpanMs } from "./read-time.ts";

/** What an answer told of one quota; what it did not tell is undefined. */
export interface ReportedQuota {
  quota: string;
  limit: number | undefined;
  remaining: number | undefined;
  resetAtMs: number | undefined;
}

/** Reads the headers by which a provider tells how much of its quotas is left. Quotas of which nothing is told are left out. */
export function readRateHeaders(
  manifest: Pick<ProviderManifest, "rateHeaders">,
  headers: HeaderReader,
  nowMs: number,
): ReportedQuota[] {
  return manifest.rateHeaders
    .map((rule) => readOne(rule, headers, nowMs))
    .filter(({ limit, remaining, resetAtMs }) => (limit ?? remaining ?? resetAtMs) !== undefined);
}

function readOne(rule: RateHeader, headers: HeaderReader, nowMs: number): ReportedQuota {
  const used = rule.used === undefined ? undefined : readUsed(headers.get(rule.used.header), rule.used.key);
  const reset = rule.reset === undefined ? null : headers.get(rule.reset.header);
  const spanMs = reset === null ? undefined : readSpanMs(reset, rule.reset!.format, nowMs);
  return {
    quota: rule.quota,
    limit: used?.limit ?? count(headers, rule.limit),
    remaining: used?.remaining ?? count(headers, rule.remaining),
    resetAtMs: spanMs === undefined ? undefined : nowMs + spanMs,
  };
}

/** A count: digits, or the first number of a list such as `100, 100;w=60`. Negative means nothing is left. */
function count(headers: HeaderReader, name: string | undefined): number | undefined {
  const text = name === undefined ? null : headers.get(name);
  const match = text === null ? null : /^\s*(-?\d{1,15})(?:\.\d+)?\s*(?:[,;]|$)/.exec(text);
  return match === null ? undefined : Math.max(0, Number(match[1]));
}

/** `api-usage=10018/100000; api-bursts=1/750`: used and limit by key. */
function readUsed(text: string | null, key: string): { limit: number; remaining: number } | undefined {
  for (const part of (text ?? "").split(/[;,]/)) {
    const [name, counts] = part.split("=", 2);
    if (name!.trim() !== key) continue;
    const match = /^\s*(\d{1,15})\/(\d{1,15})(?!\d)/.exec(counts ?? "");
    if (match === null) return undefined;
    const [used, limit] = [Number(match[1]), Number(match[2])];
    return { limit, remaining: Math.max(0, limit - used) };
  }
  return undefined;
}
