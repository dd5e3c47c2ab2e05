/** Start and end (exclusive) of one value in a JSON text. */
export interface TextRange {
  start: number;
  end: number;
}

/** A JSON pointer below the whole document (RFC 6901 section 3): a tilde stands only in `~0` and `~1`. */
export const JSON_POINTER = "^(/([^/~]|~[01])*)+$";

/** The reference tokens of a JSON pointer (RFC 6901); the empty pointer is the whole document. */
export function pointerTokens(pointer: string): string[] {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * Finds the values under a JSON pointer without building the document, so that numbers keep their digits and the bytes
 * around a value stay as they are. A member that stands twice gives two ranges; `JSON.parse` would take the last.
 * Never recurses with the document's depth. A text that is not JSON gives no range, or one that means nothing. A byte
 * order mark before the document is passed over, as the worker does (RFC 8259 section 8.1 allows it).
 */
export function findJsonValues(text: string, tokens: readonly string[]): TextRange[] {
  const found: TextRange[] = [];
  search(text, skipSpace(text, text.startsWith(BYTE_ORDER_MARK) ? 1 : 0), tokens, 0, found);
  return found;
}

const BYTE_ORDER_MARK = "\uFEFF";

/** A text as `JSON.parse` takes it. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/** Depth of this recursion is the pointer's, not the document's. Returns the end of the value that begins at `at`. */
function search(
  text: string,
  at: number,
  tokens: readonly string[],
  depth: number,
  found: TextRange[],
): number {
  if (depth === tokens.length) {
    const end = skipValue(text, at);
    if (end > at) found.push({ start: at, end });
    return end;
  }
  const token = tokens[depth]!;
  const opening = text[at];
  if (opening !== "{" && opening !== "[") return skipValue(text, at);
  const closing = opening === "{" ? "}" : "]";
  let cursor = skipSpace(text, at + 1);
  for (let index = 0; cursor < text.length && text[cursor] !== closing; index++) {
    let matches = String(index) === token;
    if (opening === "{") {
      const keyEnd = skipString(text, cursor);
      matches = text[cursor] === '"' && keyIs(text.slice(cursor, keyEnd), token);
      cursor = skipSpace(text, skipSpace(text, keyEnd) + 1);
    }
    const from = cursor;
    cursor = matches ? search(text, cursor, tokens, depth + 1, found) : skipValue(text, cursor);
    cursor = skipSpace(text, cursor);
    if (text[cursor] === ",") cursor = skipSpace(text, cursor + 1);
    else if (text[cursor] !== closing || cursor === from) return text.length;
  }
  return cursor + 1;
}

function keyIs(quoted: string, token: string): boolean {
  if (!quoted.includes("\\")) return quoted.length === token.length + 2 && quoted.startsWith(token, 1);
  try {
    return JSON.parse(quoted) === token;
  } catch {
    return false;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** End of the string that begins at `at`; the end of the text when it is not closed. */
function skipString(text: string, at: number): number {
  let quote = text.indexOf('"', at + 1);
  while (quote > 0) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

/** End of the value that begins at `at`: containers by counting brackets, scalars up to the next delimiter. */
function skipValue(text: string, at: number): number {
  let depth = 0;
  let cursor = at;
  while (cursor < text.length) {
    const code = text.charCodeAt(cursor);
    if (code === QUOTE) {
      cursor = skipString(text, cursor);
      if (depth === 0) return cursor;
    } else if (code === 0x7b || code === 0x5b) {
      depth++;
      cursor++;
    } else if (code === 0x7d || code === 0x5d) {
      if (depth === 0) return cursor;
      cursor++;
      if (--depth === 0) return cursor;
    } else if (depth === 0 && (code === 0x2c || code <= 0x20)) return cursor;
    else cursor++;
  }
  return cursor;
}

function skipSpace(text: string, at: number): number {
  let cursor = at;
  while (cursor < text.length) {
    const code = text.charCodeAt(cursor);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
    cursor++;
  }
  return cursor;
}
