import { deliveryOrderKey } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { hashOrder } from "./delivery-id.ts";
import { queueRow } from "./held-queue.ts";
import type { Lane } from "./lane.ts";
import { showWaiting } from "./open-delivery-store.ts";

/** Deliveries of one key that are shown; the rest is found by their number. */
const SHOWN_MAX = 500;

/**
 * Makes the deliveries visible that wait behind a failed one of the same ordering key, as PARKED. Never rejects: the next
 * failure of the key shows them again.
 */
export async function showParked(
  runtime: Runtime,
  client: RedisClient,
  { owned, subscriptionId, tenantId }: Lane,
  orderingKey: string,
): Promise<void> {
  try {
    const order = deliveryOrderKey(owned.partition, hashOrder(subscriptionId, orderingKey));
    const behind = await client.lrange(order, 1, SHOWN_MAX);
    await showWaiting(
      runtime.sqlSystem,
      behind.map((member) => queueRow(tenantId, subscriptionId, member)),
      "PARKED",
    );
  } catch (error) {
    runtime.log.warn({ err: error, subscriptionId }, "parked deliveries not shown");
  }
}
