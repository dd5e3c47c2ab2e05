import type { Runtime } from "../../platform/runtime.ts";
import type { X12MappingInput } from "../../platform/x12/parse-x12-document.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import {
  type DocumentRow,
  type DocumentStatus,
  noteAnswerRow,
  type PartnerAnswer,
} from "./document-store.ts";
import { EDI_ACKNOWLEDGED } from "./edi-events.ts";
import type { PartnerRow } from "./partner-store.ts";

type Answered = Exclude<DocumentStatus, "WRITTEN">;
type Members = { [name: string]: unknown };

/** AK901 (element 715); M, W and X are refusals for reasons of security. */
const GROUP_STATUS: Readonly<Record<string, Answered>> = {
  A: "ACCEPTED",
  E: "ACCEPTED_WITH_ERRORS",
  P: "PARTIALLY_ACCEPTED",
};

/** TA104 (element I17). */
const INTERCHANGE_STATUS: Readonly<Record<string, Answered>> = { A: "ACCEPTED", E: "ACCEPTED_WITH_ERRORS" };

/** What a 997 or 999 says of the group that it answers; null when it names none. */
export function readAcknowledgment(
  set: X12MappingInput,
): Pick<PartnerAnswer, "about" | "status" | "answer"> | null {
  const group = membersOf(set["AK1"]);
  const result = membersOf(set["AK9"]);
  const functionalId = textOf(group["AK101"]);
  const number = Number(textOf(group["AK102"]));
  if (functionalId === "" || !Number.isSafeInteger(number) || number < 1) return null;
  const sets = listOf(set["loopAK2"] ?? set["loop2000"]);
  const refused = sets.filter((one) => {
    const trailer = membersOf(one["AK5"] ?? one["IK5"]);
    return !/^[AE]$/.test(textOf(trailer["AK501"] ?? trailer["IK501"]));
  });
  return {
    about: { functionalId, groupControlNumber: number },
    status: GROUP_STATUS[textOf(result["AK901"])] ?? "REJECTED",
    answer: { AK9: result, ...(refused.length > 0 && { refused }) },
  };
}

/** What a TA1 says of the interchange that it answers; null when it names none. */
export function readNotice(
  elements: readonly string[],
): Pick<PartnerAnswer, "about" | "status" | "answer"> | null {
  const [, control = "", , , status = "", note = ""] = elements;
  if (!/^\d{1,9}$/.test(control)) return null;
  return {
    about: { interchangeControlNumber: Number(control) },
    status: INTERCHANGE_STATUS[status] ?? "REJECTED",
    answer: { TA1: { status, note } },
  };
}

/**
 * Notes what a partner said of a document of ours, and tells it by an `edi.acknowledged` event. An answer to nothing that
 * is known is passed over: documents are kept for LOG_RETENTION_DAYS.
 *
 * @throws when Postgres is away
 */
export async function noteAnswer(
  runtime: Runtime,
  partner: PartnerRow,
  answer: Pick<PartnerAnswer, "about" | "status" | "answer">,
  correlationId: string,
): Promise<DocumentRow | undefined> {
  const { tenantId, id: partnerId } = partner;
  const answeredAt = new Date(runtime.clock.nowMs());
  return runtime.sqlSystem.begin(async (tx) => {
    const row = await noteAnswerRow(tx, { ...answer, tenantId, partnerId, answeredAt });
    if (row === undefined) return undefined;
    await publishHubEvents(tx, [
      {
        tenantId,
        type: EDI_ACKNOWLEDGED,
        data: {
          documentId: row.id,
          partnerId,
          partnerName: partner.name,
          setCodes: row.setCodes,
          interchangeControlNumber: row.interchangeControlNumber,
          status: row.status,
          answer: row.answer,
        },
        orderingKey: partnerId,
        correlationId,
        occurredAt: answeredAt,
      },
    ]);
    return row;
  });
}

function membersOf(value: unknown): Members {
  return typeof value === "object" && value !== null ? (value as Members) : {};
}

function listOf(value: unknown): Members[] {
  return Array.isArray(value) ? value.map(membersOf) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
