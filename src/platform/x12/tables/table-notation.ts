import type { Assembler } from "../../formats/assemble-object.ts";
import { CODE_LISTS } from "./codes.ts";

/** Form of a value: text, identifier, number with n implied decimals, decimal number, date, time, binary. */
export type ElementType = "AN" | "ID" | "DT" | "TM" | "R" | "B" | `N${number}`;

/** A data element: its reference number, form, and length in characters (without sign and decimal point). */
export interface ElementRule {
  ref: string;
  type: ElementType;
  lengthMin: number;
  lengthMax: number;
  label: string;
}

/** An element's place in a segment or composite. */
export interface PlaceRule {
  /** `B204`; in a composite "", because components are named by the element that they stand in. */
  key: string;
  /** Its value is one text, whatever characters it has: no composite, not repeated, not binary. */
  isPlain: boolean;
  /** Null for a composite. */
  element: ElementRule | null;
  /** Places of a composite's components. */
  components: readonly PlaceRule[] | null;
  /** Reference number of the element, or the composite's id (C030). */
  ref: string;
  label: string;
  mandatory: boolean;
  /** How often the element may be repeated; 1 unless the version knows repetition. */
  repeatMax: number;
  /** The values that it may have, where a short and complete list decides something. */
  codes: ReadonlySet<string> | null;
}

/**
 * Relation between elements: P all or none, R at least one, E at most one, C the first demands the others, L the first
 * demands one of the others.
 */
export interface SyntaxNote {
  kind: "P" | "R" | "E" | "C" | "L";
  places: readonly number[];
  /** The same as bits: bit n for element n; `first` is that of the first one. */
  mask: number;
  first: number;
}

export interface SegmentRule {
  id: string;
  label: string;
  places: readonly PlaceRule[];
  notes: readonly SyntaxNote[];
  /** Number of the last mandatory element; 0 without any. */
  mandatoryLast: number;
  /** By number of elements: makes the readable JSON of as many of the first ones, once somebody needed it. */
  assemblers: (Assembler | undefined)[];
}

/** Reads lines `ref type min max label`. */
export function readElements(text: string): Map<string, ElementRule> {
  const rules = lines(text).map((line): [string, ElementRule] => {
    const [ref = "", type, min, max, ...label] = line.split(" ");
    return [
      ref,
      {
        ref,
        type: type as ElementType,
        lengthMin: Number(min),
        lengthMax: Number(max),
        label: label.join(" "),
      },
    ];
  });
  return new Map(rules);
}

/**
 * Reads lines `id label | 127M 373 C030M*5 … | P0304 …`: elements in order, M for mandatory, `*n` for repetitions, then
 * the relations. A composite's line has the same form.
 */
export function readSegments(
  text: string,
  elements: ReadonlyMap<string, ElementRule>,
): Map<string, SegmentRule> {
  const rules = new Map<string, SegmentRule>();
  for (const line of lines(text)) {
    const [head = "", places = "", notes = ""] = line.split("|").map((part) => part.trim());
    const space = head.indexOf(" ");
    const id = head.slice(0, space);
    const isComposite = /^C\d{3}$/.test(id);
    const read = places.split(" ").map((place, index) => {
      const key = isComposite ? "" : `${id}${String(index + 1).padStart(2, "0")}`;
      return readPlace(place, key, elements, rules);
    });
    // Relations between elements are judged by bits of one number.
    if (read.length > 30) throw new Error(`Segment ${id} has more than 30 elements`);
    rules.set(id, {
      id,
      label: head.slice(space + 1),
      places: read,
      notes: notes === "" ? [] : notes.split(" ").map(readNote),
      mandatoryLast: read.findLastIndex(({ mandatory }) => mandatory) + 1,
      assemblers: [],
    });
  }
  return rules;
}

function readPlace(
  text: string,
  key: string,
  elements: ReadonlyMap<string, ElementRule>,
  earlier: ReadonlyMap<string, SegmentRule>,
): PlaceRule {
  const [, ref = "", mandatory, repeat] = /^(C?I?\d+)(M?)(?:\*(\d+))?$/.exec(text) ?? [];
  const element = elements.get(ref) ?? null;
  const composite = earlier.get(ref);
  if (element === null && composite === undefined) throw new Error(`No element ${text} in the X12 tables`);
  return {
    key,
    isPlain: element !== null && element.type !== "B" && composite === undefined && repeat === undefined,
    element,
    components: composite?.places ?? null,
    ref,
    label: element?.label ?? composite?.label ?? "",
    mandatory: mandatory === "M",
    repeatMax: Number(repeat ?? 1),
    codes: CODE_LISTS.get(ref) ?? null,
  };
}

function readNote(text: string): SyntaxNote {
  const places = (text.slice(1).match(/../g) ?? []).map(Number);
  const bits = places.map((place) => 1 << place);
  return {
    kind: text.charAt(0) as SyntaxNote["kind"],
    places,
    mask: bits.reduce((mask, bit) => mask | bit, 0),
    first: bits[0] ?? 0,
  };
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}
