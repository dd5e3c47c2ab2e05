import { engineOf } from "../src/domain/deliveries/delivery-engine.ts";
import { deliveryScripts } from "../src/domain/deliveries/delivery-scripts.ts";
import { EventFanOut } from "../src/domain/deliveries/event-fan-out.ts";
import { EventFinisher } from "../src/domain/deliveries/finish-events.ts";
import { SubscriptionCache } from "../src/domain/subscriptions/subscription-cache.ts";
import { subscribeInvalidation } from "../src/platform/invalidation.ts";
import { eventOwnerKey } from "../src/platform/redis/keys.ts";
import type { Runtime } from "../src/platform/runtime.ts";
import { PartitionOwners } from "../src/platform/streams/partition-owners.ts";

const DRAIN_MS = 5_000;

/**
 * Consumer `fan-out`: from the event streams into the queues of the subscriptions that match. Started after `deliveries`,
 * it hands over what the same process sends.
 */
export const fanOut = {
  name: "fan-out",
  async start(runtime: Runtime): Promise<{ stop(): Promise<void> }> {
    const engine = engineOf(runtime);
    const client = runtime.openRedis("consumer");
    const finisher = new EventFinisher(runtime, client);
    const fan = new EventFanOut(
      {
        runtime,
        scripts: engine?.scripts ?? deliveryScripts(client),
        subscriptions: engine?.subscriptions ?? (await ownCache(runtime)),
        finisher,
        engine,
        isCluster: "nodes" in client,
      },
      runtime.openRedis("consumer"),
    );
    const owners = new PartitionOwners(runtime, {
      kind: "fan-out",
      ownerKey: eventOwnerKey,
      onOwned: (partition, lease) => fan.own(partition, lease),
    });
    fan.start();
    await owners.start();
    return {
      async stop() {
        await fan.stop();
        await finisher.drain(DRAIN_MS);
        await owners.stop();
      },
    };
  },
};

async function ownCache(runtime: Runtime): Promise<SubscriptionCache> {
  const cache = new SubscriptionCache(runtime);
  await subscribeInvalidation(runtime, {
    handlers: { subscription: (name) => cache.invalidate(name) },
    onReconnect: () => cache.clear(),
  });
  return cache;
}
