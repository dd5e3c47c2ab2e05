import { encodeText } from "./decode-text.ts";
import { type FlatSegment, Flattener } from "./flatten.ts";
import type { Separators, X12Document } from "./model.ts";
import { asArray, asObject, asText, type BytesOutcome, InputRefusal, outcomeOf } from "./readable-input.ts";

/**
 * The bytes of a document from its readable JSON: the inverse of `toReadable`. It checks only that the JSON has this form
 * and that no value holds an element separator or a terminator; what the document says is `checkDocument`'s matter.
 *
 * @param readable parsed JSON from anywhere
 */
export function fromReadable(readable: unknown): BytesOutcome {
  return outcomeOf(() => {
    const root = asObject(readable, "");
    const layout = asObject(root["x12"], "/x12");
    const text = restoreLineBreaks(composeText(root["interchanges"], layout), layout["lineBreaks"] ?? []);
    return { ok: true, bytes: encodeText(text, readEncoding(layout["encoding"], text)) };
  });
}

function composeText(interchanges: unknown, layout: { [key: string]: unknown }): string {
  const parts: string[] = [asText(layout["leading"] ?? "", "/x12/leading")];
  const newline = asText(layout["newline"] ?? "", "/x12/newline");
  const gaps = asObject(layout["gaps"] ?? {}, "/x12/gaps");
  let ordinal = 0;
  for (const [index, item] of asArray(interchanges, "/interchanges").entries()) {
    const pointer = `/interchanges/${index}`;
    const interchange = asObject(item, pointer);
    const separators = readSeparators(interchange["separators"], `${pointer}/separators`);
    const flattener = new Flattener(separators, [separators.element, separators.segment]);
    for (const { elements } of flattenInterchange(interchange, flattener, pointer)) {
      ordinal += 1;
      const gap = gaps[String(ordinal)];
      parts.push(elements.join(separators.element), separators.segment);
      parts.push(gap === undefined ? newline : asText(gap, `/x12/gaps/${ordinal}`));
    }
  }
  // The last terminator and the gap after it are the last two parts.
  if (layout["terminated"] === false && ordinal > 0) parts.splice(-2, 1);
  return parts.join("");
}

function flattenInterchange(
  interchange: { [key: string]: unknown },
  flattener: Flattener,
  pointer: string,
): FlatSegment[] {
  if (interchange["segments"] !== undefined) {
    return flattener.list(interchange["segments"], `${pointer}/segments`);
  }
  const out = [flattener.segment("ISA", interchange["ISA"], `${pointer}/ISA`)];
  const add = (segments: readonly FlatSegment[]): void => {
    for (const segment of segments) out.push(segment);
  };
  add(flattener.list(interchange["services"] ?? [], `${pointer}/services`));
  for (const [index, item] of asArray(interchange["groups"], `${pointer}/groups`).entries()) {
    const at = `${pointer}/groups/${index}`;
    const group = asObject(item, at);
    out.push(flattener.segment("GS", group["GS"], `${at}/GS`));
    for (const [place, value] of asArray(group["sets"], `${at}/sets`).entries()) {
      const setPointer = `${at}/sets/${place}`;
      const set = asObject(value, setPointer);
      const code = set["segments"] === undefined ? asObject(set["ST"], `${setPointer}/ST`)["ST01"] : "";
      add(flattener.set(set, String(code), setPointer));
    }
    out.push(flattener.segment("GE", group["GE"], `${at}/GE`));
  }
  out.push(flattener.segment("IEA", interchange["IEA"], `${pointer}/IEA`));
  return out;
}

function readSeparators(value: unknown, pointer: string): Separators {
  const { element, component, repetition = null, segment } = asObject(value, pointer);
  const names =
    repetition === null ? { element, component, segment } : { element, component, repetition, segment };
  for (const [name, separator] of Object.entries(names)) {
    if (typeof separator === "string" && [...separator].length === 1) continue;
    throw new InputRefusal("input_invalid", `${pointer}/${name}`, "A separator is one character");
  }
  return { element, component, repetition, segment } as Separators;
}

/** Text that ISO 8859-1 cannot hold is UTF-8: a document that was edited may have gained such characters. */
function readEncoding(value: unknown, text: string): X12Document["encoding"] {
  if (value === "latin1" && [...text].every((character) => character <= "\u00ff")) return "latin1";
  return "utf-8";
}

function restoreLineBreaks(text: string, value: unknown): string {
  const parts: string[] = [];
  let from = 0;
  let inserted = 0;
  for (const [index, item] of asArray(value, "/x12/lineBreaks").entries()) {
    const lineBreak = asObject(item, `/x12/lineBreaks/${index}`);
    const to = Number(lineBreak["offset"]) - inserted;
    if (!(Number.isSafeInteger(to) && to >= from)) {
      throw new InputRefusal("input_invalid", `/x12/lineBreaks/${index}/offset`, "Offsets must ascend");
    }
    const broken = asText(lineBreak["text"], `/x12/lineBreaks/${index}/text`);
    parts.push(text.slice(from, to), broken);
    inserted += broken.length;
    from = to;
  }
  return parts.join("") + text.slice(from);
}
