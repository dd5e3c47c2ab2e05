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

/** What the queue made of one delivery, by the numbers of enqueue.lua. */
export const LIVE_ALREADY = 0;
export const ADDED = 1;

/** Deliveries of one call: a longer script holds up everybody on this Redis. */
export const ENQUEUE_MAX = 500;

/**
 * Puts deliveries of one partition into their queues, at most ENQUEUE_MAX of them.
 *
 * @param token of the caller's lease on the partition; "" when it has none
 * @returns for each, in order, the number that enqueue.lua tells
 * @throws when Redis is away; the call may be repeated
 */
export async function enqueueDeliveries(
  scripts: Pick<DeliveryScripts, "enqueue">,
  partition: number,
  token: string,
  deliveries: readonly QueuedDelivery[],
): Promise<number[]> {
  const { owner, due, ledger } = deliveryKeys(partition);
  const keys = [owner, due, ledger];
  const keyIndex = new Map<string, number>();
  const indexOf = (key: string): number => {
    let index = keyIndex.get(key);
    if (index === undefined) keyIndex.set(key, (index = keys.push(key)));
    return index;
  };
  // Those of one subscription stand together; the sort keeps the order within it.
  const order = deliveries.map((_, index) => index);
  order.sort((a, b) => compareText(deliveries[a]!.subscriptionId, deliveries[b]!.subscriptionId) || a - b);
  const args: (string | number)[] = [token, TAKEN, BLOCKED, HELD, 0];
  let groups = 0;
  let countAt = 0;
  let current: string | undefined;
  for (const index of order) {
    const one = deliveries[index]!;
    if (one.subscriptionId !== current) {
      current = one.subscriptionId;
      groups++;
      args.push(
        current,
        one.tenantId,
        indexOf(deliveryQueueKey(partition, current)),
        one.isActive ? 1 : 0,
        0,
      );
      countAt = args.length - 1;
    }
    args[countAt] = (args[countAt] as number) + 1;
    const orderKey =
      one.orderingKey === undefined
        ? 0
        : indexOf(deliveryOrderKey(partition, hashOrder(current, one.orderingKey)));
    args.push(one.member, one.due === "taken" ? "t" : one.due === "now" ? "n" : one.due, orderKey);
  }
  args[4] = groups;
  const reply = (await scripts.enqueue(keys, args)) as number[];
  const results = Array.from({ length: deliveries.length }, () => LIVE_ALREADY);
  for (let position = 0; position < order.length; position++) results[order[position]!] = reply[position]!;
  return results;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
