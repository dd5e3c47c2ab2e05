import type { EdiDocument, EdiDocumentDetail } from "./document-schema.ts";
import type { DocumentRow } from "./document-store.ts";

/** A document as lists show it. */
export function presentDocument(row: DocumentRow): EdiDocument {
  const { body: _body, tenantId: _tenantId, ...shown } = row;
  return {
    ...shown,
    answeredAt: row.answeredAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}

/** A document with its text. */
export function presentDocumentDetail(row: DocumentRow): EdiDocumentDetail {
  return { ...presentDocument(row), x12: Buffer.from(row.body).toString("utf8") };
}
