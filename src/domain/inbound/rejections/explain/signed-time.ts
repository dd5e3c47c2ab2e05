import type { SignatureHeaders, SignatureRule, TimeRule } from "../../schemes/scheme.ts";
import type { RejectionCause } from "../rejection-cause.ts";

/** The time that a request says it was signed at. */
export interface SignedTime {
  /** As it stands in the request; "" where there is none. */
  text: string;
  causes: readonly RejectionCause[];
}

const FORMS: readonly (readonly [unit: TimeRule["unit"], form: RegExp, readMs: (text: string) => number])[] =
  [
    ["seconds", /^[1-9]\d{9}$/, (text) => Number(text) * 1000],
    ["milliseconds", /^[1-9]\d{12}$/, Number],
    ["iso8601", /^\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})$/, Date.parse],
  ];

const UNIT_WORDS: Readonly<Record<TimeRule["unit"], string>> = {
  seconds: "Unix seconds (ten digits)",
  milliseconds: "Unix milliseconds (thirteen digits)",
  iso8601: "an ISO 8601 time in UTC",
};

/**
 * Reads the time of signing and judges it against the time of receipt.
 *
 * @param inHeader the time where it stands inside the signature header
 * @param nowMs when the request came
 */
export function readSignedTime(
  rule: SignatureRule,
  names: SignatureHeaders,
  headers: Headers,
  inHeader: string | undefined,
  nowMs: number,
): SignedTime {
  const { time } = rule;
  // A time in the body is judged by the verifier once the signature is right.
  if (time === undefined || time.pointer !== undefined) return { text: "", causes: [] };
  const header = names.timestamp;
  const received = header === undefined ? inHeader : headers.get(header);
  if (received === null || received === undefined || received === "") {
    return { text: "", causes: [missing(header ?? names.signature)] };
  }
  const text = received.includes(", ") ? received.split(", ", 1)[0]! : received;
  const found = FORMS.find(([, form]) => form.test(text));
  const signedMs = found?.[2](text) ?? Number.NaN;
  if (found === undefined || Number.isNaN(signedMs)) return { text, causes: [malformed(time, header)] };
  const causes: RejectionCause[] = [];
  if (text !== received) causes.push(doubled(header!));
  if (found[0] !== time.unit) causes.push(otherUnit(found[0], time.unit, header));
  const seconds = Math.round((nowMs - signedMs) / 1000);
  if (Math.abs(seconds) > time.toleranceSeconds) {
    const cause = seconds > 0 ? "timestamp_stale" : "timestamp_future";
    causes.push(clockOff(seconds, time.toleranceSeconds, cause));
  }
  return { text, causes };
}

/**
 * The time of signing lies outside the tolerance.
 *
 * @param seconds positive: in the past; undefined when it could not be read
 * @param toleranceSeconds undefined when it is the provider's own
 */
export function clockOff(
  seconds: number | undefined,
  toleranceSeconds: number | undefined,
  cause: "timestamp_stale" | "timestamp_future",
): RejectionCause {
  const by = seconds === undefined ? "too long" : `${Math.abs(seconds)} s`;
  const allowed = toleranceSeconds === undefined ? "" : `, and ${toleranceSeconds} s are allowed`;
  const past = `The request was signed ${by} before it arrived${allowed}: the sender's clock is slow, the request was delayed on its way, or it is a repetition of an old one.`;
  const future = `The request was signed ${by} after it arrived${allowed}: the sender's clock is fast, or the hub's is slow.`;
  return {
    code: "clock_off",
    message: cause === "timestamp_stale" ? past : future,
    action:
      "Synchronise the sender's clock (NTP) and check the hub's; have the request sent anew, because its time is signed. Where delays are normal raise `signatureSettings.toleranceSeconds`.",
    ...(seconds === undefined ? {} : { seconds }),
  };
}

function missing(header: string): RejectionCause {
  return {
    code: "timestamp_missing",
    message: `The time of signing is missing; it belongs into the header ${header}.`,
    action: "Have the sender add it, and check that no proxy removes it.",
    header,
  };
}

function malformed(time: TimeRule, header: string | undefined): RejectionCause {
  return {
    code: "timestamp_malformed",
    message: `The time of signing is not ${UNIT_WORDS[time.unit]}.`,
    action: "Have the sender write it in this form.",
    ...(header === undefined ? {} : { header }),
  };
}

function doubled(header: string): RejectionCause {
  return {
    code: "header_doubled",
    message: `The header ${header} stands twice.`,
    action: "Find the proxy that adds it once more, and let it replace the header or leave it alone.",
    header,
  };
}

function otherUnit(
  found: TimeRule["unit"],
  expected: TimeRule["unit"],
  header: string | undefined,
): RejectionCause {
  return {
    code: "timestamp_unit",
    message: `The time of signing is written as ${UNIT_WORDS[found]}, and expected as ${UNIT_WORDS[expected]}.`,
    action:
      "Set `signatureSettings.timestampUnit` to the sender's unit (scheme `hmac`), or have the sender change it.",
    ...(header === undefined ? {} : { header }),
  };
}
