import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";

export type DocumentKind = "ACKNOWLEDGMENT" | "DOCUMENT";
export type DocumentStatus =
  | "WRITTEN"
  | "ACCEPTED"
  | "ACCEPTED_WITH_ERRORS"
  | "PARTIALLY_ACCEPTED"
  | "REJECTED";

/** A row of x12_documents. */
export interface DocumentRow {
  id: string;
  tenantId: string;
  partnerId: string;
  kind: DocumentKind;
  setCodes: string[];
  interchangeControlNumber: number;
  functionalId: string | null;
  groupControlNumber: number | null;
  body: Uint8Array;
  status: DocumentStatus;
  answeredAt: Date | null;
  answer: unknown;
  createdAt: Date;
}

/** Rows over the time that one call takes away, so that the table stays as large as that time. */
const EXPIRED_ROWS_MAX = 100;

const columns = (sql: Sql | Transaction) => sql`
  id, tenant_id as "tenantId", partner_id as "partnerId", kind, set_codes as "setCodes",
  interchange_control_number as "interchangeControlNumber", functional_id as "functionalId",
  group_control_number as "groupControlNumber", body, status, answered_at as "answeredAt", answer,
  created_at as "createdAt"`;

export async function getDocumentRow(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<DocumentRow | undefined> {
  const [row] = await tx<DocumentRow[]>`
    select ${columns(tx)} from x12_documents where tenant_id = ${tenantId} and id = ${id}`;
  return row;
}

/** A page of a partner's documents, newest first; `before` is the time and id of the last one seen. */
export async function listDocumentRows(
  tx: Transaction,
  tenantId: string,
  partnerId: string,
  page: { limit: number; beforeId: string | undefined },
): Promise<DocumentRow[]> {
  const { limit, beforeId } = page;
  const after =
    beforeId === undefined
      ? tx``
      : tx`and (created_at, id) < (select created_at, id from x12_documents where tenant_id = ${tenantId} and id = ${beforeId})`;
  return tx<DocumentRow[]>`
    select ${columns(tx)} from x12_documents
    where tenant_id = ${tenantId} and partner_id = ${partnerId} ${after}
    order by created_at desc, id desc limit ${limit}`;
}

export async function insertDocumentRow(
  tx: Transaction,
  row: Omit<DocumentRow, "status" | "answeredAt" | "answer">,
): Promise<void> {
  await tx`
    insert into x12_documents (id, tenant_id, partner_id, kind, set_codes, interchange_control_number, functional_id,
                               group_control_number, body, created_at)
    values (${row.id}, ${row.tenantId}, ${row.partnerId}, ${row.kind}, ${row.setCodes}::text[],
            ${row.interchangeControlNumber}, ${row.functionalId}, ${row.groupControlNumber}, ${Buffer.from(row.body)},
            ${row.createdAt})`;
}

/** Takes away some documents that are older than `before` (role hub_system). */
export async function deleteExpiredDocuments(tx: Transaction, before: Date): Promise<void> {
  await tx`
    delete from x12_documents where ctid in (
      select ctid from x12_documents where created_at < ${before}
      order by created_at limit ${EXPIRED_ROWS_MAX} for update skip locked)`;
}

/** What a partner said of a document of ours. */
export interface PartnerAnswer {
  tenantId: string;
  partnerId: string;
  /** The group that a 997 or 999 names, or the interchange that a TA1 names. */
  about: { functionalId: string; groupControlNumber: number } | { interchangeControlNumber: number };
  status: Exclude<DocumentStatus, "WRITTEN">;
  answer: unknown;
  answeredAt: Date;
}

/** Notes an answer with the newest document that it can mean; undefined when there is none, or it is noted already. */
export async function noteAnswerRow(tx: Transaction, input: PartnerAnswer): Promise<DocumentRow | undefined> {
  const { about } = input;
  const named =
    "functionalId" in about
      ? tx`functional_id = ${about.functionalId} and group_control_number = ${about.groupControlNumber}`
      : tx`interchange_control_number = ${about.interchangeControlNumber}`;
  const [row] = await tx<DocumentRow[]>`
    update x12_documents set status = ${input.status}, answered_at = ${input.answeredAt},
      answer = ${JSON.stringify(input.answer)}::text::jsonb
    where id = (
      select id from x12_documents
      where tenant_id = ${input.tenantId} and partner_id = ${input.partnerId} and ${named}
      order by created_at desc limit 1)
      and answer is distinct from ${JSON.stringify(input.answer)}::text::jsonb
    returning ${columns(tx)}`;
  return row;
}
