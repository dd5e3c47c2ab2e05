import type { FaultCode } from "./fault-codes.ts";
import type { X12Settings } from "./settings.ts";

/** What separates. Each is one code point; `repetition` is null where the document cannot repeat elements. */
export interface Separators {
  element: string;
  component: string;
  repetition: string | null;
  segment: string;
}

/** One segment. `start` and `end` are UTF-16 offsets into the document's text, `end` before the terminator. */
export interface X12Segment {
  kind: "segment";
  id: string;
  /** Raw values: [0] is the id, [n] is element n; composites and repetitions are not yet apart. */
  elements: readonly string[];
  start: number;
  end: number;
  /** Place in the document; the first is 1. */
  ordinal: number;
}

/** Where a fault is. Counts of segments, elements, components and repetitions begin with 1, the others with 0. */
export interface FaultPlace {
  interchange: number | null;
  group: number | null;
  set: number | null;
  /** Place of the segment in the document. */
  segment: number;
  segmentId: string;
  /** Place of the segment in its set; ST is 1. */
  position: number | null;
  loop: string | null;
  element: number | null;
  component: number | null;
  repetition: number | null;
  /** Byte of the input. */
  offset: number;
}

export interface X12Fault {
  code: FaultCode;
  severity: "error" | "warning";
  message: string;
  at: FaultPlace;
  /** Reference number of the data element, where a table gives one. */
  reference: string | null;
  /** The value at fault, at most 99 characters. */
  value: string | null;
}

export interface X12Party {
  qualifier: string;
  /** Without the blanks that fill ISA06 and ISA08. */
  id: string;
}

export interface X12Set {
  /** ST01 and ST02. */
  code: string;
  controlNumber: string;
  /** GS08 of its group. */
  version: string;
  /** ST to SE. */
  segments: X12Segment[];
  /** Whether the last segment is its SE. */
  complete: boolean;
  faults: X12Fault[];
  /** No error in it, its group or its interchange. */
  accepted: boolean;
  separators: Separators;
  place: { interchange: number; group: number; set: number };
  document: X12Document;
}

export interface X12Group {
  gs: X12Segment;
  ge: X12Segment | null;
  /** GS01. */
  functionalId: string;
  /** GS02 and GS03. */
  sender: string;
  receiver: string;
  controlNumber: string;
  /** GS08. */
  version: string;
  sets: X12Set[];
  /** Segments in it that are in no set. */
  strays: X12Segment[];
  faults: X12Fault[];
  accepted: boolean;
}

export interface X12Interchange {
  separators: Separators;
  isa: X12Segment;
  iea: X12Segment | null;
  sender: X12Party;
  receiver: X12Party;
  /** ISA12. */
  version: string;
  controlNumber: string;
  acknowledgmentRequested: string;
  /** ISA15 is T. */
  test: boolean;
  /** TA1, ISB and ISE before the first group. */
  services: X12Segment[];
  groups: X12Group[];
  /** Other segments outside groups. */
  strays: X12Segment[];
  faults: X12Fault[];
  accepted: boolean;
}

export interface X12Document {
  /** The text that was read: without line breaks where the settings take them out. */
  text: string;
  /** The code of each UTF-16 unit of `text` that is ASCII; 128 or more for every other one. */
  codes: Uint8Array;
  encoding: "ascii" | "utf-8" | "latin1";
  /** Offsets in the original text of the line breaks that were taken out, with what stood there. */
  lineBreaks: readonly { offset: number; text: string }[];
  settings: X12Settings;
  interchanges: X12Interchange[];
  /** Faults outside any interchange. */
  faults: X12Fault[];
  /** No error anywhere. */
  accepted: boolean;
  faultCount: number;
  /** Byte of the input at an offset of `text`. */
  byteOffset: (offset: number) => number;
}

/** All faults, outer before inner, in the order of the document within a level. */
export function* allFaults(document: X12Document): Generator<X12Fault> {
  yield* document.faults;
  for (const interchange of document.interchanges) {
    yield* interchange.faults;
    for (const group of interchange.groups) {
      yield* group.faults;
      for (const set of group.sets) yield* set.faults;
    }
  }
}

/** The error that stands first in the document; null when it is accepted. */
export function firstError(document: X12Document): X12Fault | null {
  let first: X12Fault | null = null;
  for (const fault of allFaults(document)) {
    if (fault.severity === "error" && (first === null || fault.at.segment < first.at.segment)) first = fault;
  }
  return first;
}
