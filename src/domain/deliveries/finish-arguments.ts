import { deliveryKeys, deliveryOrderKey, deliveryQueueKey } from "../../platform/redis/keys.ts";
import { hashOrder } from "./delivery-id.ts";
import type { FinishedDelivery, OwnedPartition } from "./delivery-work.ts";
import { BLOCKED, HELD } from "./scores.ts";

/** What is to be booked in one partition. */
export type FinishedPartition = readonly [owned: OwnedPartition, batch: readonly FinishedDelivery[]];

/** Keys and arguments of finish.lua. */
export function finishArguments(partitions: readonly FinishedPartition[]): {
  keys: string[];
  args: (string | number)[];
} {
  const keys: string[] = [];
  for (const [{ partition }] of partitions) {
    const { owner, due, ledger } = deliveryKeys(partition);
    keys.push(owner, due, ledger);
  }
  const args: (string | number)[] = [BLOCKED, HELD, partitions.length];
  for (const [{ partition, token }, batch] of partitions) {
    const bySubscription = Map.groupBy(batch, ({ delivery }) => delivery.subscriptionId);
    args.push(token, bySubscription.size);
    for (const [subscriptionId, group] of bySubscription) {
      const queue = keys.push(deliveryQueueKey(partition, subscriptionId));
      args.push(subscriptionId, group[0]!.tenantId, queue, group.length);
      const orderKeys = new Map<string, number>();
      for (const { delivery, leaves } of group) {
        let order = 0;
        const { orderingKey } = delivery.event;
        if (delivery.isOrdered && orderingKey !== undefined) {
          order =
            orderKeys.get(orderingKey) ??
            keys.push(deliveryOrderKey(partition, hashOrder(subscriptionId, orderingKey)));
          orderKeys.set(orderingKey, order);
        }
        const dueMs = "outcome" in leaves ? "" : leaves.dueMs === "now" ? "n" : leaves.dueMs;
        args.push(delivery.member, "outcome" in leaves ? leaves.outcome : "", dueMs, order);
      }
    }
  }
  return { keys, args };
}
