import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { Partner } from "./partner-schema.ts";
import { getPartnerRow } from "./partner-store.ts";
import { presentPartner } from "./present-partner.ts";
import { readControlNumbers } from "./store.ts";

/** @throws HubError 403 `forbidden`; 404 `not_found` */
export async function getPartner(ctx: Context, input: { id: string }): Promise<Partner> {
  requireScope(ctx, "transformations:read");
  return withTenant(ctx, async (tx) => {
    const row = await getPartnerRow(tx, ctx.tenantId, input.id);
    if (row === undefined) throw notFound();
    return presentPartner(row, (await readControlNumbers(tx, ctx.tenantId, [row.id])).get(row.id)!);
  });
}
