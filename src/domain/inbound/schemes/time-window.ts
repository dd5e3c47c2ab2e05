import type { SignatureCause, TimeRule } from "./scheme.ts";

const UNITS: Record<TimeRule["unit"], { form: RegExp; unitMs: number; read: (text: string) => number }> = {
  seconds: { form: /^[1-9]\d{9}$/, unitMs: 1000, read: Number },
  milliseconds: { form: /^[1-9]\d{12}$/, unitMs: 1, read: Number },
  iso8601: {
    form: /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/,
    unitMs: 1000,
    read: (text) => Date.parse(text) / 1000,
  },
};

/**
 * Prepares the check of a signed time: exactly ten digits of seconds, thirteen of milliseconds, or a time with
 * its offset, because a lenient parser would read `1614265330abc`, and within the tolerance to both sides.
 */
export function compileTimeWindow(
  rule: TimeRule,
): (text: string, nowMs: number) => SignatureCause | undefined {
  const { form, unitMs, read } = UNITS[rule.unit];
  const toleranceMs = rule.toleranceSeconds * 1000;
  return (text, nowMs) => {
    if (!form.test(text)) return "malformed";
    // In the sender's unit: a time of this very second is neither past nor future.
    const ageMs = (Math.floor(nowMs / unitMs) - read(text)) * unitMs;
    if (Number.isNaN(ageMs)) return "malformed";
    if (ageMs > toleranceMs) return "timestamp_stale";
    return ageMs < -toleranceMs ? "timestamp_future" : undefined;
  };
}
