import { deliveryKeys, deliveryQueueKey } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { DeliveryScripts } from "./delivery-scripts.ts";
import type { OwnedPartition } from "./delivery-work.ts";
import { HELD, TAKEN } from "./scores.ts";

/** Subscriptions of one call: a longer script holds up everybody on this Redis. */
const TAKE_OVER_BATCH = 200;

/**
 * Makes due again what an earlier owner of a partition had taken; what it has sent already is found when it is loaded.
 *
 * @throws when Redis is away
 */
export async function takeOverPartition(
  { client, scripts, runtime }: { client: RedisClient; scripts: DeliveryScripts; runtime: Runtime },
  { partition, token }: OwnedPartition,
): Promise<void> {
  const { owner, due } = deliveryKeys(partition);
  const subscriptions = await client.zrange(due, "0", "-1");
  let again = 0;
  for (let start = 0; start < subscriptions.length; start += TAKE_OVER_BATCH) {
    const batch = subscriptions.slice(start, start + TAKE_OVER_BATCH);
    const queues = batch.map((id) => deliveryQueueKey(partition, id));
    const count = await scripts.takeOver([owner, due, ...queues], [token, TAKEN, HELD, ...batch]);
    again += Math.max(0, Number(count));
  }
  if (again > 0) runtime.log.info({ partition, again }, "deliveries taken over");
}

/**
 * Sets when the owner looks at queues again.
 *
 * @param pairs subscription id and score, one after the other; "" for the due time of the earliest delivery
 */
export async function reindexQueues(
  scripts: DeliveryScripts,
  { partition, token }: OwnedPartition,
  pairs: readonly (string | number)[],
): Promise<void> {
  if (pairs.length === 0) return;
  const { owner, due } = deliveryKeys(partition);
  const queues = pairs
    .filter((_, index) => index % 2 === 0)
    .map((id) => deliveryQueueKey(partition, String(id)));
  await scripts.reindex([owner, due, ...queues], [token, ...pairs]);
}
