import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { HubError, invalidInput, notFound } from "../errors.ts";
import { getSubscriptionRow } from "../subscriptions/store.ts";
import { readReplayRange } from "./replay-range.ts";
import type { ReplayInput, ReplayStarted } from "./replay-schema.ts";
import { countReplayable, findDelivery, insertReplay } from "./replay-store.ts";

/**
 * Sends deliveries of a subscription again: one, or all that a filter matches, with no cap. They carry the same
 * `webhook-id` and a `hub-replay` header. The work is a job; this answers when it is stored.
 *
 * @returns the job's id, null for a dry run, and how many deliveries it will send
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` for a delivery that is still under way or was a
 * test; 422 `invalid_input`
 */
export async function replayDeliveries(
  ctx: Context,
  input: { subscriptionId: string } & ReplayInput,
): Promise<ReplayStarted> {
  requireScope(ctx, "webhooks:write");
  const { tenantId } = ctx;
  const { subscriptionId, deliveryId, dryRun = false } = input;
  if (deliveryId !== undefined && input.filter !== undefined) {
    throw invalidInput([{ path: "/filter", message: "cannot stand beside deliveryId" }]);
  }
  const range = readReplayRange(input.filter ?? {});
  return withTenant(ctx, async (tx) => {
    if ((await getSubscriptionRow(tx, tenantId, subscriptionId)) === undefined) throw notFound();
    const { matched, untilId } =
      deliveryId === undefined
        ? await countReplayable(tx, tenantId, subscriptionId, range)
        : await oneDelivery(tx, tenantId, subscriptionId, deliveryId);
    if (dryRun) return { replayId: null, matched };
    const id = newId(ctx.runtime.clock.nowMs());
    await insertReplay(tx, {
      id,
      tenantId,
      subscriptionId,
      deliveryId: deliveryId ?? null,
      filter: deliveryId === undefined ? (input.filter ?? {}) : null,
      ratePerSecond: input.ratePerSecond ?? null,
      matched,
      untilId,
      createdBy: ctx.actor.id,
    });
    await emitAudit(tx, ctx, {
      verb: "webhook_subscription.replay",
      objectType: "webhook_subscription",
      objectId: subscriptionId,
      changedFields: [],
    });
    return { replayId: id, matched };
  });
}

async function oneDelivery(
  tx: Transaction,
  tenantId: string,
  subscriptionId: string,
  deliveryId: string,
): Promise<{ matched: number; untilId: string }> {
  const row = await findDelivery(tx, tenantId, subscriptionId, deliveryId);
  if (row === undefined) throw notFound();
  if (row.trigger === "TEST") throw new HubError("conflict", "A test is sent again by another test.");
  if (row.status === "RETRYING") throw new HubError("conflict", "The delivery is still being retried.");
  return { matched: 1, untilId: row.id };
}
