import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { cancelDeadReceipt } from "../inbound/receipt-store.ts";
import { getDeadLetterRow, markDeadLetterDeleted } from "./store.ts";

/**
 * Gives an open dead letter up: its receipt becomes CANCELLED. The books do not move, because a dead receipt had ended.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` when it was replayed
 */
export async function deleteDeadLetter(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "webhooks:write");
  await withTenant(ctx, async (tx) => {
    const row = await getDeadLetterRow(tx, ctx.tenantId, input.id);
    if (row === undefined) throw notFound();
    // The receipt's row first, as in a replay, so that the two cannot wait for each other.
    if (row.receiptId !== null && row.status === "OPEN")
      await cancelDeadReceipt(tx, ctx.tenantId, row.receiptId);
    if (!(await markDeadLetterDeleted(tx, ctx.tenantId, input.id))) {
      throw new HubError("conflict", "The dead letter was replayed: it is the record of what failed before.");
    }
    await emitAudit(tx, ctx, {
      verb: "dead_letter.delete",
      objectType: "dead_letter",
      objectId: input.id,
      changedFields: ["status"],
    });
  });
}
