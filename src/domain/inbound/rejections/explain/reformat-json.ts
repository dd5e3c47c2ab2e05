/** How white space stands in a JSON text. */
export interface JsonStyle {
  /** One level of indentation; "" keeps everything on one line. */
  indent: string;
  comma: "," | ", ";
  colon: ":" | ": ";
}

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/** Four times what a sample keeps of a body: indentation grows with the depth, and deep lists would fill the memory. */
const REFORMATTED_CHARS_MAX = 1024 * 1024;

/**
 * Writes a JSON text with other white space. Strings and numbers keep their source text: parsing them would change
 * large numbers, doubled keys and escapes, and with them the signature.
 *
 * @param source valid JSON
 * @returns the source when the text would have more than 1 Mi characters
 */
export function reformatJson(source: string, { indent, comma, colon }: JsonStyle): string {
  const tokens = source.match(TOKENS) ?? [];
  const line = (level: number): string => (indent === "" ? "" : `\n${indent.repeat(level)}`);
  let text = "";
  let depth = 0;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (text.length + depth * indent.length > REFORMATTED_CHARS_MAX) return source;
    if (token === "{" || token === "[") {
      const next = tokens[at + 1];
      if (next === "}" || next === "]") {
        text += token + next;
        at++;
      } else text += token + line(++depth);
    } else if (token === "}" || token === "]") text += line(--depth) + token;
    else if (token === ",") text += indent === "" ? comma : `,${line(depth)}`;
    else text += token === ":" ? colon : token;
  }
  return text;
}

/** No sender nests so deep, and recursion has an end. */
const SORTED_DEPTH_MAX = 200;

/**
 * Writes a JSON text without white space and with the members of every object in the order of their names, as
 * canonicalising senders do. Numbers and strings keep their source text.
 *
 * @param source valid JSON
 * @returns the source when it is nested deeper than 200 levels
 */
export function sortJson(source: string): string {
  const tokens = source.match(TOKENS) ?? [];
  let at = 0;
  let isTooDeep = false;
  const read = (depth: number): string => {
    const token = tokens[at++] ?? "";
    if (token !== "{" && token !== "[") return token;
    isTooDeep ||= depth > SORTED_DEPTH_MAX;
    if (isTooDeep) return "";
    const closing = token === "{" ? "}" : "]";
    const members: [name: string, text: string][] = [];
    while (at < tokens.length && tokens[at] !== closing) {
      const name = token === "{" ? tokens[at]! : "";
      // Past the name and its colon.
      if (token === "{") at += 2;
      const value = read(depth + 1);
      if (isTooDeep) return "";
      members.push([name.slice(1, -1), token === "{" ? `${name}:${value}` : value]);
      if (tokens[at] === ",") at++;
    }
    at++;
    if (token === "{") members.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
    return token + members.map(([, text]) => text).join(",") + closing;
  };
  const sorted = read(0);
  return isTooDeep ? source : sorted;
}

const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/gs;

/** Changes how the strings of a JSON text are written, through a function from source text to source text. */
export function rewriteStrings(source: string, rewrite: (string: string) => string): string {
  return source.replace(STRINGS, rewrite);
}
