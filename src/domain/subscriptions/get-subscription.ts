import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentSubscription } from "./present-subscription.ts";
import type { Subscription } from "./schema.ts";
import { getSubscriptionRow } from "./store.ts";

/** One subscription. @throws HubError 403 `forbidden`; 404 `not_found` */
export async function getSubscription(ctx: Context, input: { id: string }): Promise<Subscription> {
  requireScope(ctx, "webhooks:read");
  const row = await withTenant(ctx, (tx) => getSubscriptionRow(tx, ctx.tenantId, input.id));
  if (row === undefined) throw notFound();
  return presentSubscription(row);
}
