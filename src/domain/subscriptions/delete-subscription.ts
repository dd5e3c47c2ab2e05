import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { announceSubscription } from "./announce-subscription.ts";
import { deleteSubscriptionRow } from "./store.ts";

/**
 * Deletes a subscription: nothing is sent to it any more, what waits for it is cancelled, its history stays.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function deleteSubscription(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "webhooks:write");
  await withTenant(ctx, async (tx) => {
    if (!(await deleteSubscriptionRow(tx, ctx.tenantId, input.id))) throw notFound();
    await emitAudit(tx, ctx, {
      verb: "webhook_subscription.delete",
      objectType: "webhook_subscription",
      objectId: input.id,
    });
  });
  await announceSubscription(ctx, input.id);
}
