import { type FormField, readFormFields } from "./schemes/form-fields.ts";
import { findJsonValues, pointerTokens, withoutByteOrderMark } from "./schemes/json-ranges.ts";
import { jsonString, utf8Text } from "./schemes/read-place.ts";
import {
  type EventSource,
  ruleOf,
  type Scheme,
  type SchemeSettings,
  type Verifier,
} from "./schemes/scheme.ts";
import { compileCertificateRule } from "./schemes/verify-rule-certificate.ts";
import { compileComposedRule } from "./schemes/verify-rule-composed.ts";
import { compileJwtRule } from "./schemes/verify-rule-jwt.ts";
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
    case "composed":
      return compileComposedRule(rule, secrets);
    case "certificate":
      return compileCertificateRule(rule, secrets);
    case "jwt":
      return compileJwtRule(rule, secrets);
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
 * @param source a header, JSON pointers into the body, a form field, an XML path, the hash of the body, or the request
 * itself; undefined reads nothing
 */
export function compileSource(source: EventSource | undefined): SourceReader {
  if (source === undefined) return () => undefined;
  if ("header" in source) {
    const { header, orHeader } = source;
    return (headers) =>
      storable(headers.get(header) ?? (orHeader === undefined ? null : headers.get(orHeader)));
  }
  if ("unique" in source) return () => crypto.randomUUID();
  if ("body" in source) return (_headers, rawBody) => Bun.SHA256.hash(rawBody, "hex");
  if ("xmlPath" in source) {
    return (_headers, rawBody) => {
      const text = utf8Text(rawBody);
      const found = (text === undefined ? undefined : findXmlValues(text, source.xmlPath)) ?? [];
      return storable([...new Set(found.map(({ value }) => value.trim()))].join(","));
    };
  }
  if ("form" in source) return formReader(source.form);
  if ("pointers" in source) return compositeReader(source);
  const read = pointerReader(source.pointer);
  const { orForm } = source;
  if (orForm !== undefined) {
    // Never both: a form in which JSON is hidden would carry an id beside the one that was verified.
    return (headers, rawBody) => {
      const fields = readFormFields(headers.get("content-type"), rawBody);
      return fields === undefined ? read(rawBody) : formValue(fields, orForm);
    };
  }
  if (source.orPointer === undefined) return (_headers, rawBody) => read(rawBody);
  const readOther = pointerReader(source.orPointer);
  return (_headers, rawBody) => read(rawBody) ?? readOther(rawBody);
}

function formReader(field: string): SourceReader {
  return (headers, rawBody) => formValue(readFormFields(headers.get("content-type"), rawBody) ?? [], field);
}

function formValue(fields: readonly FormField[], field: string): string | undefined {
  const value = fields.find(([name]) => name === field)?.[1];
  return value === undefined ? undefined : storableString(value);
}

/** Several values of a body as one text; undefined when none of them is there. */
function compositeReader(source: Extract<EventSource, { pointers: readonly string[] }>): SourceReader {
  const parts = source.pointers.map(pointerTokens);
  const each = source.each === undefined ? undefined : pointerTokens(source.each);
  const textOf = (value: unknown): string | undefined => {
    const texts = parts.map((tokens) => valueAt(value, tokens)).map(scalarText);
    return texts.every((text) => text === "") ? undefined : texts.join(source.joinedBy);
  };
  const read = (rawBody: Uint8Array): string | undefined => {
    const document = parsedBody(rawBody);
    if (each === undefined) return storableString(textOf(document) ?? "");
    const elements = valueAt(document, each);
    if (!Array.isArray(elements)) return undefined;
    const texts = elements.map(textOf).filter((text) => text !== undefined);
    return storableString([...new Set(texts)].join(","));
  };
  if (source.orBody === undefined) return (_headers, rawBody) => read(rawBody);
  return (_headers, rawBody) => read(rawBody) ?? Bun.SHA256.hash(rawBody, "hex");
}

function scalarText(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function pointerReader(pointer: string): (rawBody: Uint8Array) => string | undefined {
  const tokens = pointerTokens(pointer);
  return (rawBody) => {
    if (rawBody.byteLength <= PARSED_BYTES_MAX) {
      const found = valueAt(parsedBody(rawBody), tokens);
      if (typeof found === "string") return storableString(found);
      if (typeof found !== "number") return undefined;
    }
    return scannedScalar(rawBody, tokens);
  };
}

/** Parsing builds the whole document; above this a scan that builds nothing is kinder to the process. */
const PARSED_BYTES_MAX = 64 * 1024;

/** The body parsed last: id and type of one event are read one after the other. */
let lastBody: Uint8Array | undefined;
let lastDocument: unknown;

/** The body as JSON; undefined when it is none. */
function parsedBody(rawBody: Uint8Array): unknown {
  if (rawBody === lastBody) return lastDocument;
  lastBody = rawBody;
  lastDocument = undefined;
  const text = utf8Text(rawBody);
  try {
    if (text !== undefined) lastDocument = JSON.parse(withoutByteOrderMark(text)) as unknown;
  } catch {
    // What is no JSON has no id; the worker says so when it processes the event.
  }
  return lastDocument;
}

const ARRAY_INDEX = /^(0|[1-9]\d*)$/;

function valueAt(document: unknown, tokens: readonly string[]): unknown {
  let value = document;
  for (const token of tokens) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, token)) return undefined;
    if (Array.isArray(value) && !ARRAY_INDEX.test(token)) return undefined;
    value = (value as Record<string, unknown>)[token];
  }
  return value;
}

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/**
 * The string or number under a pointer. A number keeps its source text: as doubles two ids above 2^53 could become one,
 * and the second event would vanish as a duplicate.
 */
function scannedScalar(rawBody: Uint8Array, tokens: readonly string[]): string | undefined {
  const text = utf8Text(rawBody);
  const range = text === undefined ? undefined : findJsonValues(text, tokens).at(-1);
  if (range === undefined) return undefined;
  const source = text!.slice(range.start, range.end);
  if (JSON_NUMBER.test(source)) return storable(source);
  const string = jsonString(source);
  return string === undefined ? undefined : storableString(string);
}

/** A string that Postgres cannot hold (NUL, lone surrogates) stays as JSON writes it. */
function storableString(text: string): string | undefined {
  if (text === "") return undefined;
  return storable(text.includes("\0") || !text.isWellFormed() ? JSON.stringify(text) : text);
}

/** Longer ids are real only by mistake, and every message carries its id. */
const SOURCE_LENGTH_MAX = 512;

function storable(text: string | null | undefined): string | undefined {
  if (text === null || text === undefined || text === "") return undefined;
  return text.length <= SOURCE_LENGTH_MAX ? text : `sha256:${Bun.SHA256.hash(text, "hex")}`;
}
