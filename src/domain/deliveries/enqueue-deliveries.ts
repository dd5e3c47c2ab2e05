import { deliveryKeys, deliveryOrderKey, deliveryQueueKey } from "../../platform/redis/keys.ts";
import { hashOrder } from "./delivery-id.ts";
import type { DeliveryScripts } from "./delivery-scripts.ts";
import { BLOCKED, HELD, TAKEN } from "./scores.ts";

/** One delivery on its way into its subscription's queue. */
export interface QueuedDelivery {
  subscriptionId: string;
  tenantId: string;
  /** The caller believes that the subscription is active. */
  isActive: boolean;
  /** `encodeMember` of the delivery. */
  member: string;
  /** `taken`: the caller has it in memory and sends it; else when it is due, milliseconds since the epoch. */
  due: "taken" | "now" | number;
  /** Set when deliveries of the key are to keep their order. */
  orderingKey?: string | undefined;
}

/** What goes into the queues of one partition. */
export interface QueuedPartition {
  partition: number;
  /** Of the caller's lease on the partition; "" when it has none. */
  token: string;
  deliveries: readonly QueuedDelivery[];
}

/** Deliveries of one call: a longer script holds up everybody on this Redis. */
export const ENQUEUE_MAX = 500;

/**
 * Puts deliveries into their queues by one call.
 *
 * @param partitions one on a Cluster, where two may be on different servers; at most ENQUEUE_MAX deliveries in all
 * @returns for each partition how many were not there already
 * @throws when Redis is away; the call may be repeated
 */
export async function enqueueDeliveries(
  scripts: Pick<DeliveryScripts, "enqueue">,
  partitions: readonly QueuedPartition[],
): Promise<number[]> {
  const keys: string[] = [];
  for (const { partition } of partitions) {
    const { owner, due, ledger } = deliveryKeys(partition);
    keys.push(owner, due, ledger);
  }
  const args: (string | number)[] = [TAKEN, BLOCKED, HELD, partitions.length];
  for (const { partition, token, deliveries } of partitions) {
    const groups = groupsOf(deliveries);
    args.push(token, groups.length);
    for (const [mode, alike] of groups) {
      const { subscriptionId, tenantId, isActive } = alike[0]!;
      const queue = keys.push(deliveryQueueKey(partition, subscriptionId));
      args.push(subscriptionId, tenantId, queue, isActive ? 1 : 0, mode, alike.length);
      if (mode === "") pushEach(partition, alike, keys, args);
      else for (const { member } of alike) args.push(member);
    }
  }
  return (await scripts.enqueue(keys, args)) as number[];
}

type Group = readonly [mode: "t" | "n" | "", group: readonly QueuedDelivery[]];

function groupsOf(deliveries: readonly QueuedDelivery[]): Group[] {
  const bySubscription = Map.groupBy(deliveries, ({ subscriptionId }) => subscriptionId);
  return [...bySubscription.values()].flatMap((group) => [...Map.groupBy(group, modeOf)]);
}

function pushEach(
  partition: number,
  group: readonly QueuedDelivery[],
  keys: string[],
  args: (string | number)[],
): void {
  const orderKeys = new Map<string, number>();
  for (const { subscriptionId, member, due, orderingKey } of group) {
    let order = 0;
    if (orderingKey !== undefined) {
      order =
        orderKeys.get(orderingKey) ??
        keys.push(deliveryOrderKey(partition, hashOrder(subscriptionId, orderingKey)));
      orderKeys.set(orderingKey, order);
    }
    args.push(member, typeof due === "string" ? MODES[due] : due, order);
  }
}

const MODES = { taken: "t", now: "n" } as const;

/** Those of one mode need no arguments but their members; "" for those that each say their own. */
function modeOf({ due, orderingKey }: QueuedDelivery): "t" | "n" | "" {
  return orderingKey === undefined && typeof due === "string" ? MODES[due] : "";
}
