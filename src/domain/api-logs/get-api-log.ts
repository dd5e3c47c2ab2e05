import { timeOfId } from "../../platform/uuid.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentApiLogDetail } from "./present-api-log.ts";
import { createRedactor } from "./redact.ts";
import type { ApiLogDetail } from "./schema.ts";
import { type ApiLogFullRow, getApiLogRow, getReceiptBody } from "./store.ts";

/** Read beyond what is shown, so that the redaction sees a secret that the edge would cut (see `redact.ts`). */
const READ_AHEAD_BYTES = 8192;

/** Names and patterns only: the receipt's own scheme secrets were blanked before it was stored. */
const redactor = createRedactor();

/**
 * One call with headers and bodies. The body of an inbound webhook stands once, in its receipt; it is shown redacted
 * and cut here, because this scope may not read receipts byte for byte.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getApiLog(ctx: Context, input: { id: string }): Promise<ApiLogDetail> {
  requireScope(ctx, "logs:read");
  const row = await withTenant(ctx, async (tx) => {
    const found = await getApiLogRow(tx, ctx.tenantId, input.id, timeOfId(input.id));
    return found === undefined ? undefined : await withReceiptBody(ctx, found, tx);
  });
  if (row === undefined) throw notFound();
  return presentApiLogDetail(row);
}

async function withReceiptBody(
  ctx: Context,
  row: ApiLogFullRow,
  tx: Parameters<typeof getReceiptBody>[0],
): Promise<ApiLogFullRow> {
  if (row.direction !== "INBOUND" || row.receiptId === null || row.body !== null) return row;
  const bytesMax = ctx.runtime.config.logBodyMaxBytes;
  const createdAtMs = timeOfId(row.receiptId);
  const receipt = await getReceiptBody(
    tx,
    ctx.tenantId,
    row.receiptId,
    createdAtMs,
    bytesMax + READ_AHEAD_BYTES,
  );
  if (receipt === undefined || receipt.body === null) return row;
  return { ...row, body: redactor.body(receipt.body, receipt.contentType, bytesMax) };
}
