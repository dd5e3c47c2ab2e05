/** How white space stands in a JSON text. */
export interface JsonStyle {
  /** One level of indentation; "" keeps everything on one line. */
  indent: string;
  comma: "," | ", ";
  colon: ":" | ": ";
}

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/**
 * Writes a JSON text with other white space. Strings and numbers keep their source text: parsing them would change
 * large numbers, doubled keys and escapes, and with them the signature.
 *
 * @param source valid JSON
 */
export function reformatJson(source: string, { indent, comma, colon }: JsonStyle): string {
  const tokens = source.match(TOKENS) ?? [];
  const line = (level: number): string => (indent === "" ? "" : `\n${indent.repeat(level)}`);
  let text = "";
  let depth = 0;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
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

const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/gs;

/** Changes how the strings of a JSON text are written, through a function from source text to source text. */
export function rewriteStrings(source: string, rewrite: (string: string) => string): string {
  return source.replace(STRINGS, rewrite);
}
