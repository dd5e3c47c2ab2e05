import { isPointer } from "../json/pointer.ts";

/** A JSON pointer (RFC 6901) with one more token. */
export function appendPointer(pointer: string, token: string | number): string {
  if (typeof token === "number") return `${pointer}/${token}`;
  return `${pointer}/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The tokens of a JSON pointer; undefined where the text is none. */
export function parsePointer(pointer: string): string[] | undefined {
  if (!isPointer(pointer)) return undefined;
  const tokens = pointer.split("/").slice(1);
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}
