import { checkDocument } from "./check-set.ts";
import { elementKey } from "./element-values.ts";
import { type FlatSegment, Flattener } from "./flatten.ts";
import type { Separators, X12Fault, X12Party } from "./model.ts";
import { allFaults } from "./model.ts";
import { parseInterchanges } from "./parse-interchanges.ts";
import { asObject, type BytesOutcome, type InputFault, InputRefusal, outcomeOf } from "./readable-input.ts";
import { findSet } from "./tables/find-set.ts";

export interface SetInput {
  /** ST01. */
  code: string;
  /** ST02; a number is written with at least four digits. */
  controlNumber: number | string;
  /** ST03, from 005010 on. */
  guide?: string;
  /** The set's readable JSON without ST and SE: by loops, or as `segments`. */
  body: object;
}

export interface GroupInput {
  /** GS01; by default the table's of the first set. */
  functionalId?: string;
  /** GS02 and GS03. */
  sender: string;
  receiver: string;
  /** GS08. */
  version: string;
  /** GS06, 1 to 999,999,999. */
  controlNumber: number;
  sets: SetInput[];
}

/** What an interchange says; counts, widths and trailers are computed. */
export interface InterchangeInput {
  /** What is not given is `*`, `>`, `^` (from 00402 on) and `~`. */
  separators?: Partial<Separators>;
  /** After each segment; nothing by default. */
  newline?: string;
  sender: X12Party;
  receiver: X12Party;
  /** ISA12. */
  version: string;
  /** ISA13, 1 to 999,999,999. */
  controlNumber: number;
  acknowledgmentRequested?: boolean;
  test: boolean;
  /** Date and time of the envelopes, written in UTC. */
  time: Date;
  /** Which characters data may have; ASCII unless the partner agreed to more. */
  characters?: "ascii" | "unicode";
  /** TA1 segments: id and elements. */
  services?: readonly (readonly string[])[];
  groups: GroupInput[];
}

const CONTROL_NUMBER_MAX = 999_999_999;
const REPETITION_VERSION = "00402";
/** The first that separates nothing else. */
const REPETITIONS = ["^", "!", "|", "`"] as const;
const ASCII = /^[\x20-\x7e]*$/;

/**
 * Writes an interchange. Everything that X12 or the set's table does not allow is refused with the JSON pointer of the
 * value; nothing is shortened, replaced or left out except empty elements at the end of a segment.
 *
 * @returns ASCII bytes (UTF-8 with `characters: "unicode"`), or the faults
 */
export function buildInterchange(input: InterchangeInput): BytesOutcome {
  return outcomeOf(() => {
    const separators = chooseSeparators(input);
    const segments = composeSegments(input, separators);
    // A terminator that is a line break itself needs no other one.
    const end = separators.segment + (/[\r\n]/.test(separators.segment) ? "" : (input.newline ?? ""));
    const text = segments.map(({ elements }) => elements.join(separators.element) + end).join("");
    const bytes = Buffer.from(text);
    const faults = checkText(bytes, segments, separators);
    return faults.length > 0 ? { ok: false, faults } : { ok: true, bytes };
  });
}

function composeSegments(input: InterchangeInput, separators: Separators): FlatSegment[] {
  const all = Object.values(separators).filter((separator) => separator !== null);
  const flattener = new Flattener(separators, all);
  const { date, time } = clockOf(input.time);
  const out: FlatSegment[] = [composeIsa(input, separators, date, time)];
  for (const [index, segment] of (input.services ?? []).entries()) {
    out.push({ elements: [...segment], pointer: `/services/${index}` });
  }
  for (const [index, group] of input.groups.entries()) {
    const pointer = `/groups/${index}`;
    const functionalId = group.functionalId ?? findSet(group.sets[0]?.code ?? "")?.functionalId;
    if (functionalId === undefined) {
      throw new InputRefusal("input_invalid", `${pointer}/functionalId`, "GS01 must be given for this set");
    }
    const number = checkControlNumber(group.controlNumber, `${pointer}/controlNumber`);
    const envelope = [functionalId, group.sender, group.receiver, date, time, number, "X", group.version];
    out.push({ elements: ["GS", ...envelope], pointer });
    for (const [place, set] of group.sets.entries()) {
      for (const segment of composeSet(set, flattener, `${pointer}/sets/${place}`)) out.push(segment);
    }
    out.push({ elements: ["GE", String(group.sets.length), number], pointer });
  }
  const number = String(input.controlNumber).padStart(9, "0");
  out.push({ elements: ["IEA", String(input.groups.length), number], pointer: "" });
  for (const segment of out.slice(1)) checkSegment(segment, input.characters, all);
  return out;
}

function composeSet(set: SetInput, flattener: Flattener, pointer: string): FlatSegment[] {
  const number =
    typeof set.controlNumber === "number"
      ? checkControlNumber(set.controlNumber, `${pointer}/controlNumber`).padStart(4, "0")
      : set.controlNumber;
  const body = flattener.set(asObject(set.body, `${pointer}/body`), set.code, `${pointer}/body`);
  const reserved = body.find(({ elements }) => /^(?:ISA|IEA|GS|GE|ST|SE)$/.test(elements[0]!));
  if (reserved !== undefined) {
    throw new InputRefusal(
      "input_invalid",
      reserved.pointer,
      `${reserved.elements[0]} is written by the envelope`,
    );
  }
  for (const { elements } of body) trimEnd(elements);
  const guide = set.guide === undefined ? [] : [set.guide];
  return [
    { elements: ["ST", set.code, number, ...guide], pointer },
    ...body,
    { elements: ["SE", String(body.length + 2), number], pointer },
  ];
}

