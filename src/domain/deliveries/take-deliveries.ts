import { deliveryKeys, deliveryQueueKey } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { DeliveryScripts } from "./delivery-scripts.ts";
import type { OwnedPartition } from "./delivery-work.ts";
import { TAKEN } from "./scores.ts";

const RETRY_WAIT_MS = 500;

/**
 * Marks due deliveries as taken and tells them, repeated until Redis answers: a call whose answer did not come may have
 * marked some, and repeated under its number it tells them.
 *
 * @param wanted subscriptions, and the most to take of each
 * @param call number of the call, growing while the partition is owned
 * @returns members for each subscription, in order, also such that this process has already; none when the partition is
 * another process's
 */
export async function takeDeliveries(
  { runtime, scripts }: { runtime: Runtime; scripts: Pick<DeliveryScripts, "take"> },
  { partition, token, lease }: OwnedPartition,
  wanted: readonly { subscriptionId: string; count: number }[],
  call: number,
): Promise<string[][]> {
  const { owner, due } = deliveryKeys(partition);
  const queues = wanted.map(({ subscriptionId }) => deliveryQueueKey(partition, subscriptionId));
  const args = wanted.flatMap(({ subscriptionId, count }) => [subscriptionId, count]);
  for (;;) {
    try {
      const reply = await scripts.take([owner, due, ...queues], [token, TAKEN, call, ...args]);
      return Array.isArray(reply) ? (reply as string[][]) : [];
    } catch (error) {
      if (!lease.isHeld()) return [];
      runtime.log.warn({ err: error, partition }, "due deliveries not taken, trying again");
      await Bun.sleep(RETRY_WAIT_MS);
    }
  }
}
