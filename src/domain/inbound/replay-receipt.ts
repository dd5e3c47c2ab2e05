import { emitAudit } from "../audit/emit-audit.ts";
import { afterCommit, type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { enlistReplayed } from "./enlist-receipts.ts";
import { presentReceipt } from "./present-receipt.ts";
import type { Receipt } from "./receipt-schema.ts";
import { getReceiptRow, markReceiptsRetrying, type ReceiptListRow, REPLAYABLE } from "./receipt-store.ts";

/**
 * Processes a receipt again, under the same id: whatever it became, and with the mended body of its dead letter where
 * there is one. The truth is the row in Postgres; Redis is told after the commit.
 *
 * @returns the receipt as it waits for its turn
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` while it still waits, when its body was dropped or
 * its endpoint was deleted
 */
export async function replayReceipt(ctx: Context, input: { id: string }): Promise<Receipt> {
  requireScope(ctx, "webhooks:write");
  const { runtime, tenantId } = ctx;
  const { row, changed } = await withTenant(ctx, async (tx) => {
    const current = await getReceiptRow(tx, tenantId, input.id, true);
    if (current === undefined) throw notFound();
    refuseUnfit(current);
    const names = await markReceiptsRetrying(tx, tenantId, [input.id], new Date(runtime.clock.nowMs()));
    if (names.length === 0) throw new HubError("conflict", "The endpoint of this receipt was deleted.");
    await emitAudit(tx, ctx, {
      verb: "webhook_receipt.replay",
      objectType: "webhook_receipt",
      objectId: input.id,
      changedFields: ["status", "nextRetryAt"],
    });
    return { row: (await getReceiptRow(tx, tenantId, input.id))!, changed: names };
  });
  await afterCommit(ctx, () => enlistReplayed(runtime, changed));
  return presentReceipt(row);
}

function refuseUnfit(row: ReceiptListRow): void {
  if (!REPLAYABLE.includes(row.status)) {
    throw new HubError("conflict", `The receipt is ${row.status}: it is processed without a replay.`);
  }
  if (row.bodyDropped) throw new HubError("conflict", "The body of this receipt was not kept.");
}
