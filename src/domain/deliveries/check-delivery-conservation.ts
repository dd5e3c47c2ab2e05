import { deliveryKeys, deliveryQueuePrefix } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { deliveryScripts } from "./delivery-scripts.ts";
import { BLOCKED, HELD, TAKEN } from "./scores.ts";

/** Both sides of the books of deliveries. */
export interface DeliveryConservation {
  /** Deliveries that were put into queues since the data of this Redis began. */
  accepted: number;
  /** Delivered, failed or cancelled. */
  ended: number;
  /** In the queues: waiting, due later, in flight, held, parked. */
  live: number;
  /** Of these, in the memory of the processes that send them. */
  taken: number;
  /** Of these, behind an earlier delivery of their ordering key. */
  parked: number;
  /** Of these, for subscriptions that are paused or disabled. */
  held: number;
  /** accepted − ended − live: 0, or the number of deliveries that went astray. */
  difference: number;
}

/**
 * Adds up what was accepted and what became of it. Each partition is read in one atomic step, and each partition's books
 * balance by themselves, so that traffic shows no difference that is not there.
 *
 * @throws when Redis is away
 */
export async function checkDeliveryConservation(runtime: Runtime): Promise<DeliveryConservation> {
  const { conservation } = deliveryScripts(runtime.redis);
  const readings = (await Promise.all(
    Array.from({ length: runtime.config.streamPartitions }, (_, partition) => {
      const { due, ledger } = deliveryKeys(partition);
      return conservation([due, ledger], [deliveryQueuePrefix(partition), TAKEN, BLOCKED, HELD]);
    }),
  )) as string[][];
  const sum = (index: number): number =>
    readings.reduce((total, reading) => total + Number(reading[index]), 0);
  const [accepted, ended, live] = [sum(0), sum(1), sum(2)];
  return {
    accepted,
    ended,
    live,
    taken: sum(3),
    parked: sum(4),
    held: sum(5),
    difference: accepted - ended - live,
  };
}
