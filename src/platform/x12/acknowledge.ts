import type { GroupInput, InterchangeInput, SetInput } from "./build-interchange.ts";
import { FAULT_KINDS } from "./fault-codes.ts";
import type { X12Fault, X12Group, X12Interchange, X12Party, X12Set } from "./model.ts";

/** Set that answers: 997 in the group's own version family, 999 for 005010. */
export type AcknowledgmentKind = "997" | "999";

export interface AcknowledgmentOptions {
  kind: AcknowledgmentKind;
  /** Control numbers of the reply. The group's is not used when no group is acknowledged. */
  interchangeControlNumber: number;
  groupControlNumber: number;
  /** Of the first set; the others count on. */
  setControlNumber: number;
  time: Date;
  /**
   * TA1: `requested` as ISA14 asks (1 always; 2 and 3 when it is refused or has errors), `always`, `never`. A refused
   * interchange is told in any case but `never`: its groups are not acknowledged.
   */
  ta1: "requested" | "always" | "never";
  /** The caller's store has seen sender, receiver and control number before: TA1 with 025, and nothing else. */
  duplicate?: boolean;
  newline?: string;
}

/** Longest list of codes in AK5 and AK9. */
const CODES_MAX = 5;
/** Most AK4 in one AK3. */
const ELEMENT_NOTES_MAX = 99;
/** What stands for an interchange fault that has no note code of its own: invalid content. */
const NOTE_CONTENT = "024";
const NOTE_DUPLICATE = "025";
const NOTE_NONE = "000";

/**
 * The reply to an interchange: TA1 where it is asked for, and a 997 or 999 set for each of its groups, with the codes of
 * every fault found so far (call `checkDocument` first). Acknowledgments themselves (GS01 FA) are never acknowledged.
 * Sender and receiver change places.
 *
 * @returns input of `buildInterchange`; null when there is nothing to tell, or nobody that ISA05 to ISA08 name
 */
export function buildAcknowledgement(
  interchange: X12Interchange,
  options: AcknowledgmentOptions,
): InterchangeInput | null {
  const refused = options.duplicate === true || !interchange.accepted;
  const groups = refused ? [] : interchange.groups.filter((group) => group.functionalId !== "FA");
  const services = wantsTa1(interchange, options, refused) ? [composeTa1(interchange, options)] : [];
  if (services.length === 0 && groups.length === 0) return null;
  if (!isAddress(interchange.sender, interchange) || !isAddress(interchange.receiver, interchange))
    return null;
  const { separators } = interchange;
  const received = /^\d{5}$/.test(interchange.version) ? interchange.version : "00401";
  const version = options.kind === "999" ? "00501" : received;
  return {
    separators: {
      element: separators.element,
      component: separators.component,
      segment: separators.segment,
      ...(separators.repetition !== null && { repetition: separators.repetition }),
    },
    ...(options.newline !== undefined && { newline: options.newline }),
    sender: interchange.receiver,
    receiver: interchange.sender,
    version,
    controlNumber: options.interchangeControlNumber,
    test: interchange.test,
    time: options.time,
    services,
    groups: groups.length === 0 ? [] : [composeGroup(interchange, groups, options)],
  };
}

/** A broken ISA can hold what no ISA may: nobody can be answered there. */
function isAddress({ qualifier, id }: X12Party, interchange: X12Interchange): boolean {
  return /^[A-Z0-9]{2}$/.test(qualifier) && id !== "" && id.length <= 15 && clean(id, interchange) === id;
}

function wantsTa1(interchange: X12Interchange, options: AcknowledgmentOptions, refused: boolean): boolean {
  if (options.ta1 !== "requested") return options.ta1 === "always";
  const asked = interchange.acknowledgmentRequested;
  return refused || asked === "1" || (asked === "3" && interchange.faults.some(hasNote));
}

function composeTa1(interchange: X12Interchange, options: AcknowledgmentOptions): string[] {
  const { elements } = interchange.isa;
  const errors = interchange.faults.filter((fault) => fault.severity === "error");
  const noted = interchange.faults.find(hasNote);
  const [status, note] =
    options.duplicate === true
      ? ["R", NOTE_DUPLICATE]
      : errors.length > 0
        ? ["R", FAULT_KINDS[errors[0]!.code].interchangeCode ?? NOTE_CONTENT]
        : noted !== undefined
          ? ["E", FAULT_KINDS[noted.code].interchangeCode!]
          : ["A", NOTE_NONE];
  return ["TA1", digits(elements[13]!, 9), digits(elements[9]!, 6), digits(elements[10]!, 4), status!, note!];
}

