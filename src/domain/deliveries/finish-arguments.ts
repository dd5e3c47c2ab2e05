import { deliveryKeys, deliveryOrderKey, deliveryQueueKey } from "../../platform/redis/keys.ts";
import { hashOrder } from "./delivery-id.ts";
import type { Delivery, FinishedDelivery, OwnedPartition } from "./delivery-work.ts";
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
    const groups = groupsOf(batch);
    args.push(token, groups.length);
    for (const [word, group] of groups) {
      const { delivery, tenantId } = group[0]!;
      const queue = keys.push(deliveryQueueKey(partition, delivery.subscriptionId));
      args.push(delivery.subscriptionId, tenantId, queue, word, group.length);
      if (word === "") pushEach(partition, group, keys, args);
      else for (const finished of group) args.push(finished.delivery.member);
    }
  }
  return { keys, args };
}

type Group = readonly [word: string, group: readonly FinishedDelivery[]];

/** By subscription and outcome; "" for those that each say their own: they wait again, or another waits for them. */
function groupsOf(batch: readonly FinishedDelivery[]): Group[] {
  const bySubscription = Map.groupBy(batch, ({ delivery }) => delivery.subscriptionId);
  return [...bySubscription.values()].flatMap((group) => [
    ...Map.groupBy(group, ({ delivery, leaves }) =>
      "outcome" in leaves && orderingKeyOf(delivery) === undefined ? leaves.outcome : "",
    ),
  ]);
}

function orderingKeyOf({ isOrdered, event }: Delivery): string | undefined {
  return isOrdered ? event.orderingKey : undefined;
}

function pushEach(
  partition: number,
  group: readonly FinishedDelivery[],
  keys: string[],
  args: (string | number)[],
): void {
  const orderKeys = new Map<string, number>();
  for (const { delivery, leaves } of group) {
    let order = 0;
    const orderingKey = orderingKeyOf(delivery);
    if (orderingKey !== undefined) {
      order =
        orderKeys.get(orderingKey) ??
        keys.push(deliveryOrderKey(partition, hashOrder(delivery.subscriptionId, orderingKey)));
      orderKeys.set(orderingKey, order);
    }
    const dueMs = "outcome" in leaves ? "" : leaves.dueMs === "now" ? "n" : leaves.dueMs;
    args.push(delivery.member, "outcome" in leaves ? leaves.outcome : "", dueMs, order);
  }
}
