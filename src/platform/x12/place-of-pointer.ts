import { Flattener, type FlatSegment } from "./flatten.ts";
import type { X12MappingInput } from "./parse-x12-document.ts";
import { InputRefusal } from "./readable-input.ts";

/** Where in a set a value of its readable JSON stands. Segments count from 1 = ST; of ISA and GS they are told by id. */
export interface X12ValuePlace {
  segment?: number;
  segmentId: string;
  element?: number;
  component?: number;
}

/** Not in any text, so that values go through as they are. */
const SEPARATORS = { element: "\u0000", component: "\u0001", repetition: "\u0002", segment: "\u0003" };

/**
 * Finds the place of a pointer into what a mapping of X12 sees: of the value, or of where it would stand in its segment.
 *
 * @returns undefined for a pointer that leads to no segment
 */
export function placeOfPointer(input: X12MappingInput, pointer: string): X12ValuePlace | undefined {
  const { ISA: _isa, GS: _gs, ...body } = input;
  const header = /^\/(ISA|GS)(?:\/|$)/.exec(pointer)?.[1];
  if (header !== undefined)
    return { segmentId: header, ...elementOf(header, pointer.slice(header.length + 1)) };
  const segments = flatSegments(body);
  const index = segments.findIndex(({ pointer: at }) => pointer === at || pointer.startsWith(`${at}/`));
  // A loop is where its first segment is.
  const place = index === -1 ? segments.findIndex(({ pointer: at }) => at.startsWith(`${pointer}/`)) : index;
  const found = segments[place];
  if (found === undefined || pointer === "") return undefined;
  const segmentId = found.elements[0]!;
  return { segment: place + 1, segmentId, ...elementOf(segmentId, pointer.slice(found.pointer.length)) };
}

function flatSegments(body: { [name: string]: unknown }): FlatSegment[] {
  const code = (body["ST"] as { ST01?: unknown } | undefined)?.ST01;
  try {
    return new Flattener(SEPARATORS, []).set(body, typeof code === "string" ? code : "", "");
  } catch (error) {
    if (error instanceof InputRefusal) return [];
    throw error;
  }
}

/** `/B204` is element 4, `/AK401/AK401-02` component 2 of element 1. */
function elementOf(segmentId: string, rest: string): { element?: number; component?: number } {
  const names = rest.split("/").filter((name) => name.startsWith(segmentId));
  const element = /^\d{2,7}$/.exec(names[0]?.slice(segmentId.length) ?? "")?.[0];
  const component = /-(\d{2})$/.exec(names[1] ?? "")?.[1];
  return {
    ...(element !== undefined && { element: Number(element) }),
    ...(component !== undefined && { component: Number(component) }),
  };
}
