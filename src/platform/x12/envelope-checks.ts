import { isDate, isTime } from "./check-value.ts";
import type { FaultCode } from "./fault-codes.ts";
import { type FaultDetail, recordFault } from "./fault-recorder.ts";
import type { X12Document, X12Fault, X12Group, X12Interchange, X12Segment, X12Set } from "./model.ts";
import { findSet } from "./tables/find-set.ts";

/** What an element of the ISA must look like; the width is checked apart. */
const ISA_CHECKS: readonly { element: number; code: FaultCode; test: (value: string) => boolean }[] = [
  { element: 5, code: "sender_qualifier_invalid", test: (value) => /^[A-Z0-9]{2}$/.test(value) },
  { element: 6, code: "sender_id_invalid", test: (value) => value.trim() !== "" },
  { element: 7, code: "receiver_qualifier_invalid", test: (value) => /^[A-Z0-9]{2}$/.test(value) },
  { element: 8, code: "receiver_id_invalid", test: (value) => value.trim() !== "" },
  { element: 9, code: "interchange_date_invalid", test: isDate },
  { element: 10, code: "interchange_time_invalid", test: isTime },
  { element: 12, code: "interchange_version_invalid", test: (value) => /^\d{5}$/.test(value) },
  { element: 13, code: "interchange_control_number_invalid", test: (value) => /^\d{9}$/.test(value) },
  { element: 14, code: "acknowledgment_requested_invalid", test: (value) => /^[0-3]$/.test(value) },
  { element: 15, code: "usage_invalid", test: (value) => /^[PTI]$/.test(value) },
];

/** Last mandatory element of GS. */
const GS_ELEMENTS = 8;

export function checkInterchangeHeader(
  document: X12Document,
  interchange: X12Interchange,
  place: { interchange: number },
): void {
  const { isa, faults } = interchange;
  for (const { element, code, test } of ISA_CHECKS) {
    const value = isa.elements[element]!;
    if (!test(value)) recordFault(document, faults, code, isa, { place, element, value });
  }
}

/** @param met control numbers of the interchange's groups so far; this one's is added */
export function checkGroupHeader(
  document: X12Document,
  group: X12Group,
  place: { interchange: number; group: number },
  met: Set<number>,
): void {
  const { gs, faults, controlNumber } = group;
  for (let element = 1; element <= GS_ELEMENTS; element += 1) {
    if ((gs.elements[element] ?? "") !== "" || element === 6) continue;
    recordFault(document, faults, "group_incomplete", gs, { place, element });
  }
  const date = gs.elements[4] ?? "";
  if (date !== "" && !(date.length === 8 && isDate(date))) {
    recordFault(document, faults, "group_date_invalid", gs, { place, element: 4, value: date });
  }
  const detail = { place, element: 6, value: controlNumber };
  if (!/^\d{1,9}$/.test(controlNumber)) {
    recordFault(document, faults, "group_control_number_invalid", gs, detail);
  } else if (met.has(Number(controlNumber))) {
    recordFault(document, faults, "group_control_number_duplicate", gs, detail);
  }
  met.add(Number(controlNumber));
}

/** @param met control numbers of the group's sets so far; this one's is added */
export function checkSetHeader(document: X12Document, group: X12Group, set: X12Set, met: Set<string>): void {
  const [st] = set.segments;
  const at = { place: set.place, position: 1 };
  if (!/^[A-Z0-9]{3}$/.test(set.code)) {
    recordFault(document, set.faults, "set_code_invalid", st!, { ...at, element: 1, value: set.code });
  }
  const number = set.controlNumber;
  const detail = { ...at, element: 2, value: number };
  if (number.length < 4 || number.length > 9 || number.trim() === "") {
    recordFault(document, set.faults, "set_control_number_invalid", st!, detail);
  } else if (met.has(number)) {
    recordFault(document, set.faults, "set_control_number_duplicate", st!, detail);
  }
  met.add(number);
  const table = findSet(set.code);
  if (table !== null && table.functionalId !== group.functionalId) {
    recordFault(document, set.faults, "set_wrong_group", st!, { ...at, element: 1, value: set.code });
  }
}

/** What a trailer must repeat. */
export interface TrailerRule {
  count: number;
  countCode: FaultCode;
  number: string;
  numberCode: FaultCode;
  /** Numbers compare without leading zeros, identifiers as text. */
  numeric: boolean;
}

export function checkTrailer(
  document: X12Document,
  faults: X12Fault[],
  segment: X12Segment,
  detail: FaultDetail,
  rule: TrailerRule,
): void {
  const count = segment.elements[1] ?? "";
  if (!/^\d{1,10}$/.test(count) || Number(count) !== rule.count) {
    const message = `${segment.id}01 is ${count === "" ? "empty" : count}, counted: ${rule.count}`;
    recordFault(document, faults, rule.countCode, segment, { ...detail, element: 1, value: count, message });
  }
  const number = segment.elements[2] ?? "";
  if (number === rule.number) return;
  if (rule.numeric && /^\d+$/.test(number) && Number(number) === Number(rule.number)) return;
  const message = `${segment.id}02 is ${number === "" ? "empty" : number}, the header has ${rule.number}`;
  recordFault(document, faults, rule.numberCode, segment, { ...detail, element: 2, value: number, message });
}
