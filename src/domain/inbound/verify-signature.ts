import { findJsonValues, pointerTokens } from "./schemes/json-ranges.ts";
import { jsonString, utf8Text } from "./schemes/read-place.ts";
import {
  type EventSource,
  ruleOf,
  type Scheme,
  type SchemeSettings,
  type Verifier,
} from "./schemes/scheme.ts";
import { compileSignatureRule } from "./schemes/verify-rule-signature.ts";
import { compileBasicRule, compileTokenRule } from "./schemes/verify-rule-token.ts";
import { findXmlValues } from "./schemes/xml-ranges.ts";

/**
 * Prepares the verification of one endpoint's requests; done once when the endpoint is cached. The verifier never
 * throws, and compares in constant time.
 *
 * @param settings columns of the endpoint, checked by `checkScheme` when they were saved
 * @param secrets the current secret first, then earlier ones that verify until they expire; empty only for `none`
 * @throws SchemeConfigurationError when a secret is missing, empty or not of the scheme's form: "no secret" must never
 * mean "everybody may send"
 */
export function compileVerifier(
  scheme: Scheme,
  settings: SchemeSettings,
  secrets: readonly string[],
): Verifier {
  const rule = ruleOf(scheme, settings);
  switch (rule.kind) {
    case "signature":
      return compileSignatureRule(rule, secrets);
    case "token":
      return compileTokenRule(rule, secrets);
    case "basic":
      return compileBasicRule(rule, secrets);
    case "none":
      return () => ({ ok: true });
  }
}

/** Reads an event's id or type; undefined when it is not there, is empty, or is neither text nor a number. */
export type SourceReader = (headers: Headers, rawBody: Uint8Array) => string | undefined;

/**
 * Prepares reading an event's id or type (DESIGN.md section 5 step 6).
 *
 * @param source a header, a JSON pointer into the body, an XML path, or the hash of the body; undefined reads nothing
 */
export function compileSource(source: EventSource | undefined): SourceReader {
  if (source === undefined) return () => undefined;
  if ("header" in source) {
    const { header, orHeader } = source;
    return (headers) =>
      storable(headers.get(header) ?? (orHeader === undefined ? null : headers.get(orHeader)));
  }
  if ("body" in source) return (_headers, rawBody) => Bun.SHA256.hash(rawBody, "hex");
  if ("xmlPath" in source) {
    return (_headers, rawBody) => {
      const text = utf8Text(rawBody);
      const [first] = (text === undefined ? undefined : findXmlValues(text, source.xmlPath)) ?? [];
      return storable(first?.value.trim());
    };
  }
  const tokens = pointerTokens(source.pointer);
  return (_headers, rawBody) => {
    const text = utf8Text(rawBody);
    const range = text === undefined ? undefined : findJsonValues(text, tokens).at(-1);
    return range === undefined ? undefined : scalar(text!.slice(range.start, range.end));
  };
}

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * The text of a JSON string or number. A number keeps its source: two ids above 2^53 would become one, and the second
 * event would vanish as a duplicate. A string that Postgres cannot hold (NUL, lone surrogates) stays escaped.
 */
function scalar(source: string): string | undefined {
  if (!source.startsWith('"')) return JSON_NUMBER.test(source) ? storable(source) : undefined;
  const text = jsonString(source);
  if (text === undefined || text === "") return undefined;
  return storable(text.includes("\0") || !text.isWellFormed() ? source : text);
}

/** Longer ids are real only by mistake, and every message carries its id. */
const SOURCE_LENGTH_MAX = 512;

function storable(text: string | null | undefined): string | undefined {
  if (text === null || text === undefined || text === "") return undefined;
  return text.length <= SOURCE_LENGTH_MAX ? text : `sha256:${Bun.SHA256.hash(text, "hex")}`;
}
