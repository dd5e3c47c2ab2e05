import type { Lease } from "../../platform/lease.ts";
import { deliveryQueueKey, partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { encodeMember } from "./delivery-id.ts";
import { deliveryScripts } from "./delivery-scripts.ts";
import { ENQUEUE_MAX, enqueueDeliveries, type QueuedDelivery } from "./enqueue-deliveries.ts";
import { keepUnchangedDeliveries, listOverdueDeliveries, type OpenRow } from "./sweep-store.ts";

const PAGE_SIZE = 500;

/** How long after it was due a delivery counts as forgotten: its owner is much faster, however long its queue is held up. */
const OVERDUE_MS = 60_000;

const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/**
 * Puts open deliveries back into their queues that Postgres knows and Redis does not, and that are overdue by a minute.
 * What is in its queue is left alone, however long it waits there. A delivery leaves Postgres before it leaves its queue, so
 * the row is read again after the queue: unchanged means that it has not just ended.
 *
 * @returns how many
 * @throws when Redis or Postgres is away
 */
export async function enlistForgottenDeliveries(
  runtime: Runtime,
  lease: Pick<Lease, "isHeld">,
): Promise<number> {
  const { sqlSystem, clock } = runtime;
  const overdue = new Date(clock.nowMs() - OVERDUE_MS);
  let enlisted = 0;
  let afterId = FIRST_ID;
  while (lease.isHeld()) {
    const rows = await listOverdueDeliveries(sqlSystem, overdue, afterId, PAGE_SIZE);
    const missing = await withoutPlace(
      runtime,
      rows.map((row) => ({ row, ...queuedOf(row) })),
    );
    const forgotten = await keepUnchangedDeliveries(
      sqlSystem,
      missing.map(({ row }) => row),
    );
    enlisted += await enlistDeliveries(runtime, forgotten.map(queuedOf));
    if (rows.length < PAGE_SIZE) break;
    afterId = rows.at(-1)!.id;
  }
  return enlisted;
}

/** Puts deliveries into their queues, in the order given for each partition. @returns how many were not live already */
export async function enlistDeliveries(
  runtime: Runtime,
  deliveries: readonly QueuedDelivery[],
): Promise<number> {
  const scripts = deliveryScripts(runtime.redis);
  const byPartition = Map.groupBy(deliveries, ({ subscriptionId }) =>
    partitionOf(subscriptionId, runtime.config.streamPartitions),
  );
  let added = 0;
  for (const [partition, group] of byPartition) {
    for (let start = 0; start < group.length; start += ENQUEUE_MAX) {
      const chunk = group.slice(start, start + ENQUEUE_MAX);
      const [count = 0] = await enqueueDeliveries(scripts, [{ partition, token: "", deliveries: chunk }]);
      added += count;
    }
  }
  return added;
}

/** How an open delivery waits in its queue. */
export function queuedOf(row: OpenRow): QueuedDelivery {
  return {
    subscriptionId: row.subscriptionId,
    tenantId: row.tenantId,
    isActive: true,
    member: encodeMember({
      eventId: row.eventId,
      eventCreatedAtMs: row.eventCreatedAt.getTime(),
      replayId: row.replayId ?? undefined,
    }),
    due: row.status === "RETRYING" && row.nextRetryAt !== null ? row.nextRetryAt.getTime() : "now",
    orderingKey: row.isOrdered ? (row.orderingKey ?? undefined) : undefined,
  };
}

/** Those that are in no queue. */
export async function withoutPlace<T extends Pick<QueuedDelivery, "subscriptionId" | "member">>(
  runtime: Runtime,
  deliveries: readonly T[],
): Promise<T[]> {
  const { redis, config } = runtime;
  const scores = await Promise.all(
    deliveries.map(({ subscriptionId, member }) => {
      const partition = partitionOf(subscriptionId, config.streamPartitions);
      return redis.zscore(deliveryQueueKey(partition, subscriptionId), member);
    }),
  );
  return deliveries.filter((_, index) => scores[index] === null);
}
