import type { Lease } from "../../platform/lease.ts";
import { INCARNATION_KEY, inboundKeys, partitionOf } from "../../platform/redis/keys.ts";
import { bindScript } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId, timeOfId } from "../../platform/uuid.ts";
import { enlistReceipts, type WaitingReceipt } from "./enlist-receipts.ts";
import lua from "./find-entries.lua" with { type: "text" };
import { receiptMember } from "./inbound-scripts.ts";
import {
  keepUnchanged,
  listHeld,
  listOverdue,
  listResumedEndpoints,
  listUnfinished,
  type UnfinishedRow,
} from "./unfinished-store.ts";

/** Receipts of one round trip to Postgres. */
const BATCH_SIZE = 500;

/** Entries of one page of a stream. */
const PAGE_SIZE = 1000;

/** How long after it was due a receipt counts as forgotten: movers and finishers are much faster. */
const OVERDUE_MS = 60_000;

type Held = Pick<Lease, "isHeld">;

/**
 * Takes everything that Postgres knows as unfinished into a Redis that has lost its data, with its due times; the
 * marker that is set at the end tells that it was done. What was accepted and not yet in Postgres went with the disk.
 * A run that was broken off is repeated whole: what is enlisted already is left alone.
 *
 * @returns how many receipts came back; undefined when Redis still has its data
 * @throws when Redis or Postgres is away
 */
export async function rebuildAfterLoss(runtime: Runtime, lease: Held): Promise<number | undefined> {
  const { redis, sqlSystem } = runtime;
  if ((await redis.get(INCARNATION_KEY)) !== null) return undefined;
  let taken = 0;
  let after: UnfinishedRow | undefined;
  for (;;) {
    if (!lease.isHeld()) return taken;
    const rows = await listUnfinished(sqlSystem, after, BATCH_SIZE);
    // An entry that is in a stream already was put there by a replay or by the broken run before.
    taken += await enlistReceipts(runtime, (await withoutEntry(runtime, rows)).map(waitingAsStored));
    if (rows.length < BATCH_SIZE) break;
    after = rows.at(-1);
  }
  await redis.set(INCARNATION_KEY, newId(), "NX");
  return taken;
}

function waitingAsStored(row: UnfinishedRow): WaitingReceipt {
  const { id, tenantId, endpointId, status, nextRetryAt } = row;
  return { id, tenantId, endpointId, due: status === "HELD" ? "held" : (nextRetryAt?.getTime() ?? "now") };
}

/**
 * Takes receipts into the books that Redis was not told of: of replays while it was away. Forgotten is what is overdue
 * by a minute, or held as long for an endpoint that is active, and stands neither in the sets nor in the stream. An entry that is in work is in the stream until its
 * result is committed, so the state is read again after the stream: unchanged means that nobody works on it.
 *
 * @returns how many
 * @throws when Redis or Postgres is away
 */
export async function enlistForgotten(runtime: Runtime, lease: Held): Promise<number> {
  const { sqlSystem, clock } = runtime;
  const overdueMs = clock.nowMs() - OVERDUE_MS;
  let taken = await enlistPages(runtime, lease, (after) =>
    listOverdue(sqlSystem, new Date(overdueMs), after, BATCH_SIZE),
  );
  for (const endpoint of await listResumedEndpoints(sqlSystem)) {
    taken += await enlistPages(runtime, lease, async (after) => {
      const rows = await listHeld(sqlSystem, endpoint.id, after?.id, BATCH_SIZE);
      // Ids rise with time: a page that ends in younger ones is the last.
      return rows.filter(({ id }) => timeOfId(id) < overdueMs);
    });
  }
  return taken;
}

async function enlistPages(
  runtime: Runtime,
  lease: Held,
  readPage: (after: UnfinishedRow | undefined) => Promise<UnfinishedRow[]>,
): Promise<number> {
  const { sqlSystem, clock } = runtime;
  let taken = 0;
  let after: UnfinishedRow | undefined;
  while (lease.isHeld()) {
    const rows = await readPage(after);
    const missing = await withoutEntry(runtime, await withoutPlace(runtime, rows));
    const forgotten = await keepUnchanged(sqlSystem, missing);
    // A time and not "now": a finisher that was faster has set the next one, which stays.
    taken += await enlistReceipts(
      runtime,
      forgotten.map(({ id, tenantId, endpointId }) => ({ id, tenantId, endpointId, due: clock.nowMs() })),
    );
    if (rows.length < BATCH_SIZE) break;
    after = rows.at(-1);
  }
  return taken;
}

/** Those that are neither in the retry set nor in the held set. */
async function withoutPlace(runtime: Runtime, rows: readonly UnfinishedRow[]): Promise<UnfinishedRow[]> {
  const { redis, config } = runtime;
  const places = await Promise.all(
    rows.map(async (row) => {
      const keys = inboundKeys(partitionOf(row.endpointId, config.streamPartitions));
      const member = receiptMember(row);
      const [score, isHeld] = await Promise.all([
        redis.zscore(keys.retry, member),
        redis.sismember(keys.held, member),
      ]);
      return score !== null || isHeld === 1;
    }),
  );
  return rows.filter((_, index) => !places[index]);
}

/** Those that have no entry in their partition's stream. */
async function withoutEntry(runtime: Runtime, rows: readonly UnfinishedRow[]): Promise<UnfinishedRow[]> {
  const findEntries = bindScript(runtime.redis, { name: "hubFindEntries", lua });
  const byPartition = Map.groupBy(rows, ({ endpointId }) =>
    partitionOf(endpointId, runtime.config.streamPartitions),
  );
  const found = new Set<string>();
  for (const [partition, members] of byPartition) {
    const ids = members.map(({ id }) => id);
    let from = "-";
    while (from !== "") {
      const [next, ...present] = (await findEntries(
        [inboundKeys(partition).stream],
        [from, PAGE_SIZE, ...ids],
      )) as [string, ...string[]];
      for (const id of present) found.add(id);
      from = next;
    }
  }
  return rows.filter(({ id }) => !found.has(id));
}
