import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { getSubscriptionRow } from "../subscriptions/store.ts";
import type { SubscriptionStatistics } from "./delivery-schema.ts";
import { readStatistics } from "./delivery-store.ts";

/**
 * Totals, response times and what is open of one subscription.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function subscriptionStatistics(
  ctx: Context,
  input: { subscriptionId: string },
): Promise<SubscriptionStatistics> {
  requireScope(ctx, "webhooks:read");
  const { row, found } = await withTenant(ctx, async (tx) => {
    const subscription = await getSubscriptionRow(tx, ctx.tenantId, input.subscriptionId);
    if (subscription === undefined) throw notFound();
    return { row: subscription, found: await readStatistics(tx, ctx.tenantId, input.subscriptionId) };
  });
  const { p50, p95, attempts, open, nextRetryAt } = found;
  return {
    subscriptionId: row.id,
    totalSent: row.totalSent,
    totalDelivered: row.totalDelivered,
    totalFailed: row.totalFailed,
    consecutiveFailures: row.consecutiveFailures,
    responseTimeMs: { p50, p95, attempts },
    open: {
      retrying: open["RETRYING"] ?? 0,
      held: open["HELD"] ?? 0,
      parked: open["PARKED"] ?? 0,
      waiting: open["WAITING"] ?? 0,
    },
    nextRetryAt: nextRetryAt?.toISOString() ?? null,
    lastTriggeredAt: row.lastTriggeredAt?.toISOString() ?? null,
    lastSuccessAt: row.lastSuccessAt?.toISOString() ?? null,
    lastFailureAt: row.lastFailureAt?.toISOString() ?? null,
  };
}
