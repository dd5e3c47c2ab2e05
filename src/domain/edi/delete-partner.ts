import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { announcePartners } from "./announce-partner.ts";
import { deletePartnerRow } from "./partner-store.ts";

/**
 * Deletes a trading partner: its documents are not recognised any more. What was sent to it stays in the history.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function deletePartner(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "transformations:write");
  await withTenant(ctx, async (tx) => {
    if (!(await deletePartnerRow(tx, ctx.tenantId, input.id))) throw notFound();
    await emitAudit(tx, ctx, { verb: "edi_partner.delete", objectType: "edi_partner", objectId: input.id });
  });
  await announcePartners(ctx);
}
