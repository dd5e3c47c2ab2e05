import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import type { Partner } from "./partner-schema.ts";
import { listPartnerRows } from "./partner-store.ts";
import { presentPartner } from "./present-partner.ts";
import { readControlNumbers } from "./store.ts";

/**
 * A page of the tenant's trading partners, newest first.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours
 */
export async function listPartners(ctx: Context, input: PageInput): Promise<Page<Partner>> {
  requireScope(ctx, "transformations:read");
  const { limit, beforeId } = readCursor(input);
  return withTenant(ctx, async (tx) => {
    const rows = await listPartnerRows(tx, ctx.tenantId, { limit: limit + 1, beforeId });
    const ids = rows.map(({ id }) => id);
    const numbers = await readControlNumbers(tx, ctx.tenantId, ids);
    return pageOf(rows, limit, (row) => presentPartner(row, numbers.get(row.id)!));
  });
}
