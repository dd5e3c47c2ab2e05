import type { X12Fault } from "../../platform/x12/model.ts";
import type { BytesOutcome } from "../../platform/x12/readable-input.ts";
import type { Transaction } from "../context.ts";
import { type DocumentKind, getDocumentRow, insertDocumentRow } from "./document-store.ts";
import type { PartnerRow } from "./partner-store.ts";
import { takeControlNumbers } from "./store.ts";

export interface DocumentNumbers {
  interchange: number;
  group: number;
  /** Of the first set; the others count on. */
  set: number;
}

export interface DocumentToWrite {
  partner: PartnerRow;
  /** Made from what the document answers or says: the same id meets what was written before. */
  id: string;
  kind: DocumentKind;
  setCodes: string[];
  /** GS01; null for an interchange without groups. */
  functionalId: string | null;
  write: (numbers: DocumentNumbers) => BytesOutcome;
  now: Date;
}

export type WrittenDocument =
  | { ok: true; isNew: boolean; bytes: Uint8Array; numbers: Pick<DocumentNumbers, "interchange" | "group"> }
  | { ok: false; faults: (X12Fault & { pointer: string })[] };

/** Numbers with which it is tried whether a document can be written at all. */
const TRIAL: DocumentNumbers = { interchange: 1, group: 1, set: 1 };

/**
 * Writes a document for a partner with its next control numbers and keeps it, in the caller's transaction: rolled back,
 * no number is lost. What cannot be written takes no numbers. A document that was written before under the same id comes
 * back as it was.
 */
export async function writeDocument(tx: Transaction, document: DocumentToWrite): Promise<WrittenDocument> {
  const { partner, id, kind, setCodes, functionalId, write, now } = document;
  const { tenantId } = partner;
  const known = await getDocumentRow(tx, tenantId, id);
  if (known !== undefined) {
    const numbers = { interchange: known.interchangeControlNumber, group: known.groupControlNumber ?? 0 };
    return { ok: true, isNew: false, bytes: known.body, numbers };
  }
  const trial = write(TRIAL);
  if (!trial.ok) return trial;
  const take = async (envelope: "ISA" | "GS" | "ST", count: number): Promise<number[]> =>
    count === 0 ? [] : takeControlNumbers(tx, { tenantId, partnerId: partner.id, envelope, count });
  const [interchange = 1] = await take("ISA", 1);
  const [group = 1] = await take("GS", functionalId === null ? 0 : 1);
  const sets = await take("ST", setCodes.length);
  // Numbers that begin anew in the middle of a document would not count on: such a document begins with the new ones.
  const [set = 1] = isConsecutive(sets) ? sets : await take("ST", setCodes.length);
  const written = write({ interchange, group, set });
  if (!written.ok) return written;
  await insertDocumentRow(tx, {
    id,
    tenantId,
    partnerId: partner.id,
    kind,
    setCodes,
    interchangeControlNumber: interchange,
    functionalId,
    groupControlNumber: functionalId === null ? null : group,
    body: written.bytes,
    createdAt: now,
  });
  return { ok: true, isNew: true, bytes: written.bytes, numbers: { interchange, group } };
}

function isConsecutive(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => number === numbers[0]! + index);
}
