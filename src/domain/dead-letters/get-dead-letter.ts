import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { getLargeBody, getReceiptRow } from "../inbound/receipt-store.ts";
import { presentDeadLetterDetail } from "./present-dead-letter.ts";
import type { DeadLetterDetail } from "./schema.ts";
import { type DeadLetterFullRow, getDeadLetterRow } from "./store.ts";

/**
 * One dead letter with the body as received and the mended one.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`, also when it was deleted
 */
export async function getDeadLetter(ctx: Context, input: { id: string }): Promise<DeadLetterDetail> {
  requireScope(ctx, "webhooks:read");
  const found = await withTenant(ctx, async (tx) => {
    const row = await getDeadLetterRow(tx, ctx.tenantId, input.id);
    return row === undefined ? undefined : { row, original: await readOriginal(tx, ctx.tenantId, row) };
  });
  if (found === undefined) throw notFound();
  return presentDeadLetterDetail(found.row, found.original);
}

/** The body stands in the dead letter, else in its receipt or, a large one, in pieces under the receipt's id. */
async function readOriginal(
  tx: Transaction,
  tenantId: string,
  row: DeadLetterFullRow,
): Promise<Uint8Array | null> {
  if (row.body !== null || row.receiptId === null) return row.body;
  const receipt = await getReceiptRow(tx, tenantId, row.receiptId);
  const stored = receipt?.body ?? (await getLargeBody(tx, tenantId, row.receiptId));
  return stored ?? (receipt?.bodySize === 0 ? new Uint8Array(0) : null);
}