function hasNote(fault: X12Fault): boolean {
  return FAULT_KINDS[fault.code].interchangeCode !== undefined;
}

function composeGroup(
  interchange: X12Interchange,
  groups: readonly X12Group[],
  options: AcknowledgmentOptions,
): GroupInput {
  const [first] = groups as [X12Group];
  const is999 = options.kind === "999";
  return {
    functionalId: "FA",
    sender: clean(first.receiver, interchange) || interchange.receiver.id,
    receiver: clean(first.sender, interchange) || interchange.sender.id,
    version: is999 ? "005010X231A1" : clean(first.version, interchange).slice(0, 6) || "004010",
    controlNumber: options.groupControlNumber,
    sets: groups.map((group, index): SetInput => ({
      code: options.kind,
      controlNumber: options.setControlNumber + index,
      ...(is999 && { guide: "005010X231A1" }),
      body: composeBody(interchange, group, is999),
    })),
  };
}

function composeBody(interchange: X12Interchange, group: X12Group, is999: boolean): object {
  const results = group.sets.map((set) => ({ set, result: judgeSet(set) }));
  const groupRefused = group.faults.some((fault) => fault.severity === "error");
  const accepted = groupRefused ? 0 : results.filter(({ result }) => result !== "R").length;
  const status = groupRefused ? "R" : judgeGroup(group, results, accepted);
  const codes = codesOf(group.faults, "groupCode");
  const received = group.sets.length;
  const counted = group.ge?.elements[1] ?? "";
  return {
    AK1: {
      AK101: clean(group.functionalId, interchange).padEnd(2, "Z").slice(0, 2),
      AK102: digits(group.controlNumber, 1),
      ...(is999 && group.version !== "" && { AK103: clean(group.version, interchange).slice(0, 12) }),
    },
    [is999 ? "loop2000" : "loopAK2"]: results.map(({ set, result }) =>
      composeSetResult(interchange, set, result, is999),
    ),
    AK9: {
      AK901: status,
      AK902: /^\d{1,6}$/.test(counted) ? counted : String(received),
      AK903: String(received),
      AK904: String(accepted),
      ...listed(codes, "AK9", 5),
    },
  };
}

function judgeGroup(
  group: X12Group,
  results: readonly { result: "A" | "E" | "R" }[],
  accepted: number,
): "A" | "E" | "P" | "R" {
  if (accepted === 0 && results.length > 0) return "R";
  if (accepted < results.length) return "P";
  const noted = codesOf(group.faults, "groupCode").length > 0 || results.some(({ result }) => result === "E");
  return noted ? "E" : "A";
}

/** A fault that a 997 has a code for is an error (R) or noted (E); others are the receiver's own matter. */
function judgeSet(set: X12Set): "A" | "E" | "R" {
  if (set.faults.some((fault) => fault.severity === "error")) return "R";
  const noted = set.faults.some(({ code }) => {
    const kind = FAULT_KINDS[code];
    return (kind.setCode ?? kind.segmentCode ?? kind.elementCode) !== undefined;
  });
  return noted ? "E" : "A";
}

function composeSetResult(
  interchange: X12Interchange,
  set: X12Set,
  result: "A" | "E" | "R",
  is999: boolean,
): object {
  const notes = composeNotes(interchange, set, is999);
  const codes = codesOf(set.faults, "setCode");
  if (notes.length > 0) codes.push("5");
  const trailer = is999 ? "IK5" : "AK5";
  const guide = set.segments[0]!.elements[3] ?? "";
  return {
    AK2: {
      AK201: clean(set.code, interchange).padStart(3, "0").slice(0, 3),
      AK202: clean(set.controlNumber, interchange).trim().padStart(4, "0").slice(0, 9),
      ...(is999 && guide !== "" && { AK203: clean(guide, interchange).slice(0, 35) }),
    },
    [is999 ? "loop2100" : "loopAK3"]: notes,
    [trailer]: { [`${trailer}01`]: result, ...listed(codes, trailer, 2) },
  };
}

