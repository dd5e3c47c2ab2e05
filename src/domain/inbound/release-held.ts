import type { Lease } from "../../platform/lease.ts";
import { inboundKeys, partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { inboundScripts, receiptMember } from "./inbound-scripts.ts";
import { listHeld, listResumedEndpoints } from "./unfinished-store.ts";

/** Receipts of one call. */
const BATCH_SIZE = 200;

/** Entries of a stream above which nothing is released into it: what senders send now comes first. */
const STREAM_ENTRIES_MAX = 10_000;

/**
 * Puts receipts that were held for a paused endpoint or integration back into the stream, oldest first, once it is
 * active again. Asks only Redis as long as nothing is held.
 *
 * @returns how many
 * @throws when Redis or Postgres is away
 */
export async function releaseHeld(runtime: Runtime, lease: Pick<Lease, "isHeld">): Promise<number> {
  const { redis, config, sqlSystem } = runtime;
  const counts = await Promise.all(
    Array.from({ length: config.streamPartitions }, (_, partition) =>
      redis.scard(inboundKeys(partition).held),
    ),
  );
  if (counts.every((count) => count === 0)) return 0;
  let released = 0;
  for (const { id } of await listResumedEndpoints(sqlSystem)) {
    const partition = partitionOf(id, config.streamPartitions);
    if (counts[partition]! > 0) released += await releaseEndpoint(runtime, id, partition, lease);
  }
  return released;
}

async function releaseEndpoint(
  runtime: Runtime,
  endpointId: string,
  partition: number,
  lease: Pick<Lease, "isHeld">,
): Promise<number> {
  const { redis, sqlSystem } = runtime;
  const { stream, held } = inboundKeys(partition);
  const call = inboundScripts(redis).releaseHeld;
  let released = 0;
  let afterId: string | undefined;
  while (lease.isHeld() && (await redis.xlen(stream)) < STREAM_ENTRIES_MAX) {
    const rows = await listHeld(sqlSystem, endpointId, afterId, BATCH_SIZE);
    if (rows.length > 0) released += Number(await call([stream, held], rows.map(receiptMember)));
    if (rows.length < BATCH_SIZE) break;
    afterId = rows.at(-1)!.id;
  }
  return released;
}
