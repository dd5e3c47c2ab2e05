import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import type { EdiDocument } from "./document-schema.ts";
import { listDocumentRows } from "./document-store.ts";
import { getPartnerRow } from "./partner-store.ts";
import { presentDocument } from "./present-document.ts";

/**
 * A page of what was written for a partner, newest first.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` for a cursor that is none of ours
 */
export async function listDocuments(
  ctx: Context,
  input: PageInput & { id: string },
): Promise<Page<EdiDocument>> {
  requireScope(ctx, "transformations:read");
  const { limit, beforeId } = readCursor(input);
  return withTenant(ctx, async (tx) => {
    if ((await getPartnerRow(tx, ctx.tenantId, input.id)) === undefined) throw notFound();
    const rows = await listDocumentRows(tx, ctx.tenantId, input.id, { limit: limit + 1, beforeId });
    return pageOf(rows, limit, presentDocument);
  });
}