/** One AK3 (IK3) for each segment fault, and one with its AK4s for the element faults of a segment. */
function composeNotes(interchange: X12Interchange, set: X12Set, is999: boolean): object[] {
  const notes: { position: number; note: object }[] = [];
  const bySegment = new Map<number, X12Fault[]>();
  const add = (fault: X12Fault, code: string, elements: readonly X12Fault[]): void => {
    const position = fault.at.position ?? 1;
    notes.push({ position, note: composeNote(interchange, fault, code, elements, is999) });
  };
  for (const fault of set.faults) {
    const kind = FAULT_KINDS[fault.code];
    if (kind.elementCode !== undefined) {
      const there = bySegment.get(fault.at.segment);
      if (there === undefined) bySegment.set(fault.at.segment, [fault]);
      else there.push(fault);
    } else if (kind.segmentCode !== undefined) add(fault, kind.segmentCode, []);
  }
  for (const faults of bySegment.values()) add(faults[0]!, "8", faults);
  return notes.sort((left, right) => left.position - right.position).map(({ note }) => note);
}

function composeNote(
  interchange: X12Interchange,
  fault: X12Fault,
  code: string,
  elements: readonly X12Fault[],
  is999: boolean,
): object {
  const name = is999 ? "IK3" : "AK3";
  const id = clean(fault.at.segmentId, interchange).trim();
  const note = {
    [name]: {
      [`${name}01`]: id.length < 2 ? id.padEnd(2, "?") : id.slice(0, 3),
      [`${name}02`]: String(fault.at.position ?? 1),
      ...(fault.at.loop !== null && { [`${name}03`]: fault.at.loop }),
      [`${name}04`]: code,
    },
  };
  if (elements.length === 0) return note;
  const details = elements.slice(0, ELEMENT_NOTES_MAX).map((at) => composeElement(interchange, at, is999));
  return is999 ? { ...note, loop2110: details.map((IK4) => ({ IK4 })) } : { ...note, AK4: details };
}

function composeElement(interchange: X12Interchange, fault: X12Fault, is999: boolean): object {
  const name = is999 ? "IK4" : "AK4";
  const { element, component, repetition } = fault.at;
  const { elementCode, elementCode999 } = FAULT_KINDS[fault.code];
  const place = {
    [`${name}01-01`]: String(Math.min(element ?? 1, 99)),
    ...(component !== null && { [`${name}01-02`]: String(component) }),
    ...(is999 && repetition !== null && { [`${name}01-03`]: String(repetition) }),
  };
  const value = fault.value === null ? "" : clean(fault.value, interchange);
  return {
    [`${name}01`]: place,
    ...(/^\d{1,4}$/.test(fault.reference ?? "") && { [`${name}02`]: fault.reference }),
    [`${name}03`]: (is999 ? elementCode999 : undefined) ?? elementCode,
    ...(value.trim() !== "" && { [`${name}04`]: value }),
  };
}

/** Different codes of one kind, in the order of their faults. */
function codesOf(faults: readonly X12Fault[], kind: "groupCode" | "setCode"): string[] {
  const codes = new Set<string>();
  for (const { code } of faults) {
    const found = FAULT_KINDS[code][kind];
    if (found !== undefined) codes.add(found);
  }
  return [...codes];
}

/** Codes as the elements from `first` on. */
function listed(codes: readonly string[], segment: string, first: number): { [key: string]: string } {
  const entries = codes
    .slice(0, CODES_MAX)
    .map((code, index): [string, string] => [`${segment}0${first + index}`, code]);
  return Object.fromEntries(entries);
}

/** A copy of received text that can stand in the reply: without its separators and without control characters. */
function clean(text: string, { separators }: X12Interchange): string {
  const parts = [separators.element, separators.component, separators.segment, separators.repetition ?? "^"];
  const plain = parts.reduce((rest, separator) => rest.replaceAll(separator, " "), text);
  return plain.replaceAll(/[^\x20-\x7e]/g, " ");
}

/** The digits of a number as received, at least `length` of them. */
function digits(text: string, length: number): string {
  return text.replaceAll(/\D/g, "").slice(0, 9).padStart(length, "0");
}
