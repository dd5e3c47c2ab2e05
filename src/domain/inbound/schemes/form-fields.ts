import { utf8Text } from "./read-place.ts";

/** A field's name and value, decoded. */
export type FormField = readonly [name: string, value: string];

const FIELDS_MAX = 1000;

/**
 * Reads the text fields of a form in order: `application/x-www-form-urlencoded` (URL standard), or the parts of
 * `multipart/form-data` (RFC 7578) that are no files. Strict, because what is read here is signed: a body that two
 * readers could take differently is none.
 *
 * @returns undefined when the body is not a form of the type that its Content-Type names
 */
export function readFormFields(contentType: string | null, rawBody: Uint8Array): FormField[] | undefined {
  const [type = "", ...parameters] = (contentType ?? "").split(";").map((part) => part.trim());
  if (type.toLowerCase() === "application/x-www-form-urlencoded") return readUrlEncoded(rawBody);
  if (type.toLowerCase() !== "multipart/form-data") return undefined;
  const boundary = parameters.map((text) => /^boundary="?([^"]{1,70})"?$/i.exec(text)?.[1]).find(Boolean);
  return boundary === undefined ? undefined : readMultipart(boundary, rawBody);
}

function readUrlEncoded(rawBody: Uint8Array): FormField[] | undefined {
  const text = utf8Text(rawBody);
  if (text === undefined) return undefined;
  if (text === "") return [];
  const pairs = text.split("&");
  if (pairs.length > FIELDS_MAX) return undefined;
  const fields: FormField[] = [];
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals < 1) return undefined;
    const name = decodePercent(pair.slice(0, equals));
    const value = decodePercent(pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    fields.push([name, value]);
  }
  return fields;
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

const DISPOSITION = /^content-disposition:\s*form-data\s*;\s*name="([^"\r\n]*)"\s*$/im;

function readMultipart(boundary: string, rawBody: Uint8Array): FormField[] | undefined {
  // Latin-1 keeps one character a byte, so that files of any bytes can stand beside the fields.
  const parts = Buffer.from(rawBody).toString("latin1").split(`--${boundary}`);
  if (parts.length < 3 || parts.length > FIELDS_MAX || !parts.at(-1)!.startsWith("--")) return undefined;
  const fields: FormField[] = [];
  for (const part of parts.slice(1, -1)) {
    const headEnd = part.indexOf("\r\n\r\n");
    if (!part.startsWith("\r\n") || !part.endsWith("\r\n") || headEnd < 0) return undefined;
    const name = DISPOSITION.exec(part.slice(0, headEnd))?.[1];
    if (name === undefined) continue;
    const value = utf8Text(Buffer.from(part.slice(headEnd + 4, -2), "latin1"));
    if (value === undefined) return undefined;
    fields.push([name, value]);
  }
  return fields;
}

/** The value of a field that stands exactly once. */
export function onlyField(fields: readonly FormField[], name: string): string | undefined {
  const found = fields.filter(([field]) => field === name);
  return found.length === 1 ? found[0]![1] : undefined;
}
