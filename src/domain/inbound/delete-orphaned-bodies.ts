import type { Lease } from "../../platform/lease.ts";
import { eventKeys, inboundKeys } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";

/** Receipts of one statement; their bodies can have 25 MiB each. */
const BATCH_RECEIPTS = 200;

/** No body younger than this is looked at: its entry may be on its way, and clocks differ. */
const AGE_MIN_MS = 3_600_000;

/**
 * Deletes large bodies that nobody will ask for: of requests that were refused after their body was stored, and of
 * receipts that retention dropped. A body is kept while its receipt, an open dead letter or an entry of a stream may
 * need it (large data of events lies here until it is fanned out); entries are judged by the age of the oldest one, because a backlog can be older than any fixed time.
 *
 * @returns how many bodies
 */
export async function deleteOrphanedBodies(runtime: Runtime, lease: Lease): Promise<number> {
  const before = new Date(Math.min(runtime.clock.nowMs(), await oldestEntryMs(runtime)) - AGE_MIN_MS);
  let deleted = 0;
  while (lease.isHeld()) {
    const rows = await runtime.sqlSystem<{ receiptId: string }[]>`
      with orphans as (
        select b.receipt_id from large_bodies b
        where b.part = 0 and b.created_at < ${before}
          and not exists (
            select from webhook_receipts r where r.id = b.receipt_id and r.created_at = b.created_at)
          and not exists (select from dead_letters d where d.receipt_id = b.receipt_id and d.status = 'OPEN')
        limit ${BATCH_RECEIPTS}
      ), gone as (
        delete from large_bodies b using orphans o where b.receipt_id = o.receipt_id returning b.receipt_id, b.part
      )
      select receipt_id as "receiptId" from gone where part = 0`;
    deleted += rows.length;
    if (rows.length < BATCH_RECEIPTS) break;
  }
  return deleted;
}

/** When the oldest entry of any partition of both topics came in; Infinity when nothing waits. */
async function oldestEntryMs(runtime: Runtime): Promise<number> {
  const streams = Array.from({ length: runtime.config.streamPartitions }, (_, partition) => [
    inboundKeys(partition).stream,
    eventKeys(partition).stream,
  ]).flat();
  const times = await Promise.all(
    streams.map(async (stream) => {
      const [first] = await runtime.redis.xrange(stream, "-", "+", "COUNT", 1);
      return first === undefined ? Infinity : Number.parseInt(first[0], 10);
    }),
  );
  return Math.min(...times);
}
