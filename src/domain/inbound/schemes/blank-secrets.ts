import { findJsonValues, pointerTokens, type TextRange } from "./json-ranges.ts";
import { utf8Text } from "./read-place.ts";
import { ruleOf, type Scheme, type SchemeSettings, type SecretField } from "./scheme.ts";
import { findXmlValues } from "./xml-ranges.ts";

/** What stands in a stored body where a secret stood. */
export const BLANKED = "[redacted]";

interface Blank extends TextRange {
  replacement: string;
}

/**
 * Prepares the removal of secrets that a scheme's senders put into the body: the token that was compared, and further
 * fields that the scheme names. To be applied after verification, before anything is stored. All other bytes stay as
 * they were received.
 *
 * @returns undefined when no secret stands in the bodies of this endpoint
 */
export function compileBodyBlanking(
  scheme: Scheme,
  settings: SchemeSettings,
): ((rawBody: Uint8Array) => Uint8Array) | undefined {
  const rule = ruleOf(scheme, settings);
  const places: readonly SecretField[] = [
    ...(rule.kind === "token" && rule.isPublic !== true ? [rule.place] : []),
    ...(scheme.secretFields ?? []),
  ];
  const finders = places.map(compileFinder).filter((finder) => finder !== undefined);
  if (finders.length === 0) return undefined;
  return (rawBody) => {
    const text = utf8Text(rawBody);
    if (text === undefined) return rawBody;
    const blanks = finders.flatMap((find) => find(text)).sort((left, right) => left.start - right.start);
    return blanks.length === 0 ? rawBody : new TextEncoder().encode(blanked(text, blanks));
  };
}

function compileFinder(place: SecretField): ((text: string) => Blank[]) | undefined {
  if ("pointer" in place) {
    const tokens = pointerTokens(place.pointer);
    return (text) => findJsonValues(text, tokens).map((range) => ({ ...range, replacement: `"${BLANKED}"` }));
  }
  if ("xmlPath" in place) {
    return (text) =>
      (findXmlValues(text, place.xmlPath) ?? []).map(({ start, end }) => ({
        start,
        end,
        replacement: BLANKED,
      }));
  }
  return "form" in place ? (text) => findFormValues(text, place.form) : undefined;
}

/** Values of one field of an `application/x-www-form-urlencoded` body; none in a body that begins like JSON or XML. */
function findFormValues(text: string, field: string): Blank[] {
  if (/^\s*[{[<]/.test(text)) return [];
  const blanks: Blank[] = [];
  for (let from = 0; from <= text.length;) {
    const next = text.indexOf("&", from);
    const end = next < 0 ? text.length : next;
    const equals = text.indexOf("=", from);
    if (equals >= from && equals < end && formName(text.slice(from, equals)) === field) {
      blanks.push({ start: equals + 1, end, replacement: encodeURIComponent(BLANKED) });
    }
    from = end + 1;
  }
  return blanks;
}

function formName(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch {
    return encoded;
  }
}

function blanked(text: string, blanks: readonly Blank[]): string {
  let result = "";
  let from = 0;
  for (const { start, end, replacement } of blanks) {
    // Two places may name the same value, or one inside the other.
    if (start < from) continue;
    result += text.slice(from, start) + replacement;
    from = end;
  }
  return result + text.slice(from);
}
