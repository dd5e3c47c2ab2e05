import { deliveryQueueKey, partitionOf } from "../../platform/redis/keys.ts";
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
  const { p50, p95, attempts, nextRetryAt } = found;
  const [retrying, held, parked, waiting] = ["RETRYING", "HELD", "PARKED", "WAITING"].map(
    (status) => found.open[status] ?? 0,
  ) as [number, number, number, number];
  const live = await liveCount(ctx, row.id);
  return {
    subscriptionId: row.id,
    totalSent: row.totalSent,
    totalDelivered: row.totalDelivered,
    totalFailed: row.totalFailed,
    consecutiveFailures: row.consecutiveFailures,
    responseTimeMs: { p50, p95, attempts },
    // Rows stand only for what failed, is held or parked; the rest of the queue waits for its first try.
    open: { retrying, held, parked, waiting: Math.max(waiting, live - retrying - held - parked) },
    nextRetryAt: nextRetryAt?.toISOString() ?? null,
    lastTriggeredAt: row.lastTriggeredAt?.toISOString() ?? null,
    lastSuccessAt: row.lastSuccessAt?.toISOString() ?? null,
    lastFailureAt: row.lastFailureAt?.toISOString() ?? null,
  };
}

/** Deliveries of a subscription that have not ended; 0 while Redis is away. */
async function liveCount({ runtime }: Context, id: string): Promise<number> {
  const partition = partitionOf(id, runtime.config.streamPartitions);
  try {
    return await runtime.redis.zcard(deliveryQueueKey(partition, id));
  } catch (error) {
    runtime.log.warn({ err: error, subscriptionId: id }, "queue not counted");
    return 0;
  }
}
