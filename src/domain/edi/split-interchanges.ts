import { readIsa } from "../../platform/x12/read-isa.ts";
import { resolveSettings } from "../../platform/x12/settings.ts";

/** Interchanges of one file; more would be another kind of file. */
const PARTS_MAX = 10_000;

/**
 * Cuts a file of several interchanges, so that one that is too large as a whole can still be read piece by piece. Where
 * it cannot be cut, the rest stays one piece, whose reader then says what is wrong with it. Costs time in proportion to
 * the file.
 *
 * @returns first byte and end of each piece, in order; together they are the whole file
 */
export function splitInterchanges(bytes: Uint8Array): { start: number; end: number }[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const settings = resolveSettings();
  const parts: { start: number; end: number }[] = [];
  let start = 0;
  while (start < text.length && parts.length < PARTS_MAX) {
    const end = endOfInterchange(text, start, settings);
    if (end === null) break;
    parts.push({ start, end });
    start = end;
  }
  if (start < text.length) {
    if (parts.length > 0 && text.slice(start).trim() === "") parts.at(-1)!.end = text.length;
    else parts.push({ start, end: text.length });
  }
  return parts;
}

/** The place after the IEA segment of the interchange that begins at `start`, white space before it allowed. */
function endOfInterchange(
  text: string,
  start: number,
  settings: ReturnType<typeof resolveSettings>,
): number | null {
  const isaAt = text.indexOf("ISA", start);
  if (isaAt === -1 || !/^(?:\u00ef\u00bb\u00bf)?\s*$/.test(text.slice(start, Math.min(isaAt, start + 64))))
    return null;
  const head = readIsa(text, isaAt, 1, settings);
  if (!head.ok) return null;
  const { element, segment } = head.separators;
  const trailer = `IEA${element}`;
  for (let at = text.indexOf(trailer, head.next); at !== -1; at = text.indexOf(trailer, at + 1)) {
    let before = at;
    while (/\s/.test(text.charAt(before - 1)) && text.charAt(before - 1) !== segment) before -= 1;
    if (text.charAt(before - 1) !== segment) continue;
    const end = text.indexOf(segment, at);
    return end === -1 ? text.length : end + segment.length;
  }
  return null;
}
