import { type AcknowledgmentKind, buildAcknowledgement } from "../../platform/x12/acknowledge.ts";
import type { InterchangeInput } from "../../platform/x12/build-interchange.ts";
import { allFaults, firstError, type X12Fault, type X12Interchange } from "../../platform/x12/model.ts";
import { parseInterchanges } from "../../platform/x12/parse-interchanges.ts";
import {
  parseX12Document,
  toFormatFault,
  type X12MappingInput,
  type X12ReadDocument,
} from "../../platform/x12/parse-x12-document.ts";
import { resolveSettings, type X12SettingsInput } from "../../platform/x12/settings.ts";
import { splitInterchanges } from "./split-interchanges.ts";
import type { InterchangeKey } from "./store.ts";

/** What reading needs to know of a partner; plain data, so that a thread can be given it. */
export interface PartnerRecipe {
  partnerId: string;
  /** `envelopeKey` of the documents that it sends. */
  envelope: string;
  reading: X12SettingsInput;
  acknowledgment: AcknowledgmentKind | undefined;
  ta1: "requested" | "always" | "never";
}

/** One set of an interchange. */
export interface MessageSet {
  code: string;
  controlNumber: string;
  /** Place of its group in the interchange, and its own in the group, from 0. */
  group: number;
  position: number;
  /** GS01 of its group. */
  functionalId: string;
  /** Null for a set that is refused. A thread hands it over as JSON text. */
  input: X12MappingInput | string | null;
}

export interface MessageInterchange {
  /** Null when no partner of the tenant has its envelope. */
  partnerId: string | null;
  key: InterchangeKey;
  /** Can be read as a whole; single groups and sets of it may be refused still. */
  accepted: boolean;
  test: boolean;
  sets: MessageSet[];
  /** The first error in it, with its place. */
  fault: string | null;
  /** TA1 segments in it: what the partner says of interchanges of ours. */
  notices: string[][];
  /** Replies, their control numbers still 1: for an interchange that is new, and for a repeated one. */
  reply: { first: InterchangeInput | null; duplicate: InterchangeInput | null };
}

export interface X12Message {
  interchanges: MessageInterchange[];
  /** What stands in no interchange, or is no X12 at all. */
  fault: string | null;
}

/** By which an interchange finds its partner: sender and receiver of the ISA. */
export function envelopeKey(ids: {
  sender: { qualifier: string; id: string };
  receiver: { qualifier: string; id: string };
}): string {
  const { sender, receiver } = ids;
  return [sender.qualifier, sender.id, receiver.qualifier, receiver.id].join("\u0000");
}

/**
 * Reads a body of X12 for all that is done with it: each interchange with its partner's settings, its sets ready for
 * mapping, its replies. A body over the limit of one document is read interchange by interchange. Never throws on input.
 */
export function readX12Message(
  bytes: Uint8Array,
  partners: readonly PartnerRecipe[],
  time: Date,
): X12Message {
  const byEnvelope = new Map(partners.map((partner) => [partner.envelope, partner]));
  const pieces =
    bytes.byteLength > resolveSettings().limits.bytesMax
      ? splitInterchanges(bytes)
      : [{ start: 0, end: bytes.byteLength }];
  const message: X12Message = { interchanges: [], fault: null };
  for (const { start, end } of pieces) {
    const read = readPiece(bytes.subarray(start, end), byEnvelope, time);
    message.interchanges.push(...read.interchanges);
    message.fault ??= read.fault;
  }
  return message;
}

function readPiece(
  bytes: Uint8Array,
  byEnvelope: ReadonlyMap<string, PartnerRecipe>,
  time: Date,
): X12Message {
  // The envelope decides how the rest is read. A lenient look finds it also where the strict one would not.
  const scan = parseInterchanges(bytes, { mode: "lenient" });
  const readings = new Map<string, X12ReadDocument>();
  const readWith = (settings: X12SettingsInput): X12ReadDocument => {
    const name = JSON.stringify(settings);
    let reading = readings.get(name);
    if (reading === undefined) readings.set(name, (reading = parseX12Document(bytes, settings)));
    return reading;
  };
  const interchanges: MessageInterchange[] = [];
  for (const [index, found] of scan.interchanges.entries()) {
    const partner = byEnvelope.get(envelopeKey(found)) ?? null;
    const reading = readWith(partner?.reading ?? {});
    const interchange = reading.document.interchanges[index];
    // Other settings may cut the document otherwise, so that nothing stands in this place.
    if (interchange !== undefined) interchanges.push(present(interchange, reading, partner, time));
  }
  const outside = firstOf(readings.size === 0 ? scan.faults : [...readings.values()][0]!.document.faults);
  return { interchanges, fault: outside === null ? null : faultText(outside) };
}

function present(
  interchange: X12Interchange,
  { document, sets }: X12ReadDocument,
  partner: PartnerRecipe | null,
  time: Date,
): MessageInterchange {
  const { sender, receiver, controlNumber, accepted, test } = interchange;
  const inner = { ...document, faults: [], interchanges: [interchange] };
  const error = firstError(inner);
  return {
    partnerId: partner?.partnerId ?? null,
    key: { sender, receiver, controlNumber },
    accepted,
    test,
    sets: sets
      .filter((one) => one.interchange === interchange)
      .map(({ set, group, input }) => ({
        code: set.code,
        controlNumber: set.controlNumber,
        group: set.place.group,
        position: set.place.set,
        functionalId: group.functionalId,
        input,
      })),
    fault: error === null ? null : moreText(error, [...allFaults(inner)]),
    notices: interchange.services.filter(({ id }) => id === "TA1").map(({ elements }) => [...elements]),
    reply: {
      first: partner === null ? null : replyTo(interchange, partner, time, false),
      duplicate: partner === null ? null : replyTo(interchange, partner, time, true),
    },
  };
}

/** The reply with numbers that stand for those which are taken when it is stored. */
function replyTo(
  interchange: X12Interchange,
  { acknowledgment, ta1 }: PartnerRecipe,
  time: Date,
  duplicate: boolean,
): InterchangeInput | null {
  const reply = buildAcknowledgement(interchange, {
    kind: acknowledgment ?? "997",
    interchangeControlNumber: 1,
    groupControlNumber: 1,
    setControlNumber: 1,
    time,
    ta1,
    duplicate,
  });
  if (reply === null || acknowledgment !== undefined) return reply;
  return (reply.services ?? []).length === 0 ? null : { ...reply, groups: [] };
}

function firstOf(faults: readonly X12Fault[]): X12Fault | null {
  return faults.find(({ severity }) => severity === "error") ?? null;
}

function faultText(fault: X12Fault): string {
  return `${fault.code}: ${toFormatFault(fault).message}`;
}

function moreText(first: X12Fault, all: readonly X12Fault[]): string {
  const errors = all.filter(({ severity }) => severity === "error").length;
  return faultText(first) + (errors > 1 ? `; and ${errors - 1} more` : "");
}
