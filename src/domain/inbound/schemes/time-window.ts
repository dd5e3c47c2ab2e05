import type { SignatureCause, TimeRule } from "./scheme.ts";

const FORMS = { seconds: /^[1-9]\d{9}$/, milliseconds: /^[1-9]\d{12}$/ } as const;

/**
 * Prepares the check of a signed time: exactly ten digits of seconds or thirteen of milliseconds, because a lenient
 * parser would read `1614265330abc`, and within the tolerance to both sides.
 */
export function compileTimeWindow(
  rule: TimeRule,
): (text: string, nowMs: number) => SignatureCause | undefined {
  const form = FORMS[rule.unit];
  const unitMs = rule.unit === "seconds" ? 1000 : 1;
  const toleranceMs = rule.toleranceSeconds * 1000;
  return (text, nowMs) => {
    if (!form.test(text)) return "malformed";
    // In the sender's unit: a time of this very second is neither past nor future.
    const ageMs = (Math.floor(nowMs / unitMs) - Number(text)) * unitMs;
    if (ageMs > toleranceMs) return "timestamp_stale";
    return ageMs < -toleranceMs ? "timestamp_future" : undefined;
  };
}
