import { type Context, requireScope, withTenant } from "../context.ts";
import { readTimes } from "../read-times.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import { presentDeadLetter } from "./present-dead-letter.ts";
import type { DeadLetter, DeadLetterFilter } from "./schema.ts";
import { listDeadLetterRows } from "./store.ts";

/**
 * A page of the tenant's dead letters, newest first; deleted ones are not shown.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours or a time that is none
 */
export async function listDeadLetters(
  ctx: Context,
  input: PageInput &
    DeadLetterFilter & { topic?: DeadLetter["topic"] | undefined; status?: DeadLetter["status"] | undefined },
): Promise<Page<DeadLetter>> {
  requireScope(ctx, "webhooks:read");
  const { limit, beforeId } = readCursor(input);
  const { topic, endpointId, reasonCode, eventType, status } = input;
  const range = { topic, endpointId, reasonCode, eventType, status, ...readTimes(input) };
  const rows = await withTenant(ctx, (tx) =>
    listDeadLetterRows(tx, ctx.tenantId, { limit: limit + 1, beforeId }, range),
  );
  return pageOf(rows, limit, presentDeadLetter);
}
