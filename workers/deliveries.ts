import { DeliveryEngine, registerEngine } from "../src/domain/deliveries/delivery-engine.ts";
import { deliveryKeys } from "../src/platform/redis/keys.ts";
import type { Runtime } from "../src/platform/runtime.ts";
import { PartitionOwners } from "../src/platform/streams/partition-owners.ts";

/** Time for the results of the last attempts to be written. */
const DRAIN_MS = 5_000;

/** Consumer `deliveries`: from the subscriptions' queues to their receivers and into the log. */
export const deliveries = {
  name: "deliveries",
  async start(runtime: Runtime): Promise<{ stop(): Promise<void> }> {
    const engine = new DeliveryEngine(runtime, runtime.openRedis("consumer"));
    await engine.start();
    const owners = new PartitionOwners(runtime, {
      kind: "deliveries",
      ownerKey: (partition) => deliveryKeys(partition).owner,
      onOwned: (partition, lease) => engine.own(partition, lease),
    });
    await owners.start();
    registerEngine(runtime, engine);
    return {
      async stop() {
        await owners.stop();
        await engine.drain(DRAIN_MS);
      },
    };
  },
};
