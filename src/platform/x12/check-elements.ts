import { checkValue } from "./check-value.ts";
import type { FaultCode } from "./fault-codes.ts";
import { type FaultDetail, type FaultSink, recordFault } from "./fault-recorder.ts";
import type { Separators, X12Fault, X12Segment } from "./model.ts";
import type { PlaceRule, SegmentRule, SyntaxNote } from "./tables/table-notation.ts";

/** One segment's check: where its faults go and what is common to them. */
interface SegmentCheck {
  sink: FaultSink;
  faults: X12Fault[];
  segment: X12Segment;
  detail: FaultDetail;
  separators: Separators;
}

/** Checks the elements of one segment: presence, form, codes, components, repetitions and the relations between them. */
export function checkElements(check: SegmentCheck, rule: SegmentRule): void {
  const { elements } = check.segment;
  const { places, notes } = rule;
  for (let index = 0; index < places.length; index += 1) {
    const value = elements[index + 1] ?? "";
    const place = places[index]!;
    if (value !== "") checkElement(check, place, value, index + 1);
    else if (place.mandatory) fault(check, "element_missing", place, { element: index + 1 });
  }
  const extra = elements.findIndex((value, index) => index > places.length && value !== "");
  if (extra !== -1) fault(check, "element_unexpected", null, { element: extra, value: elements[extra]! });
  for (const note of notes) {
    checkNote(
      check,
      note,
      (place) => (elements[place] ?? "") !== "",
      (element) => ({
        rule: places[element - 1] ?? null,
        at: { element },
      }),
    );
  }
}

function checkElement(check: SegmentCheck, place: PlaceRule, value: string, element: number): void {
  const { repetition } = check.separators;
  if (repetition === null || place.element?.type === "B" || !value.includes(repetition)) {
    return checkOccurrence(check, place, value, { element });
  }
  const parts = value.split(repetition);
  if (parts.length > place.repeatMax) return fault(check, "repetition_unexpected", place, { element, value });
  for (const [index, part] of parts.entries()) {
    if (part !== "") checkOccurrence(check, place, part, { element, repetition: index + 1 });
  }
}

function checkOccurrence(check: SegmentCheck, place: PlaceRule, value: string, at: FaultDetail): void {
  const { component } = check.separators;
  if (place.element !== null) {
    if (place.element.type !== "B" && value.includes(component)) {
      return fault(check, "component_unexpected", place, { ...at, value });
    }
    return checkLeaf(check, place, value, at);
  }
  const parts = value.split(component);
  const components = place.components ?? [];
  for (let index = 0; index < components.length; index += 1) {
    const part = parts[index] ?? "";
    const leaf = components[index]!;
    const where = { ...at, component: index + 1 };
    if (part !== "") checkLeaf(check, leaf, part, where);
    else if (leaf.mandatory) fault(check, "element_missing", leaf, where);
  }
  const extra = parts.findIndex((part, index) => index >= components.length && part !== "");
  if (extra !== -1) fault(check, "component_unexpected", place, { ...at, component: extra + 1, value });
}

function checkLeaf(check: SegmentCheck, place: PlaceRule, value: string, at: FaultDetail): void {
  const code = checkValue(value, place.element!);
  if (code !== null) return fault(check, code, place, { ...at, value });
  if (place.codes !== null && !place.codes.has(value)) fault(check, "element_code", place, { ...at, value });
}

/** X12.6, relational conditions: P paired, R required, E exclusion, C conditional, L list conditional. */
function checkNote(
  check: SegmentCheck,
  note: SyntaxNote,
  has: (place: number) => boolean,
  describe: (place: number) => { rule: PlaceRule | null; at: FaultDetail },
): void {
  const present = note.places.filter(has);
  const missing = note.places.filter((place) => !has(place));
  const [first = 0] = note.places;
  const report = (code: FaultCode, place: number): void => {
    const { rule, at } = describe(place);
    fault(check, code, rule, at);
  };
  switch (note.kind) {
    case "P":
      if (present.length > 0 && missing.length > 0) report("element_condition", missing[0]!);
      break;
    case "R":
      if (present.length === 0) report("element_condition", first);
      break;
    case "E":
      if (present.length > 1) report("element_exclusion", present[1]!);
      break;
    case "C":
      if (has(first) && missing.length > 0) report("element_condition", missing[0]!);
      break;
    case "L":
      if (has(first) && present.length === 1) report("element_condition", missing[0]!);
      break;
  }
}

function fault(check: SegmentCheck, code: FaultCode, rule: PlaceRule | null, detail: FaultDetail): void {
  const reference = rule?.element?.ref ?? null;
  recordFault(check.sink, check.faults, code, check.segment, { ...check.detail, ...detail, reference });
}
