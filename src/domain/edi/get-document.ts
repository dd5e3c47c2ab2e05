import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { EdiDocumentDetail } from "./document-schema.ts";
import { getDocumentRow } from "./document-store.ts";
import { presentDocumentDetail } from "./present-document.ts";

/**
 * What was written for a partner, with its text.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getDocument(
  ctx: Context,
  input: { id: string; documentId: string },
): Promise<EdiDocumentDetail> {
  requireScope(ctx, "transformations:read");
  const row = await withTenant(ctx, (tx) => getDocumentRow(tx, ctx.tenantId, input.documentId));
  if (row === undefined || row.partnerId !== input.id) throw notFound();
  return presentDocumentDetail(row);
}
