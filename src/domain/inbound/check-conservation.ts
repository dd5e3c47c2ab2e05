import { inboundKeys } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { inboundScripts } from "./inbound-scripts.ts";

/** Both sides of the inbound topic's books. */
export interface Conservation {
  /** Accepted since the data of this Redis began; each replay counts once more. */
  accepted: number;
  /** Processed, filtered, duplicate, dead or cancelled. */
  ended: number;
  /** Entries in the streams: waiting and in work. */
  waiting: number;
  /** Waiting for their next try. */
  retry: number;
  /** Waiting for a paused endpoint. */
  held: number;
  /** accepted − ended − waiting − retry − held: 0, or the number of receipts that went astray. */
  difference: number;
}

/**
 * Adds up what was accepted and what became of it, in one atomic reading, so that traffic shows no difference that is
 * not there. On a Cluster it is one reading a partition: there each partition's books balance by themselves.
 *
 * @throws when Redis is away
 */
export async function checkConservation(runtime: Runtime): Promise<Conservation> {
  const { conservation } = inboundScripts(runtime.redis);
  const partitions = Array.from({ length: runtime.config.streamPartitions }, (_, partition) => {
    const { stream, retry, held, ledger } = inboundKeys(partition);
    return [stream, retry, held, ledger];
  });
  const isCluster = "nodes" in runtime.redis;
  const readings = (await Promise.all(
    isCluster ? partitions.map((keys) => conservation(keys, [])) : [conservation(partitions.flat(), [])],
  )) as string[][];
  const [accepted, ended, waiting, retry, held] = [0, 1, 2, 3, 4].map((index) =>
    readings.reduce((sum, reading) => sum + Number(reading[index]), 0),
  ) as [number, number, number, number, number];
  return { accepted, ended, waiting, retry, held, difference: accepted - ended - waiting - retry - held };
}
