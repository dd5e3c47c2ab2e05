import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import { readTimes } from "../read-times.ts";
import { presentReceipt } from "./present-receipt.ts";
import type { Receipt } from "./receipt-schema.ts";
import { listReceiptRows } from "./receipt-store.ts";

/** Filters of a list of receipts; `from` (included) and `to` (not included) as in RFC 3339, on the time of acceptance. */
export interface ListReceiptsInput extends PageInput {
  endpointId?: string | undefined;
  status?: Receipt["status"] | undefined;
  eventType?: string | undefined;
  eventId?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

/**
 * A page of the tenant's receipts, newest first.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours or a time that is none
 */
export async function listReceipts(ctx: Context, input: ListReceiptsInput): Promise<Page<Receipt>> {
  requireScope(ctx, "webhooks:read");
  const { limit, beforeId } = readCursor(input);
  const { endpointId, status, eventType, eventId } = input;
  const filter = { endpointId, status, eventType, eventId, ...readTimes(input) };
  const rows = await withTenant(ctx, (tx) =>
    listReceiptRows(tx, ctx.tenantId, { limit: limit + 1, beforeId }, filter),
  );
  return pageOf(rows, limit, presentReceipt);
}
