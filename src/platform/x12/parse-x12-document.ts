import type { FormatFault } from "../formats/fault.ts";
import { buildTree } from "./build-tree.ts";
import { checkSet } from "./check-set.ts";
import {
  allFaults,
  type X12Document,
  type X12Fault,
  type X12Group,
  type X12Interchange,
  type X12Set,
} from "./model.ts";
import { judge, parseInterchanges } from "./parse-interchanges.ts";
import { type ReadableLoop, type ReadableSegment, SegmentWriter, setToReadable } from "./readable.ts";
import type { X12SettingsInput } from "./settings.ts";

/**
 * What a mapping of X12 sees of one set: its readable JSON (`B2.B204`, `loop0300[*].S5.S502`) with the headers of its
 * interchange and group beside it as `ISA` and `GS`.
 */
export interface X12MappingInput extends ReadableLoop {
  ISA: ReadableSegment;
  GS: ReadableSegment;
}

/** One set of a document that was read. */
export interface X12ReadSet {
  set: X12Set;
  group: X12Group;
  interchange: X12Interchange;
  /** Null for a set that is refused, or that stands in a refused group or interchange. */
  input: X12MappingInput | null;
}

export interface X12ReadDocument {
  /** With the faults of every check; `document.accepted` tells whether there is an error. */
  document: X12Document;
  /** All sets of all interchanges, in the order of the document. */
  sets: X12ReadSet[];
}

/**
 * Reads a document for mapping: envelopes, loops, every element checked, and a mapping input of each accepted set. A set's
 * tree is built once for its check and its JSON. Never throws on input.
 */
export function parseX12Document(bytes: Uint8Array, settings: X12SettingsInput = {}): X12ReadDocument {
  const document = parseInterchanges(bytes, settings);
  const checked = eachSet(document).map((one) => {
    const tree = buildTree(one.set);
    const ready = one.set.segments.map((): ReadableSegment | undefined => undefined);
    const found = checkSet(one.set, tree, ready);
    document.faultCount += found.length;
    one.set.faults.push(...found);
    return { ...one, tree, ready };
  });
  judge(document);
  const headers = new Map<X12Interchange | X12Group, ReadableSegment>();
  const headerOf = (owner: X12Interchange | X12Group, separators: X12Interchange["separators"]) => {
    let header = headers.get(owner);
    if (header === undefined) {
      header = new SegmentWriter(separators, "004010", null).named("isa" in owner ? owner.isa : owner.gs);
      headers.set(owner, header);
    }
    return header;
  };
  const sets = checked.map(({ interchange, group, set, tree, ready }): X12ReadSet => {
    if (!set.accepted) return { interchange, group, set, input: null };
    const { separators } = interchange;
    const input = setToReadable(set, { tree, ready }) as X12MappingInput;
    input.ISA = headerOf(interchange, separators);
    input.GS = headerOf(group, separators);
    return { interchange, group, set, input };
  });
  return { document, sets };
}

function eachSet(document: X12Document): { interchange: X12Interchange; group: X12Group; set: X12Set }[] {
  return document.interchanges.flatMap((interchange) =>
    interchange.groups.flatMap((group) => group.sets.map((set) => ({ interchange, group, set }))),
  );
}

/** The errors of a document as faults of a format, in its order. */
export function formatFaults(document: X12Document): FormatFault[] {
  return [...allFaults(document)]
    .filter(({ severity }) => severity === "error")
    .sort((left, right) => left.at.segment - right.at.segment)
    .map(toFormatFault);
}

/** A fault with its place: the segment's number in its set (in the document, outside sets), element and component. */
export function toFormatFault({ code, message, at, value }: X12Fault): FormatFault {
  const quoted = value === null || value === "" ? "" : ` (${JSON.stringify(value)})`;
  return {
    code,
    message: `${describePlace(at)}${message}${quoted}`,
    offset: at.offset,
    segment: at.position ?? at.segment,
    ...(at.element !== null && { element: at.element }),
    ...(at.component !== null && { component: at.component }),
  };
}

/** `B2, segment 2 of set 1, element 4: `. */
function describePlace(at: X12Fault["at"]): string {
  const segment = at.segmentId === "" ? "Document" : at.segmentId;
  const where =
    at.set === null || at.position === null
      ? `segment ${at.segment}`
      : `segment ${at.position} of set ${at.set + 1}`;
  const component = at.component === null ? "" : `, component ${at.component}`;
  const element = at.element === null ? "" : `, element ${at.element}${component}`;
  return `${segment}, ${where}${element}: `;
}
