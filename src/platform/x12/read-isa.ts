import type { FaultCode } from "./fault-codes.ts";
import type { Separators, X12Segment } from "./model.ts";
import type { X12Settings } from "./settings.ts";

/** Widths of ISA01 to ISA15; ISA16 is the component separator itself. */
const ISA_WIDTHS = [2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1] as const;

/** Sixteen separators stand within this of the start even in the worst ISA that was seen (fixed width is 105). */
const ISA_CHARACTERS_MAX = 512;

/** First interchange version with a repetition separator in ISA11. */
const REPETITION_VERSION = "00402";

export interface IsaFault {
  code: FaultCode;
  element: number | null;
}

export type IsaOutcome =
  | { ok: true; isa: X12Segment; separators: Separators; next: number; faults: IsaFault[] }
  | { ok: false; code: FaultCode; element: number | null };

/**
 * Reads the ISA segment at `start` of the text. Its separators are found by walking to the 16th one instead of by
 * column, because headers of other widths than 106 exist; each is one code point.
 *
 * @returns the segment, the separators, the offset after its terminator, and the faults that do not prevent reading on
 */
export function readIsa(text: string, start: number, ordinal: number, settings: X12Settings): IsaOutcome {
  const element = codePoint(text, start + 3);
  if (isPlain(element)) return { ok: false, code: "isa_malformed", element: null };
  const head = text.slice(start, start + ISA_CHARACTERS_MAX);
  const elements = ["ISA"];
  let inHead = 3;
  for (let count = 1; count <= 15; count += 1) {
    const from = inHead + element.length;
    inHead = head.indexOf(element, from);
    if (inHead === -1) return { ok: false, code: "isa_malformed", element: count };
    elements.push(head.slice(from, inHead));
  }
  const at = start + inHead;
  const component = codePoint(text, at + element.length);
  const end = at + element.length + component.length;
  const segment = codePoint(text, end);
  if (component === "" || segment === "") return { ok: false, code: "isa_malformed", element: 16 };
  elements.push(component);
  if (isPlain(component)) return { ok: false, code: "separator_invalid", element: 16 };
  if (isPlain(segment)) return { ok: false, code: "separator_invalid", element: null };

  const faults: IsaFault[] = [];
  const wrong = ISA_WIDTHS.findIndex((width, index) => elements[index + 1]!.length !== width);
  if (wrong !== -1) faults.push({ code: "isa_length", element: wrong + 1 });
  const repetition = readRepetition(elements[11]!, elements[12]!, settings, faults);
  const separators = { element, component, repetition, segment };
  const equal = findEqual(separators);
  if (equal !== null) return { ok: false, code: "separator_equal", element: equal };
  const isa: X12Segment = { kind: "segment", id: "ISA", elements, start, end, ordinal };
  return { ok: true, isa, separators, next: end + segment.length, faults };
}

function readRepetition(
  isa11: string,
  version: string,
  settings: X12Settings,
  faults: IsaFault[],
): string | null {
  if (settings.repetition === "never") return null;
  if (settings.repetition === "version" && version < REPETITION_VERSION) return null;
  if (isa11 !== "" && codePoint(isa11, 0) === isa11 && !isPlain(isa11)) return isa11;
  faults.push({ code: "repetition_separator_invalid", element: 11 });
  return null;
}

/** The element that gives the second of two equal separators; 0 stands for the terminator. */
function findEqual({ element, component, repetition, segment }: Separators): number | null {
  if (component === element) return 16;
  if (repetition !== null && (repetition === element || repetition === component)) return 11;
  if (segment === element || segment === component || segment === repetition) return 16;
  return null;
}

/** Letters, digits and the space are data and can separate nothing; nor can the end of the text. */
function isPlain(character: string): boolean {
  return character === "" || /^[\p{L}\p{N} ]$/u.test(character);
}

function codePoint(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? "" : String.fromCodePoint(code);
}
