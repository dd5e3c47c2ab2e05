import { findSet } from "../../platform/x12/tables/find-set.ts";
import { writeX12Document } from "../../platform/x12/write-x12-document.ts";
import type { Transaction } from "../context.ts";
import { envelopeFor } from "./partner-envelope.ts";
import type { PartnerRow } from "./partner-store.ts";
import { writeDocument, type WrittenDocument } from "./write-document.ts";

/**
 * Writes sets as one interchange for a partner, in the caller's transaction (see `writeDocument`).
 *
 * @param input.sets readable JSON of each set, `ST.ST01` its code
 * @returns bytes, or faults whose pointers point into `sets`
 */
export function writeForPartner(
  tx: Transaction,
  input: { partner: PartnerRow; id: string; sets: readonly unknown[]; now: Date },
): Promise<WrittenDocument> {
  const { partner, id, sets, now } = input;
  const setCodes = sets.map(codeOf);
  return writeDocument(tx, {
    partner,
    id,
    kind: "DOCUMENT",
    setCodes,
    functionalId: functionalIdOf(sets[0], setCodes[0] ?? ""),
    write: (numbers) => writeX12Document(sets, envelopeFor(partner, numbers, now)),
    now,
  });
}

function membersOf(set: unknown, name: string): { [key: string]: unknown } {
  const member = (set as { [key: string]: unknown } | null | undefined)?.[name];
  return typeof member === "object" && member !== null ? (member as { [key: string]: unknown }) : {};
}

function codeOf(set: unknown): string {
  const code = membersOf(set, "ST")["ST01"];
  return typeof code === "string" ? code.slice(0, 3) : "";
}

/** GS01 as it will be written: the set's own, else its table's. */
function functionalIdOf(set: unknown, code: string): string {
  const given = membersOf(set, "GS")["GS01"];
  return typeof given === "string" ? given.slice(0, 2) : (findSet(code)?.functionalId ?? "");
}
