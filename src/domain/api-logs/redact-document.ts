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
    if (valueStart < 0 || !isSecretName(decodeName(text.slice(quote + 1, end - 1)), "document", extra)) {
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

/** A name with escapes is decoded: `pass\u0077ord` is a password too. */
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

const XML_ELEMENT = /<([A-Za-z_][\w:.-]*)([^<>]*)>([^<]*)/g;
// The look-behind keeps it linear: a long word without "=" is tried once, not from each of its characters.
const XML_ATTRIBUTE = /(?<![\w:.-])([A-Za-z_][\w:.-]*)(\s*=\s*)("[^"]*"|'[^']*')/g;

/** Blanks the text of secret elements and the values of secret attributes; nested elements are judged by their own names. */
export function redactXmlText(text: string, extra?: ExtraNames): string {
  return text.replace(XML_ELEMENT, (_all, name: string, attributes: string, content: string) => {
    const kept = attributes.replace(XML_ATTRIBUTE, (pair, attribute: string, equals: string) =>
      isSecretName(localName(attribute), "document", extra) ? `${attribute}${equals}"${REDACTED}"` : pair,
    );
    const secret = content.trim() !== "" && isSecretName(localName(name), "document", extra);
    return `<${name}${kept}>${secret ? REDACTED : content}`;
  });
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}
