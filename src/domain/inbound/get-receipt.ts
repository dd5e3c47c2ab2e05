import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentReceiptDetail } from "./present-receipt.ts";
import type { ReceiptDetail } from "./receipt-schema.ts";
import { getLargeBody, getReceiptRow } from "./receipt-store.ts";

/**
 * One receipt with its body as received.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getReceipt(ctx: Context, input: { id: string }): Promise<ReceiptDetail> {
  requireScope(ctx, "webhooks:read");
  const found = await withTenant(ctx, async (tx) => {
    const row = await getReceiptRow(tx, ctx.tenantId, input.id);
    if (row === undefined) return undefined;
    const { largeBodyId } = row;
    const largeBody = largeBodyId === null ? undefined : await getLargeBody(tx, ctx.tenantId, largeBodyId);
    return { row, largeBody };
  });
  if (found === undefined) throw notFound();
  return presentReceiptDetail(found.row, found.largeBody);
}
