import {
  buildInterchange,
  type GroupInput,
  type InterchangeInput,
  type SetInput,
} from "./build-interchange.ts";
import { asObject, type BytesOutcome, type InputFault, InputRefusal, outcomeOf } from "./readable-input.ts";

/** What an interchange needs besides its sets. */
export type X12Envelope = Omit<InterchangeInput, "groups" | "services"> & {
  group: Pick<GroupInput, "sender" | "receiver" | "version" | "controlNumber">;
  /** ST02 of the first set; the others count on. */
  setControlNumber: number;
};

/**
 * Writes what a mapping to X12 made: one set as its readable JSON, or a list of them. `ST.ST01` names the set, `GS.GS01`
 * the group of a set that has no table; the rest of ISA, GS, GE and SE is the envelope's business and is passed over,
 * as is `partner`, by which a mapping names whom the document is for.
 *
 * @returns bytes, or faults whose pointers point into `output`
 */
export function writeX12Document(output: unknown, envelope: X12Envelope): BytesOutcome {
  const list = Array.isArray(output);
  const outcome = outcomeOf(() => {
    const items: unknown[] = list ? (output as unknown[]) : [output];
    if (items.length === 0) throw new InputRefusal("input_invalid", "", "There is no set to write");
    const { group, setControlNumber, ...rest } = envelope;
    const sets = items.map((item, index) => readSet(item, list ? `/${index}` : "", setControlNumber + index));
    const { GS01: functionalId } = membersOf(items[0], "GS");
    const named = typeof functionalId === "string" && functionalId !== "" ? { functionalId } : {};
    return buildInterchange({ ...rest, groups: [{ ...group, ...named, sets }] });
  });
  if (outcome.ok) return outcome;
  return { ok: false, faults: outcome.faults.map((fault) => placeInOutput(fault, list)) };
}

/**
 * The envelope that a document itself names by `ISA` (ISA05 to ISA08, ISA12 to ISA15) and `GS` (GS02, GS03, GS06, GS08):
 * for documents that no partner's numbers belong to, such as previews. What it does not name is `ZZ`, `SENDER`, `RECEIVER`,
 * 004010, test and number 1.
 */
export function envelopeOf(output: unknown, time: Date): X12Envelope {
  const first: unknown = Array.isArray(output) ? output[0] : output;
  const isa = membersOf(first, "ISA");
  const gs = membersOf(first, "GS");
  const text = (from: { [key: string]: unknown }, key: string, otherwise: string): string => {
    const value = from[key];
    return typeof value === "string" && value.trim() !== "" ? value.trim() : otherwise;
  };
  const number = (digits: string): number =>
    /^\d{1,9}$/.test(digits) && Number(digits) > 0 ? Number(digits) : 1;
  return {
    sender: { qualifier: text(isa, "ISA05", "ZZ"), id: text(isa, "ISA06", "SENDER") },
    receiver: { qualifier: text(isa, "ISA07", "ZZ"), id: text(isa, "ISA08", "RECEIVER") },
    version: text(isa, "ISA12", "00401"),
    controlNumber: number(text(isa, "ISA13", "1")),
    acknowledgmentRequested: text(isa, "ISA14", "0") === "1",
    test: text(isa, "ISA15", "T") === "T",
    time,
    group: {
      sender: text(gs, "GS02", text(isa, "ISA06", "SENDER")),
      receiver: text(gs, "GS03", text(isa, "ISA08", "RECEIVER")),
      version: text(gs, "GS08", "004010"),
      controlNumber: number(text(gs, "GS06", "1")),
    },
    setControlNumber: number(text(membersOf(first, "ST"), "ST02", "1")),
  };
}

function membersOf(value: unknown, name: string): { [key: string]: unknown } {
  if (typeof value !== "object" || value === null) return {};
  const member: unknown = (value as { [key: string]: unknown })[name];
  return typeof member === "object" && member !== null ? (member as { [key: string]: unknown }) : {};
}

function readSet(item: unknown, pointer: string, controlNumber: number): SetInput {
  const { ISA: _isa, GS: _gs, GE: _ge, ST, SE: _se, partner: _partner, ...body } = asObject(item, pointer);
  const { ST01: code, ST03: guide } = asObject(ST, `${pointer}/ST`);
  if (typeof code !== "string" || !/^[A-Z0-9]{3}$/.test(code)) {
    throw new InputRefusal(
      "input_invalid",
      `${pointer}/ST/ST01`,
      "The set's code is needed, for example 990",
    );
  }
  return { code, controlNumber, body, ...(typeof guide === "string" && guide !== "" && { guide }) };
}

const ENVELOPE_POINTERS: Readonly<Record<string, string>> = {
  "/sender/qualifier": "/ISA/ISA05",
  "/sender/id": "/ISA/ISA06",
  "/receiver/qualifier": "/ISA/ISA07",
  "/receiver/id": "/ISA/ISA08",
  "/version": "/ISA/ISA12",
  "/controlNumber": "/ISA/ISA13",
};

/** Faults name the interchange that was built; its only group has the sets of the output. */
function placeInOutput(fault: InputFault, list: boolean): InputFault {
  const inSet = /^\/groups\/0\/sets\/(\d+)(?:\/body)?(.*)$/.exec(fault.pointer);
  if (inSet !== null) return { ...fault, pointer: `${list ? `/${inSet[1]}` : ""}${inSet[2]}` };
  return {
    ...fault,
    pointer: ENVELOPE_POINTERS[fault.pointer] ?? fault.pointer.replace(/^\/groups\/0/, "/GS"),
  };
}
