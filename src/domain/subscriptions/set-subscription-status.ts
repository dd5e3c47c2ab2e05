import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { announceSubscription } from "./announce-subscription.ts";
import { presentSubscription } from "./present-subscription.ts";
import type { Subscription } from "./schema.ts";
import { getSubscriptionRow, resetFailures, updateSubscriptionRow } from "./store.ts";

/**
 * Pauses or resumes a subscription. While it is PAUSED its deliveries are held; resuming, also of a FAILED one, sends
 * them and begins to count failures anew. A state that it has already is no error and changes nothing.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function setSubscriptionStatus(
  ctx: Context,
  input: { id: string; status: "ACTIVE" | "PAUSED" },
): Promise<Subscription> {
  requireScope(ctx, "webhooks:write");
  const { id, status } = input;
  const row = await withTenant(ctx, async (tx) => {
    const current = await getSubscriptionRow(tx, ctx.tenantId, id, true);
    if (current === undefined) throw notFound();
    if (current.status === status) return current;
    await updateSubscriptionRow(tx, ctx.tenantId, id, { status, disabledReason: null });
    if (status === "ACTIVE") await resetFailures(tx, ctx.tenantId, id);
    await emitAudit(tx, ctx, {
      verb: status === "ACTIVE" ? "webhook_subscription.resume" : "webhook_subscription.pause",
      objectType: "webhook_subscription",
      objectId: id,
      changedFields: ["status"],
    });
    return (await getSubscriptionRow(tx, ctx.tenantId, id))!;
  });
  await announceSubscription(ctx, id);
  return presentSubscription(row);
}
