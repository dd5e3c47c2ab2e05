import { encodeText } from "./decode-text.ts";
import { makeFault } from "./fault-recorder.ts";
import type { FaultCode } from "./fault-codes.ts";
import type { Separators, X12Document, X12Fault } from "./model.ts";
import { findSet } from "./tables/find-set.ts";
import type { LoopUse, SegmentUse } from "./tables/set-table.ts";

/** Deeper JSON than any set's table has is refused. */
const DEPTH_MAX = 16;
/** More elements than any segment has. */
const ELEMENTS_MAX = 100_000;

/** A fault with the JSON pointer of the value at fault. */
export interface ReadableFault extends X12Fault {
  pointer: string;
}

export type BytesOutcome = { ok: true; bytes: Uint8Array } | { ok: false; faults: ReadableFault[] };

/** Segments as lists of raw elements, and for each the pointer of the JSON that it comes from. */
export interface FlatSegment {
  elements: string[];
  pointer: string;
}

/** Refuses one value; caught by the public functions, which return it. */
export class ReadableRefusal extends Error {
  readonly fault: ReadableFault;

  constructor(code: FaultCode, pointer: string, message: string, value?: string) {
    super(message);
    const at = {
      interchange: null,
      group: null,
      set: null,
      segment: 0,
      segmentId: "",
      position: null,
      loop: null,
      element: null,
      component: null,
      repetition: null,
      offset: 0,
    };
    this.fault = {
      ...makeFault(code, "strict", at, { message, ...(value !== undefined && { value }) }),
      pointer,
    };
  }
}

/**
 * The bytes of a document from its readable JSON: the inverse of `toReadable`. It checks only that the JSON has this form
 * and that no value holds an element separator or a terminator; what the document says is `checkDocument`'s matter.
 *
 * @param readable parsed JSON from anywhere
 */
export function fromReadable(readable: unknown): BytesOutcome {
  try {
    const root = asObject(readable, "");
    const layout = asObject(root["x12"], "/x12");
    const interchanges = asArray(root["interchanges"], "/interchanges");
    const parts: string[] = [asText(layout["leading"] ?? "", "/x12/leading")];
    const newline = asText(layout["newline"] ?? "", "/x12/newline");
    const gaps = asObject(layout["gaps"] ?? {}, "/x12/gaps");
    let ordinal = 0;
    let lastTerminator = "";
    for (const [index, item] of interchanges.entries()) {
      const pointer = `/interchanges/${index}`;
      const interchange = asObject(item, pointer);
      const separators = readSeparators(interchange["separators"], `${pointer}/separators`);
      for (const { elements } of flattenInterchange(interchange, separators, pointer)) {
        ordinal += 1;
        const gap = gaps[String(ordinal)];
        lastTerminator = separators.segment;
        parts.push(elements.join(separators.element), lastTerminator);
        parts.push(gap === undefined ? newline : asText(gap, `/x12/gaps/${ordinal}`));
      }
    }
    // The last terminator and the gap after it are the last two parts.
    if (layout["terminated"] === false && ordinal > 0) parts.splice(-2, 1);
    const text = restoreLineBreaks(parts.join(""), layout["lineBreaks"] ?? []);
    return { ok: true, bytes: encodeText(text, readEncoding(layout["encoding"] ?? "utf-8", text)) };
  } catch (error) {
    if (error instanceof ReadableRefusal) return { ok: false, faults: [error.fault] };
    throw error;
  }
}

function flattenInterchange(
  interchange: { [key: string]: unknown },
  separators: Separators,
  pointer: string,
): FlatSegment[] {
  if (interchange["segments"] !== undefined) {
    return flattenList(interchange["segments"], separators, `${pointer}/segments`);
  }
  const out = [flattenSegment("ISA", interchange["ISA"], separators, `${pointer}/ISA`)];
  for (const segment of flattenList(interchange["services"] ?? [], separators, `${pointer}/services`))
    out.push(segment);
  for (const [index, item] of asArray(interchange["groups"], `${pointer}/groups`).entries()) {
    const at = `${pointer}/groups/${index}`;
    const group = asObject(item, at);
    out.push(flattenSegment("GS", group["GS"], separators, `${at}/GS`));
    for (const [place, set] of asArray(group["sets"], `${at}/sets`).entries()) {
      const setPointer = `${at}/sets/${place}`;
      for (const segment of flattenSet(asObject(set, setPointer), separators, setPointer)) out.push(segment);
    }
    out.push(flattenSegment("GE", group["GE"], separators, `${at}/GE`));
  }
  out.push(flattenSegment("IEA", interchange["IEA"], separators, `${pointer}/IEA`));
  return out;
}

