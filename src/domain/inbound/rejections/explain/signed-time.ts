import { findJsonValues, pointerTokens } from "../../schemes/json-ranges.ts";
import { jsonString, utf8Text } from "../../schemes/read-place.ts";
import type { SignatureHeaders, SignatureRule, SignedRequest, TimeRule } from "../../schemes/scheme.ts";
import { compileTimeWindow } from "../../schemes/time-window.ts";
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
 */
export function readSignedTime(
  rule: SignatureRule,
  names: SignatureHeaders,
  { headers, rawBody, nowMs }: Pick<SignedRequest, "headers" | "rawBody" | "nowMs">,
  inHeader: string | undefined,
): SignedTime {
  const { time } = rule;
  if (time === undefined) return { text: "", causes: [] };
  if (time.pointer !== undefined) {
    const text = timeInBody(rawBody, time.pointer);
    return {
      text: "",
      causes: text === undefined ? [missing(`the body at ${time.pointer}`)] : judgeTime(text, time, nowMs),
    };
  }
  const header = names.timestamp;
  const received = header === undefined ? inHeader : headers.get(header);
  if (received === null || received === undefined || received === "") {
    // Without the signature's header the time in it is no second thing to miss.
    if (header === undefined && !headers.has(names.signature)) return { text: "", causes: [] };
    const name = header ?? names.signature;
    return { text: "", causes: [missing(`the header ${name}`, name)] };
  }
  const text = received.includes(", ") ? received.split(", ", 1)[0]! : received;
  const causes = judgeTime(text, time, nowMs, header);
  return { text, causes: text === received ? causes : [doubled(header!), ...causes] };
}

/**
 * What is wrong with a time of signing.
 *
 * @param nowMs when the request came
 * @param header the header that it stands in alone
 */
export function judgeTime(text: string, time: TimeRule, nowMs: number, header?: string): RejectionCause[] {
  const found = FORMS.find(([, form]) => form.test(text));
  const signedMs = found?.[2](text) ?? Number.NaN;
  if (found === undefined || Number.isNaN(signedMs)) return [malformed(time, header)];
  const ageSeconds = (nowMs - signedMs) / 1000;
  const late = clockOff(ageSeconds, time.toleranceSeconds);
  if (found[0] !== time.unit) {
    const isLate = Math.abs(ageSeconds) > time.toleranceSeconds;
    return [otherUnit(found[0], time.unit, header), ...(isLate ? [late] : [])];
  }
  const outside = compileTimeWindow(time)(text, nowMs);
  if (outside === undefined) return [];
  return outside === "malformed" ? [malformed(time, header)] : [late];
}

/** The number or string under a pointer that stands once. */
function timeInBody(rawBody: Uint8Array, pointer: string): string | undefined {
  const text = utf8Text(rawBody);
  const [range, second] = text === undefined ? [] : findJsonValues(text, pointerTokens(pointer));
  if (range === undefined || second !== undefined) return undefined;
  const source = text!.slice(range.start, range.end);
  return jsonString(source) ?? source;
}

/** The time of signing lies outside the tolerance; its age is negative in the future. */
function clockOff(ageSeconds: number, toleranceSeconds: number): RejectionCause {
  // As the verifier counts: from the second of the arrival.
  const seconds = Math.floor(ageSeconds);
  const by = `${Math.abs(seconds)} s`;
  const allowed = `, and ${toleranceSeconds} s are allowed`;
  const past = `The request was signed ${by} before it arrived${allowed}: the sender's clock is slow, the request was delayed on its way, or it is a repetition of an old one.`;
  const future = `The request was signed ${by} after it arrived${allowed}: the sender's clock is fast, or the hub's is slow.`;
  return {
    code: "clock_off",
    message: seconds > 0 ? past : future,
    action:
      "Synchronise the sender's clock (NTP) and check the hub's; have the request sent anew, because its time is signed. Where delays are normal raise `signatureSettings.toleranceSeconds`.",
    seconds,
  };
}

function missing(place: string, header?: string): RejectionCause {
  return {
    code: "timestamp_missing",
    message: `The time of signing is missing; it belongs into ${place}.`,
    action: "Have the sender add it, and check that no proxy removes it.",
    ...(header === undefined ? {} : { header }),
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
