import { REDACTED } from "./secret-names.ts";

/** Shorter values would be found everywhere by chance. */
const SECRET_LENGTH_MIN = 6;

/** Credentials that tell themselves by their form. Each pattern is linear: it can begin only once in a run. */
const SELF_EVIDENT = [
  /\b(?:Bearer|Basic|Digest|Negotiate) +[A-Za-z0-9._~+/=-]{4,}/gi,
  /\bhub_[A-Za-z0-9_]{20,}/g,
  /\bwhs(?:ec|k)_[A-Za-z0-9+/=_-]{8,}/g,
  /\b[sr]k_(?:live|test)_[A-Za-z0-9]{8,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{16,}/g,
  /\bxox[abpsr]-[A-Za-z0-9-]{8,}/g,
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
];

/** What every one of the patterns needs; one look instead of seven at texts that hold none of it. */
const SELF_EVIDENT_HINT = /bearer|basic|digest|negotiate|hub_|whs[ek]|[sr]k_|gh[pousr]_|xox|eyj/i;

/** The shortest match, `Basic abcd`. */
const SELF_EVIDENT_LENGTH_MIN = 10;

const USERINFO = /:\/\/[^\s/?#@:]*:[^\s/?#@]*@/g;

/**
 * Removes known secret values, also where they stand base64- or URL-encoded, and credentials that tell themselves.
 *
 * @param secrets plain values; shorter than six characters are left to the rules by name
 * @returns a function from text to text, in time linear in the text for each secret
 */
export function createValueRedactor(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN).flatMap(encodedForms));
  // Longest first, so that a secret that begins with another one leaves no rest.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  const plain = [...new Set(secrets.filter((secret) => secret.length >= SECRET_LENGTH_MIN))].sort(
    (a, b) => b.length - a.length,
  );
  // A text without any of these has none of the forms: the others each hold one of them.
  const telling = ordered.filter((form) => !ordered.some((other) => other !== form && form.includes(other)));
  return (text) => {
    let result = text;
    if (telling.some((form) => text.includes(form)))
      for (const form of ordered) result = result.replaceAll(form, REDACTED);
    if (plain.length > 0 && ESCAPE_HINT.test(result)) result = redactEscaped(result, plain);
    if (result.length >= SELF_EVIDENT_LENGTH_MIN && SELF_EVIDENT_HINT.test(result)) {
      for (const pattern of SELF_EVIDENT) result = result.replace(pattern, REDACTED);
    }
    return result.includes("://") ? result.replace(USERINFO, `://${REDACTED}@`) : result;
  };
}

const ESCAPE_HINT = /\\[u/]|%[2-7]|&[#a-z]/i;
/** One character in JSON, in a URL and in XML; other serialisers escape more of them than ours. */
const ESCAPE =
  /\\u([0-9a-f]{4})|\\([/"\\])|%([2-7][0-9a-f])|&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|apos));/gi;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/**
 * Removes secrets of which some characters are escaped: `\/` (PHP), `\u002B` (.NET), `&amp;`, `%7E`.
 *
 * @param secrets longest first
 */
function redactEscaped(text: string, secrets: readonly string[]): string {
  let decoded = "";
  /** Where text and decoded text have run apart: behind each escape, the same place in both. */
  const marks: { decoded: number; text: number }[] = [{ decoded: 0, text: 0 }];
  let at = 0;
  for (const match of text.matchAll(ESCAPE)) {
    decoded += text.slice(at, match.index) + unescaped(match);
    at = match.index + match[0].length;
    marks.push({ decoded: decoded.length, text: at });
  }
  if (marks.length === 1) return text;
  decoded += text.slice(at);
  let result = "";
  let copiedTo = 0;
  for (const { start, end } of rangesOf(decoded, secrets)) {
    const from = placeOf(marks, start);
    result += text.slice(copiedTo, from) + REDACTED;
    copiedTo = placeOf(marks, end);
  }
  return result + text.slice(copiedTo);
}

function unescaped([, unit, plain, byte, decimal, hex, entity]: RegExpExecArray): string {
  if (plain !== undefined) return plain;
  if (entity !== undefined) return ENTITIES[entity.toLowerCase()]!;
  const code = decimal === undefined ? Number.parseInt((unit ?? byte ?? hex)!, 16) : Number(decimal);
  return code > 0x10ffff ? "" : String.fromCodePoint(code);
}

/** Where secrets stand, in order and apart from each other. */
function rangesOf(text: string, secrets: readonly string[]): { start: number; end: number }[] {
  const found = secrets.flatMap((secret) => {
    const ranges: { start: number; end: number }[] = [];
    for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + secret.length))
      ranges.push({ start: at, end: at + secret.length });
    return ranges;
  });
  const apart: { start: number; end: number }[] = [];
  for (const range of found.toSorted((a, b) => a.start - b.start)) {
    const last = apart.at(-1);
    if (last === undefined || range.start >= last.end) apart.push(range);
    else last.end = Math.max(last.end, range.end);
  }
  return apart;
}

/** The place in the text of one in the decoded text. */
function placeOf(marks: readonly { decoded: number; text: number }[], at: number): number {
  let [low, high] = [0, marks.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (marks[middle]!.decoded <= at) low = middle;
    else high = middle - 1;
  }
  return marks[low]!.text + at - marks[low]!.decoded;
}

/** A secret as it can stand in a text: plain, inside JSON, URL-encoded, and inside base64 at any of three offsets. */
function encodedForms(secret: string): string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  const encoded = encodeURIComponent(secret.toWellFormed());
  const plain = [secret, escaped, encoded, encoded.replace(/%20/g, "+"), lowerCaseEscapes(encoded)];
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // The first and last characters also carry bits of the neighbours.
    const start = offset === 0 ? 0 : offset + 1;
    const end = (bytes.length + offset) % 3 === 0 ? text.length : text.length - 1;
    const core = text.slice(start, end);
    return [core, core.replaceAll("+", "-").replaceAll("/", "_"), encodeURIComponent(core)];
  });
  return [...plain, ...base64.filter((form) => form.length >= SECRET_LENGTH_MIN)];
}

function lowerCaseEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
}
