/** Values of fields, and what a step brings along. Empty text counts as no value. */
export type Values = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Why a request cannot be made of the values that there are. */
export class TemplateError extends Error {
  readonly code: "missing_value" | "value_invalid";
  readonly field: string;

  constructor(code: "missing_value" | "value_invalid", field: string, message: string) {
    super(message);
    this.name = "TemplateError";
    this.code = code;
    this.field = field;
  }
}

const PLACEHOLDER = /\{([a-z][A-Za-z0-9]{0,59})\}/g;
const OPTIONAL = /\[\[(.*?)\]\]/gs;

/** Makes a value safe for the place in which it stands. */
export type Escape = (value: string, field: string) => string;
const asItIs: Escape = (value) => value;

/** A field's value as text; undefined when there is none. */
export function valueOf(values: Values, field: string): string | undefined {
  const value = Object.hasOwn(values, field) ? values[field] : undefined;
  return value === undefined || value === null || value === "" ? undefined : String(value);
}

/**
 * Fills a template in one pass: what a value holds is never read as a placeholder again.
 *
 * @param escape what the place asks for: a path segment, XML text, …
 * @throws TemplateError `missing_value` for a placeholder outside `[[…]]` that has no value
 */
export function fillTemplate(template: string, values: Values, escape: Escape = asItIs): string {
  const fill = (part: string): string =>
    part.replaceAll(PLACEHOLDER, (_, field: string) => {
      const value = valueOf(values, field);
      if (value === undefined)
        throw new TemplateError("missing_value", field, `The field "${field}" has no value`);
      return escape(value, field);
    });
  let filled = "";
  let end = 0;
  for (const match of template.matchAll(OPTIONAL)) {
    filled += fill(template.slice(end, match.index));
    const inner = match[1]!;
    if (placeholdersOf(inner).every((field) => valueOf(values, field) !== undefined)) filled += fill(inner);
    end = match.index + match[0].length;
  }
  return filled + fill(template.slice(end));
}

/** Names of the fields that a template asks for, each once; those in `[[…]]` too. */
export function placeholdersOf(template: string): string[] {
  return [...new Set(Array.from(template.matchAll(PLACEHOLDER), (match) => match[1]!))];
}

/** Fills all texts in a JSON value; keys are taken as they are. */
export function fillJson(value: unknown, values: Values): unknown {
  if (typeof value === "string") return fillTemplate(value, values);
  if (Array.isArray(value)) return value.map((item) => fillJson(item, values));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillJson(item, values)]));
}

/** All texts in a JSON value, with the JSON pointer of each. */
export function textsIn(value: unknown, at = ""): { text: string; at: string }[] {
  if (typeof value === "string") return [{ text: value, at }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => textsIn(item, `${at}/${escapeToken(key)}`));
}

/** One token of a JSON pointer (RFC 6901 section 4). */
export function escapeToken(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A value as text of an XML element or attribute; characters that XML 1.0 cannot hold are refused. */
export const xmlEscape: Escape = (value, field) => {
  // oxlint-disable-next-line no-control-regex -- XML 1.0 section 2.2 forbids them
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(value) || !value.isWellFormed())
    throw new TemplateError("value_invalid", field, `The field "${field}" holds what XML cannot`);
  return value
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");
};

/** A value as one segment of a path: no slash, no dot segment, no control character gets through. */
export const segmentEscape: Escape = (value, field) => {
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  if (/^\.{1,2}$/.test(value) || /[\u0000-\u001f\u007f]/.test(value) || !value.isWellFormed())
    throw new TemplateError("value_invalid", field, `The field "${field}" cannot stand in a path`);
  return encodeURIComponent(value);
};

/** A value that is a path itself: segments as they are, which `buildUrl` judges; no query can begin in it. */
export const pathEscape: Escape = (value, field) => {
  if (/[?#]/.test(value))
    throw new TemplateError("value_invalid", field, `The field "${field}" is a path and holds no ? or #`);
  return value.replace(/^\//, "");
};

/**
 * Fills the value of a header field (RFC 9110 section 5.5): printable ASCII and tabs, which is what the sender takes.
 *
 * @throws TemplateError `value_invalid` when a value could end the header or begin another one
 */
export function fillHeader(template: string, values: Values): string {
  return fillTemplate(template, values, (value, field) => {
    if (!/^[\t\x20-\x7e]*$/.test(value))
      throw new TemplateError("value_invalid", field, `The field "${field}" cannot stand in a header`);
    return value;
  }).trim();
}
