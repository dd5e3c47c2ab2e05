import type { Encoding } from "./settings.ts";

const encoder = new TextEncoder();

/** Byte of each character of windows-1252 (WHATWG index: the five unassigned bytes are control characters). */
const WINDOWS_1252: ReadonlyMap<string, number> = new Map(
  [...new TextDecoder("windows-1252").decode(Uint8Array.from({ length: 256 }, (_, byte) => byte))].map(
    (character, byte) => [character, byte],
  ),
);

/** Whether an encoding has a character. */
export function isEncodable(character: string, encoding: Encoding): boolean {
  switch (encoding) {
    case "utf-8":
    case "utf-16le":
      return character.isWellFormed();
    case "iso-8859-1":
      return character <= "\u00FF";
    case "windows-1252":
      return WINDOWS_1252.has(character);
  }
}

/** The first character that an encoding does not have. */
export function findUnencodable(text: string, encoding: Encoding): string | undefined {
  if (encoding === "utf-8" || encoding === "utf-16le")
    return text.isWellFormed() ? undefined : "half a surrogate pair";
  for (const character of text) {
    if (!isEncodable(character, encoding)) return character;
  }
  return undefined;
}

/** Bytes of a text, all of whose characters the encoding has. UTF-16 does not get its mark here. */
export function encodeText(text: string, encoding: Encoding): Uint8Array {
  switch (encoding) {
    case "utf-8":
      return encoder.encode(text);
    case "utf-16le":
      return new Uint8Array(Buffer.from(text, "utf16le"));
    case "iso-8859-1":
      return new Uint8Array(Buffer.from(text, "latin1"));
    case "windows-1252":
      return Uint8Array.from(text, (character) => WINDOWS_1252.get(character)!);
  }
}

/** What stands in front of a document in an encoding that is recognised by its mark. */
export const BYTE_ORDER_MARKS: Readonly<Record<Encoding, Uint8Array>> = {
  "utf-8": Uint8Array.of(0xef, 0xbb, 0xbf),
  "utf-16le": Uint8Array.of(0xff, 0xfe),
  "iso-8859-1": new Uint8Array(),
  "windows-1252": new Uint8Array(),
};