function flattenSet(set: { [key: string]: unknown }, separators: Separators, pointer: string): FlatSegment[] {
  if (set["segments"] !== undefined) return flattenList(set["segments"], separators, `${pointer}/segments`);
  const code = asObject(set["ST"], `${pointer}/ST`)["ST01"];
  return flattenLoops(set, String(code), separators, pointer);
}

/** Segments of a set's JSON in the order of its table. @throws ReadableRefusal for names that the table does not have */
export function flattenLoops(
  body: { [key: string]: unknown },
  code: string,
  separators: Separators,
  pointer: string,
): FlatSegment[] {
  const table = findSet(code);
  if (table === null) {
    throw new ReadableRefusal(
      "input_invalid",
      pointer,
      `There is no table for set ${code}: give its \`segments\``,
    );
  }
  const out: FlatSegment[] = [];
  flattenLoop(body, table.root, separators, pointer, out, 0);
  return out;
}

function flattenLoop(
  body: { [key: string]: unknown },
  use: LoopUse,
  separators: Separators,
  pointer: string,
  out: FlatSegment[],
  depth: number,
): void {
  if (depth > DEPTH_MAX) throw new ReadableRefusal("input_invalid", pointer, "The JSON is nested too deep");
  const known = new Set(use.children.map(nameOf));
  const unknown = Object.keys(body).find((name) => !known.has(name));
  if (unknown !== undefined) {
    const where = use.id === "" ? "the set" : `loop ${use.id}`;
    throw new ReadableRefusal(
      "input_invalid",
      `${pointer}/${unknown}`,
      `${unknown} has no place in ${where}`,
    );
  }
  for (const child of use.children) {
    const name = nameOf(child);
    const value = body[name];
    if (value === undefined) continue;
    const items = Array.isArray(value) ? (value as unknown[]) : [value];
    for (const [index, item] of items.entries()) {
      const at = Array.isArray(value) ? `${pointer}/${name}/${index}` : `${pointer}/${name}`;
      if (child.kind === "segment") out.push(flattenSegment(child.id, item, separators, at));
      else flattenLoop(asObject(item, at), child, separators, at, out, depth + 1);
    }
  }
}

function nameOf(use: SegmentUse | LoopUse): string {
  return use.kind === "segment" ? use.id : `loop${use.id}`;
}

/** Segments of a list `[{ "id": "B2", "B202": … }]`. */
export function flattenList(list: unknown, separators: Separators, pointer: string): FlatSegment[] {
  return asArray(list, pointer).map((item, index) => {
    const at = `${pointer}/${index}`;
    const { id, ...elements } = asObject(item, at);
    return flattenSegment(asText(id, `${at}/id`), elements, separators, at);
  });
}

function flattenSegment(id: string, value: unknown, separators: Separators, pointer: string): FlatSegment {
  checkData(id, separators, `${pointer}/id`);
  const elements = [id];
  for (const [key, raw] of Object.entries(asObject(value, pointer))) {
    const place = key.startsWith(id) ? placeOf(key.slice(id.length)) : null;
    const at = `${pointer}/${key}`;
    if (place === null) {
      throw new ReadableRefusal("input_invalid", at, `${key} is not an element of ${id}, such as ${id}01`);
    }
    while (elements.length <= place) elements.push("");
    elements[place] = joinElement(raw, key, separators, at, isBinary(id, place));
  }
  return { elements, pointer };
}

function isBinary(id: string, place: number): boolean {
  return (id === "BIN" && place === 2) || (id === "BDS" && place === 3);
}

