import type { Config } from "../../platform/config.ts";
import { masterNodes, readInfo } from "../../platform/redis/info.ts";
import type { RedisClient } from "../../platform/redis/script.ts";

/** Share of `maxmemory` from which senders are refused: the rest is for work on what is accepted already. */
export const MEMORY_WATERMARK = 0.85;

/** Stream and ledger of each partition of a topic. */
export type CapacityKeys = (partition: number) => { stream: string; ledger: string };

/** How full a topic and Redis are. */
export interface CapacityUse {
  /** Entries of the streams of all partitions together. */
  entries: number;
  /** Entries of the fullest partition. */
  entriesOfFullest: number;
  /** Used share of `maxmemory` on the fullest server; 0 without a limit. */
  memoryShare: number;
}

/** @throws when Redis is away */
export async function readCapacityUse(
  client: RedisClient,
  config: Config,
  keysOf: CapacityKeys,
): Promise<CapacityUse> {
  const [lengths, memoryShares] = await Promise.all([
    Promise.all(
      Array.from({ length: config.streamPartitions }, (_, partition) =>
        client.xlen(keysOf(partition).stream),
      ),
    ),
    Promise.all(masterNodes(client).map(async (node) => usedShare(await readInfo(node, "memory")))),
  ]);
  return {
    entries: lengths.reduce((sum, length) => sum + length, 0),
    entriesOfFullest: Math.max(...lengths),
    memoryShare: Math.max(0, ...memoryShares),
  };
}

function usedShare(memory: ReadonlyMap<string, string>): number {
  const limit = Number(memory.get("maxmemory"));
  return limit > 0 ? Number(memory.get("used_memory")) / limit : 0;
}
