import {
  afterCommit,
  type Context,
  requireScope,
  type Transaction,
  withOuterTransaction,
} from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { enlistReplayed } from "../inbound/enlist-receipts.ts";
import { reviveReceipts } from "../inbound/receipt-store.ts";
import { type DeadEventFields, requeueDeadEvent } from "../events/requeue-dead-event.ts";
import { requeueIntake } from "../events/requeue-intake.ts";
import { replayReceipt } from "../inbound/replay-receipt.ts";
import { presentDeadLetter } from "./present-dead-letter.ts";
import type { DeadLetter } from "./schema.ts";
import { type DeadLetterFullRow, getDeadLetterRow, markDeadLetterReplayed } from "./store.ts";

/**
 * Processes what a dead letter stands for again, with the mended body where there is one. The dead letter is REPLAYED
 * from then on; a new failure makes a new one. Where retention has dropped its receipt, a new one is made from the dead
 * letter's own copy.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` when it was replayed before, or when the body or the
 * endpoint is gone; 422 `invalid_input` when an event is still none
 */
export async function replayDeadLetter(ctx: Context, input: { id: string }): Promise<DeadLetter> {
  requireScope(ctx, "webhooks:write");
  return withOuterTransaction(ctx, async (joined, tx) => {
    const row = await getDeadLetterRow(tx, ctx.tenantId, input.id);
    if (row === undefined) throw notFound();
    if (row.topic === "events") await replayEvent(joined, tx, row);
    else await replayInbound(joined, tx, row);
    await emitAudit(tx, ctx, {
      verb: "dead_letter.replay",
      objectType: "dead_letter",
      objectId: input.id,
      changedFields: ["status"],
    });
    return presentDeadLetter((await getDeadLetterRow(tx, ctx.tenantId, input.id))!);
  });
}

async function replayCopy(ctx: Context, tx: Transaction, id: string): Promise<void> {
  const { runtime, tenantId } = ctx;
  const revived = await reviveReceipts(tx, tenantId, [id], new Date(runtime.clock.nowMs()));
  if (revived.length === 0) throw new HubError("conflict", "The endpoint of this dead letter was deleted.");
  await afterCommit(ctx, () => enlistReplayed(runtime, revived));
}

async function replayInbound(joined: Context, tx: Transaction, row: DeadLetterFullRow): Promise<void> {
  try {
    await replayReceipt(joined, { id: receiptOf(row) });
  } catch (error) {
    if (!(error instanceof HubError && error.code === "not_found")) throw error;
    await replayCopy(joined, tx, row.id);
  }
}

/**
 * An event that could not be read is published as it was mended. One that could not be stored has no other form, and its
 * deliveries were made.
 */
async function replayEvent(ctx: Context, tx: Transaction, row: DeadLetterFullRow): Promise<void> {
  const { reasonCode, correlationId, eventId, eventType } = row;
  const fields = row.headers ?? {};
  const data = row.mendedBody ?? row.body;
  // Locks the row: a second replay waits, and finds it replayed.
  if (!(await markDeadLetterReplayed(tx, ctx.tenantId, row.id)))
    throw new HubError("conflict", "The dead letter was replayed before.");
  if (reasonCode !== "event_invalid" && reasonCode !== "event_unreadable")
    throw new HubError("conflict", "This event cannot be published again.");
  if (data === null) throw new HubError("conflict", "The data was not kept; mend the dead letter first.");
  if (reasonCode === "event_invalid") {
    await requeueIntake(ctx, tx, { fields, data, correlationId });
  } else {
    const event = { id: eventId!, type: eventType!, ...(fields as unknown as DeadEventFields) };
    await requeueDeadEvent(ctx, tx, { event, data, correlationId });
  }
}

function receiptOf(row: DeadLetterFullRow): string {
  if (row.status !== "OPEN") throw new HubError("conflict", "The dead letter was replayed before.");
  if (row.receiptId === null) throw new HubError("conflict", "The dead letter belongs to no receipt.");
  return row.receiptId;
}
