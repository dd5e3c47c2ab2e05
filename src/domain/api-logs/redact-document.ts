import { isSecretName, REDACTED } from "./secret-names.ts";

type ExtraNames = ReadonlySet<string> | undefined;

/**
 * Blanks the values of secret fields in JSON text, at any depth and in one pass, and leaves every other character as
 * it is. Works on broken and cut documents too: it never parses the whole, so depth and size cannot hurt it.
 */
export function redactJsonText(text: string, extra?: ExtraNames): string {
  let result = "";
  let copiedTo = 0;
  let at = 0;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    if (quote < 0) break;
    const end = endOfString(text, quote);
    const valueStart = startOfValue(text, end);
    if (valueStart < 0) {
      const inner = redactInner(text.slice(quote, end), extra);
      if (inner !== undefined) {
        result += text.slice(copiedTo, quote) + inner;
        copiedTo = end;
      }
      at = end;
      continue;
    }
    if (!isSecretName(decodeName(text.slice(quote + 1, end - 1)), "document", extra)) {
      at = end;
      continue;
    }
    const valueEnd = endOfValue(text, valueStart);
    if (text.startsWith("null", valueStart) || valueEnd === valueStart) {
      at = Math.max(valueEnd, end);
      continue;
    }
    result += `${text.slice(copiedTo, valueStart)}"${REDACTED}"`;
    copiedTo = valueEnd;
    at = valueEnd;
  }
  return result + text.slice(copiedTo);
}

/** A document that stands as text in a string, as messages of queues carry it. */
const INNER_DOCUMENT = /^"\s*[[{].*\\"/s;

/**
 * Blanks the secret fields of a document inside a string.
 *
 * @param literal with its quotes
 * @returns the string anew; undefined when it holds no document, or one without secrets
 */
function redactInner(literal: string, extra: ExtraNames): string | undefined {
  if (!INNER_DOCUMENT.test(literal)) return undefined;
  const isWhole = literal.endsWith('"');
  const raw = literal.slice(1, isWhole ? -1 : undefined);
  const inner = isWhole ? decodeName(raw) : raw.replaceAll(/\\(.)/g, "$1");
  const shown = redactJsonText(inner, extra);
  return shown === inner ? undefined : JSON.stringify(shown);
}

/** Index behind the closing quote, or the end of a cut text. */
function endOfString(text: string, quote: number): number {
  for (let at = quote + 1; at < text.length;) {
    const next = text.indexOf('"', at);
    if (next < 0) return text.length;
    let escapes = next;
    while (escapes > at && text.charCodeAt(escapes - 1) === 0x5c) escapes--;
    // An even number of backslashes are characters themselves.
    if ((next - escapes) % 2 === 0) return next + 1;
    at = next + 1;
  }
  return text.length;
}

/** Index of the value when a colon follows the string that ends at `end`; -1 when that string is no name. */
function startOfValue(text: string, end: number): number {
  let at = end;
  while (isSpace(text.charCodeAt(at))) at++;
  if (text.charCodeAt(at) !== 0x3a) return -1;
  at++;
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== "{" && first !== "[") {
    let at = start;
    while (at < text.length && !",}] \t\r\n".includes(text[at]!)) at++;
    return at;
  }
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const unit = text[at];
    if (unit === '"') at = endOfString(text, at) - 1;
    else if (unit === "{" || unit === "[") depth++;
    else if ((unit === "}" || unit === "]") && --depth === 0) return at + 1;
  }
  return text.length;
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** Text with escapes is decoded: `pass\u0077ord` is a password too. */
function decodeName(raw: string): string {
  if (!raw.includes("\\")) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

/** Blanks the values of secret names in `a=1&b=2`; names are compared decoded, the rest stays as it is. */
export function redactFormText(text: string, extra?: ExtraNames): string {
  return text
    .split("&")
    .map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 0 || !isSecretName(decodeFormName(pair.slice(0, equals)), "query", extra)) return pair;
      return `${pair.slice(0, equals)}=${REDACTED}`;
    })
    .join("&");
}

function decodeFormName(raw: string): string {
  try {
    return decodeURIComponent(raw.replaceAll("+", " "));
  } catch {
    return raw;
  }
}

/** Comments, CDATA sections, instructions and tags; a tag's attributes may hold any character between their quotes. */
const XML_MARKUP =
  /<!--[^]*?(?:-->|$)|<!\[CDATA\[[^]*?(?:\]\]>|$)|<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>?/g;
// The look-behind keeps it linear: a long word without "=" is tried once, not from each of its characters.
const XML_ATTRIBUTE = /(?<![\w:.-])([A-Za-z_][\w:.-]*)(\s*=\s*)("[^"]*"|'[^']*')/g;
const XML_NAME = /^<([A-Za-z_][\w:.-]*)/;

/** Blanks the text of secret elements and the values of secret attributes; nested elements are judged by their own names. */
export function redactXmlText(text: string, extra?: ExtraNames): string {
  let result = "";
  let at = 0;
  let isSecret = false;
  const blank = (part: string): string => (isSecret && part.trim() !== "" ? REDACTED : part);
  for (const { 0: markup, index } of text.matchAll(XML_MARKUP)) {
    result += blank(text.slice(at, index));
    at = index + markup.length;
    if (markup.startsWith("<![CDATA[")) {
      result += isSecret ? `<![CDATA[${REDACTED}]]>` : markup;
      continue;
    }
    const name = XML_NAME.exec(markup)?.[1];
    // A comment or an instruction in a secret's text does not end it; a closing tag does.
    if (name !== undefined) isSecret = isSecretName(localName(name), "document", extra);
    else if (markup.startsWith("</")) isSecret = false;
    result +=
      name === undefined
        ? markup
        : markup.replace(XML_ATTRIBUTE, (pair, attribute: string, equals: string) =>
            isSecretName(localName(attribute), "document", extra)
              ? `${attribute}${equals}"${REDACTED}"`
              : pair,
          );
  }
  return result + blank(text.slice(at));
}

/** The line that names a part; no longer than anybody writes it, so that a search for its end stays short. */
const PART_LINE = /^content-disposition:[^\r\n]{0,1000}\r?$/gim;
const PART_NAME = /[;\s]name="?([^"\r\n;]*)/i;

/** Blanks secret parts of multipart/form-data (RFC 7578). */
export function redactMultipartText(text: string, extra?: ExtraNames): string {
  let result = "";
  let copiedTo = 0;
  for (const { 0: line, index } of text.matchAll(PART_LINE)) {
    if (index < copiedTo || !isSecretName(PART_NAME.exec(line)?.[1] ?? "", "query", extra)) continue;
    const headEnd = /\r?\n\r?\n/.exec(text.slice(index));
    if (headEnd === null) break;
    const start = index + headEnd.index + headEnd[0].length;
    const end = text.indexOf("\n--", start);
    result += text.slice(copiedTo, start) + REDACTED;
    copiedTo = end < 0 ? text.length : text[end - 1] === "\r" ? end - 1 : end;
  }
  return result + text.slice(copiedTo);
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}
