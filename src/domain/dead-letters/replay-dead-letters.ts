import { emitAudit } from "../audit/emit-audit.ts";
import { afterCommit, type Context, requireScope, withTenant } from "../context.ts";
import { enlistReplayed } from "../inbound/enlist-receipts.ts";
import { readTimes } from "../read-times.ts";
import { markReceiptsRetrying, reviveReceipts } from "../inbound/receipt-store.ts";
import type { DeadLetterFilter, ReplayedDeadLetters } from "./schema.ts";
import { type DeadLetterRange, listOpenInbound } from "./store.ts";

/** Dead letters of one transaction, and of one call: the caller waits for its answer. */
const BATCH_SIZE = 500;
const BATCHES_MAX = 20;

/**
 * Processes all open dead letters again that a filter matches, newest first, each batch in a transaction of its own.
 * What a batch has done stands, whatever becomes of the next.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a time that is none
 */
export async function replayDeadLetters(
  ctx: Context,
  input: { filter: DeadLetterFilter },
): Promise<ReplayedDeadLetters> {
  requireScope(ctx, "webhooks:write");
  const { endpointId, reasonCode, eventType } = input.filter;
  const range = { endpointId, reasonCode, eventType, ...readTimes(input.filter, "/filter/") };
  const total = { replayed: 0, skipped: 0 };
  let beforeId: string | undefined;
  for (let batch = 0; batch < BATCHES_MAX; batch++) {
    const done = await replayBatch(ctx, range, beforeId);
    total.replayed += done.replayed;
    total.skipped += done.matched - done.replayed;
    if (done.matched < BATCH_SIZE) return { ...total, isComplete: true };
    beforeId = done.lastId;
  }
  return { ...total, isComplete: false };
}

async function replayBatch(
  ctx: Context,
  range: DeadLetterRange,
  beforeId: string | undefined,
): Promise<{ matched: number; replayed: number; lastId: string | undefined }> {
  const { runtime, tenantId } = ctx;
  const { letters, changed } = await withTenant(ctx, async (tx) => {
    const open = await listOpenInbound(tx, tenantId, { limit: BATCH_SIZE, beforeId }, range);
    if (open.length === 0) return { letters: open, changed: [] };
    const ids = [...new Set(open.map(({ receiptId }) => receiptId))];
    const now = new Date(runtime.clock.nowMs());
    const marked = await markReceiptsRetrying(tx, tenantId, ids, now);
    const isMarked = new Set(marked.map(({ id }) => id));
    const others = open.filter(({ receiptId }) => !isMarked.has(receiptId)).map(({ id }) => id);
    const names = [...marked, ...(await reviveReceipts(tx, tenantId, others, now))];
    await emitAudit(tx, ctx, {
      verb: "dead_letter.replay_many",
      objectType: "webhook_endpoint",
      objectId: range.endpointId ?? "*",
      changedFields: ["status"],
    });
    return { letters: open, changed: names };
  });
  await afterCommit(ctx, () => enlistReplayed(runtime, changed));
  return { matched: letters.length, replayed: changed.length, lastId: letters.at(-1)?.id };
}