/** Empty elements at the end are not sent (X12.6). */
function trimEnd(elements: string[]): void {
  while (elements.length > 1 && elements.at(-1) === "") elements.pop();
}

function composeIsa(
  input: InterchangeInput,
  separators: Separators,
  date: string,
  time: string,
): FlatSegment {
  const number = checkControlNumber(input.controlNumber, "/controlNumber").padStart(9, "0");
  const party = ({ qualifier, id }: X12Party, pointer: string): string[] => {
    if (id.length > 15) {
      throw new InputRefusal(
        "element_too_long",
        `${pointer}/id`,
        "An interchange id has at most 15 characters",
        id,
      );
    }
    return [qualifier, id.padEnd(15)];
  };
  const sender = party(input.sender, "/sender");
  const receiver = party(input.receiver, "/receiver");
  const secrets = ["00", " ".repeat(10), "00", " ".repeat(10)];
  const elements = ["ISA", ...secrets, ...sender, ...receiver];
  elements.push(date.slice(2), time, separators.repetition ?? "U", input.version, number);
  elements.push(
    input.acknowledgmentRequested === true ? "1" : "0",
    input.test ? "T" : "P",
    separators.component,
  );
  const { element, segment } = separators;
  const broken = elements.findIndex(
    (value, index) => index < 16 && (value.includes(element) || value.includes(segment)),
  );
  if (broken !== -1) {
    const message = "The value holds a separator, which X12 cannot express";
    throw new InputRefusal("separator_in_data", pointerOfIsa(broken), message, elements[broken]!);
  }
  return { elements, pointer: "" };
}

function pointerOfIsa(element: number): string {
  const names: Readonly<Record<number, string>> = {
    5: "/sender/qualifier",
    6: "/sender/id",
    7: "/receiver/qualifier",
    8: "/receiver/id",
    12: "/version",
  };
  return names[element] ?? "";
}

function chooseSeparators(input: InterchangeInput): Separators {
  const separators: Separators = {
    element: "*",
    component: ">",
    repetition: null,
    segment: "~",
    ...input.separators,
  };
  if (input.separators?.repetition === undefined && input.version >= REPETITION_VERSION) {
    const taken = new Set(Object.values(separators));
    separators.repetition = REPETITIONS.find((candidate) => !taken.has(candidate)) ?? null;
  }
  for (const [name, separator] of Object.entries(separators)) {
    if (separator === null || [...separator].length === 1) continue;
    throw new InputRefusal("input_invalid", `/separators/${name}`, "A separator is one character");
  }
  if (!/^[\r\n]*$/.test(input.newline ?? "")) {
    throw new InputRefusal("input_invalid", "/newline", "Only line breaks may stand between segments");
  }
  return separators;
}

function clockOf(time: Date): { date: string; time: string } {
  if (Number.isNaN(time.getTime()))
    throw new InputRefusal("input_invalid", "/time", "The time is not a time");
  const digits = time.toISOString().replaceAll(/\D/g, "");
  return { date: digits.slice(0, 8), time: digits.slice(8, 12) };
}

function checkControlNumber(number: number, pointer: string): string {
  if (Number.isInteger(number) && number >= 1 && number <= CONTROL_NUMBER_MAX) return String(number);
  throw new InputRefusal("input_invalid", pointer, `A control number is 1 to ${CONTROL_NUMBER_MAX}`);
}

/** Segments whose elements do not come through the Flattener, and are all simple. */
const ENVELOPE = /^(?:GS|GE|ST|SE|IEA|TA1|ISB|ISE)$/;

function checkSegment(
  { elements, pointer }: FlatSegment,
  characters: InterchangeInput["characters"],
  separators: readonly string[],
): void {
  const [id = ""] = elements;
  if (id === "BIN" || id === "BDS") return;
  for (const [index, value] of elements.entries()) {
    const at = ENVELOPE.test(id) ? pointer : `${pointer}/${elementKey(id, index)}`;
    if (ENVELOPE.test(id) && separators.some((separator) => value.includes(separator))) {
      const message = "The value holds a separator, which X12 cannot express";
      throw new InputRefusal("separator_in_data", at, message, value);
    }
    // Separators themselves may be any character.
    const data = separators.reduce((text, separator) => text.replaceAll(separator, ""), value);
    if (characters === "unicode" || ASCII.test(data)) continue;
    const message = "The value holds a character outside the agreed set";
    throw new InputRefusal("element_character", at, message, value);
  }
}

/** Reads what was written as a strict receiver would, and places its faults in the input. */
function checkText(
  bytes: Uint8Array,
  segments: readonly FlatSegment[],
  separators: Separators,
): InputFault[] {
  const document = parseInterchanges(bytes, {
    encoding: "utf-8",
    repetition: separators.repetition === null ? "never" : "always",
    limits: { bytesMax: Number.MAX_SAFE_INTEGER, segmentsMax: Number.MAX_SAFE_INTEGER },
  });
  checkDocument(document);
  return [...allFaults(document)]
    .filter((fault) => fault.severity === "error")
    .map((fault) => ({ ...fault, pointer: pointerOf(fault, segments) }));
}

function pointerOf({ code, at }: X12Fault, segments: readonly FlatSegment[]): string {
  const segment = segments[at.segment - 1];
  if (segment === undefined) return "";
  if (segment.elements[0] === "ISA") return pointerOfIsa(at.element ?? 0);
  if (code === "segment_missing") return `${segment.pointer.replace(/(\/body)(?=\/|$).*/, "$1")}`;
  if (at.element === null) return segment.pointer;
  const key = elementKey(at.segmentId, at.element);
  return `${segment.pointer}/${key}${at.component === null ? "" : `/${elementKey(at.segmentId, at.element, at.component)}`}`;
}
