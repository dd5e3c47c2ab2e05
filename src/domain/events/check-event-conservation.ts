import { eventKeys } from "../../platform/redis/keys.ts";
import { bindScript } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import lua from "./conservation.lua" with { type: "text" };

/** Both sides of the event topic's books. */
export interface EventConservation {
  /** Accepted since the data of this Redis began. */
  accepted: number;
  /** Processed, filtered, duplicate, dead or cancelled. */
  ended: number;
  /** Entries in the streams: waiting and in work. */
  waiting: number;
  /** accepted − ended − waiting: 0, or the number of events that went astray. */
  difference: number;
}

/**
 * Adds up what was published and what became of it, in one atomic reading; on a Cluster in one a partition.
 *
 * @throws when Redis is away
 */
export async function checkEventConservation(runtime: Runtime): Promise<EventConservation> {
  const read = bindScript(runtime.redis, { name: "hubEventConservation", lua });
  const partitions = Array.from({ length: runtime.config.streamPartitions }, (_, partition) => {
    const { stream, ledger } = eventKeys(partition);
    return [stream, ledger];
  });
  const isCluster = "nodes" in runtime.redis;
  const readings = (await Promise.all(
    isCluster ? partitions.map((keys) => read(keys, [])) : [read(partitions.flat(), [])],
  )) as string[][];
  const sum = (index: number): number =>
    readings.reduce((total, reading) => total + Number(reading[index]), 0);
  const [accepted, ended, waiting] = [sum(0), sum(1), sum(2)];
  return { accepted, ended, waiting, difference: accepted - ended - waiting };
}
