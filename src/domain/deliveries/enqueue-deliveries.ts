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

/** Deliveries of one call: a longer script holds up everybody on this Redis. */
export const ENQUEUE_MAX = 500;

/**
 * Puts deliveries of one partition into their queues, at most ENQUEUE_MAX of them.
 *
 * @param token of the caller's lease on the partition; "" when it has none
 * @returns how many were not there already
 * @throws when Redis is away; the call may be repeated
 */
export async function enqueueDeliveries(
  scripts: Pick<DeliveryScripts, "enqueue">,
  partition: number,
  token: string,
  deliveries: readonly QueuedDelivery[],
): Promise<number> {
  const { owner, due, ledger } = deliveryKeys(partition);
  const keys = [owner, due, ledger];
  const keyIndex = new Map<string, number>();
  const indexOf = (key: string): number => {
    let index = keyIndex.get(key);
    if (index === undefined) keyIndex.set(key, (index = keys.push(key)));
    return index;
  };
  const args: (string | number)[] = [token, TAKEN, BLOCKED, HELD, 0];
  let groups = 0;
  for (const group of Map.groupBy(deliveries, ({ subscriptionId }) => subscriptionId).values()) {
    for (const [mode, alike] of Map.groupBy(group, modeOf)) {
      groups++;
      const { subscriptionId, tenantId, isActive } = alike[0]!;
      const queue = indexOf(deliveryQueueKey(partition, subscriptionId));
      args.push(subscriptionId, tenantId, queue, isActive ? 1 : 0, mode, alike.length);
      for (const { member, due: dueMs, orderingKey } of alike) {
        args.push(member);
        if (mode !== "") continue;
        const order =
          orderingKey === undefined
            ? 0
            : indexOf(deliveryOrderKey(partition, hashOrder(subscriptionId, orderingKey)));
        args.push(typeof dueMs === "string" ? MODES[dueMs] : dueMs, order);
      }
    }
  }
  args[4] = groups;
  return (await scripts.enqueue(keys, args)) as number;
}

const MODES = { taken: "t", now: "n" } as const;

/** Those of one mode need no arguments but their members; "" for those that each say their own. */
function modeOf({ due, orderingKey }: QueuedDelivery): "t" | "n" | "" {
  return orderingKey === undefined && typeof due === "string" ? MODES[due] : "";
}
