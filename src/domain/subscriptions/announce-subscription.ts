import { announceChange } from "../announce-change.ts";
import type { Context } from "../context.ts";

/** Kind of the invalidation, for `subscribeInvalidation`; its id is `<tenant id>/<subscription id>`. */
export const SUBSCRIPTION_KIND = "subscription";

/** Tells every process, once the change is committed, to ask anew for the subscription (`SubscriptionCache.invalidate`). */
export function announceSubscription(ctx: Context, id: string): Promise<void> {
  return announceChange(ctx, SUBSCRIPTION_KIND, `${ctx.tenantId}/${id}`);
}