function placeOf(digits: string): number | null {
  const place = /^\d{2,6}$/.test(digits) ? Number(digits) : 0;
  return place >= 1 && place <= ELEMENTS_MAX ? place : null;
}

function joinElement(
  value: unknown,
  key: string,
  separators: Separators,
  pointer: string,
  binary: boolean,
): string {
  if (Array.isArray(value)) {
    if (separators.repetition === null && value.length > 1) {
      throw new ReadableRefusal(
        "repetition_unexpected",
        pointer,
        "The interchange has no repetition separator",
      );
    }
    const parts = value.map((item, index) => joinComponents(item, key, separators, `${pointer}/${index}`));
    return parts.join(separators.repetition ?? "");
  }
  if (binary) return asText(value, pointer);
  return joinComponents(value, key, separators, pointer);
}

function joinComponents(value: unknown, key: string, separators: Separators, pointer: string): string {
  if (typeof value !== "object" || value === null) {
    const text = asText(value, pointer);
    checkData(text, separators, pointer);
    return text;
  }
  const parts: string[] = [];
  for (const [name, raw] of Object.entries(asObject(value, pointer))) {
    const place = name.startsWith(`${key}-`) ? placeOf(name.slice(key.length + 1)) : null;
    const at = `${pointer}/${name}`;
    if (place === null)
      throw new ReadableRefusal("input_invalid", at, `${name} is not a component such as ${key}-01`);
    while (parts.length < place) parts.push("");
    const text = asText(raw, at);
    checkData(text, separators, at);
    if (text.includes(separators.component)) throw separatorRefusal(at, text);
    parts[place - 1] = text;
  }
  return parts.join(separators.component);
}

/** What would end the element or the segment can be in no value. */
function checkData(text: string, separators: Separators, pointer: string): void {
  if (text.includes(separators.element) || text.includes(separators.segment))
    throw separatorRefusal(pointer, text);
}

function separatorRefusal(pointer: string, text: string): ReadableRefusal {
  return new ReadableRefusal(
    "separator_in_data",
    pointer,
    "The value holds a separator, which X12 cannot express",
    text,
  );
}

function readSeparators(value: unknown, pointer: string): Separators {
  const given = asObject(value, pointer);
  const { element, component, repetition = null, segment } = given;
  for (const [name, separator] of Object.entries({ element, component, segment })) {
    if (typeof separator !== "string" || [...separator].length !== 1) {
      throw new ReadableRefusal("input_invalid", `${pointer}/${name}`, "A separator is one character");
    }
  }
  if (repetition !== null && (typeof repetition !== "string" || [...repetition].length !== 1)) {
    throw new ReadableRefusal(
      "input_invalid",
      `${pointer}/repetition`,
      "A separator is one character, or null",
    );
  }
  return { element, component, repetition, segment } as Separators;
}

/** Text that the encoding cannot hold is UTF-8: a document that was edited may have gained such characters. */
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
      throw new ReadableRefusal("input_invalid", `/x12/lineBreaks/${index}/offset`, "Offsets must ascend");
    }
    const broken = asText(lineBreak["text"], `/x12/lineBreaks/${index}/text`);
    parts.push(text.slice(from, to), broken);
    inserted += broken.length;
    from = to;
  }
  return parts.join("") + text.slice(from);
}

function asObject(value: unknown, pointer: string): { [key: string]: unknown } {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as { [key: string]: unknown };
  throw new ReadableRefusal("input_invalid", pointer, "An object is needed here");
}

function asArray(value: unknown, pointer: string): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new ReadableRefusal("input_invalid", pointer, "A list is needed here");
}

/** Text as it is; a number as X12 writes it, when that is exact. */
function asText(value: unknown, pointer: string): string {
  if (typeof value === "string") return value;
  if (typeof value !== "number") throw new ReadableRefusal("input_invalid", pointer, "Text is needed here");
  const text = String(value);
  if (
    Number.isFinite(value) &&
    /^-?\d+(?:\.\d+)?$/.test(text) &&
    (!Number.isInteger(value) || Number.isSafeInteger(value))
  ) {
    return text;
  }
  throw new ReadableRefusal(
    "number_not_exact",
    pointer,
    "The number cannot be written exactly; give it as text",
    text,
  );
}
