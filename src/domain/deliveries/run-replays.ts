import type { Lease } from "../../platform/lease.ts";
import { deliveryQueueKey, partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { getSubscriptionOrder } from "./delivery-store.ts";
import { deliveryIdOf, encodeMember } from "./delivery-id.ts";
import type { QueuedDelivery } from "./enqueue-deliveries.ts";
import { type OpenDelivery, writeOpenDeliveries } from "./open-delivery-store.ts";
import { readReplayRange } from "./replay-range.ts";
import {
  advanceReplay,
  listOpenReplays,
  listReplayable,
  type ReplayableRow,
  type ReplayRow,
} from "./replay-store.ts";
import { enlistDeliveries } from "./sweep-deliveries.ts";

const JOBS_MAX = 100;
const PAGE_SIZE = 500;

/** A replay waits while so many deliveries of its subscription do: what is published now has to get its turn too. */
const QUEUE_MAX = 5_000;

/** Pause of a job between its pages when it has a rate, or nothing to do. */
const STEP_MS = 100;

/** Jobs that this process is working on. */
const running = new Set<string>();

/**
 * Puts the deliveries of replay jobs on their way, all jobs beside each other, each at its rate. Progress is stored with
 * each page, together with the open deliveries that it made, so that a killed process leaves nothing out and the queue's
 * own memory keeps it from doing anything twice.
 */
export async function runReplays(runtime: Runtime, lease: Lease): Promise<void> {
  for (const job of await listOpenReplays(runtime.sqlSystem, JOBS_MAX)) {
    if (running.has(job.id)) continue;
    running.add(job.id);
    void runReplay(runtime, lease, job)
      .catch((error: unknown) => runtime.log.warn({ err: error, replayId: job.id }, "replay waits"))
      .finally(() => running.delete(job.id));
  }
}

async function runReplay(runtime: Runtime, lease: Lease, given: ReplayRow): Promise<void> {
  const isOrdered = await getSubscriptionOrder(runtime.sqlSystem, given.subscriptionId);
  let job = given;
  const startedAtMs = performance.now();
  let sent = 0;
  while (lease.isHeld()) {
    const allowed =
      job.ratePerSecond === null
        ? PAGE_SIZE
        : Math.floor(((performance.now() - startedAtMs) / 1000) * job.ratePerSecond) + 1 - sent;
    if (allowed <= 0 || (await queueLength(runtime, job)) > QUEUE_MAX) {
      await Bun.sleep(STEP_MS);
      if (
        !(await advanceReplay(runtime.sqlSystem, job.id, { replayed: 0, cursorId: null, isComplete: false }))
      )
        return;
      continue;
    }
    const rows = await pageOf(runtime, job, Math.min(allowed, PAGE_SIZE));
    const isComplete = rows.length === 0 || job.deliveryId !== null;
    if (!(await sendAgain(runtime, job, rows, { isComplete, isOrdered }))) return;
    if (isComplete) return;
    sent += rows.length;
    job = { ...job, cursorId: rows.at(-1)!.id };
    if (job.ratePerSecond !== null) await Bun.sleep(STEP_MS);
  }
}

function pageOf(runtime: Runtime, job: ReplayRow, limit: number): Promise<ReplayableRow[]> {
  if (job.deliveryId !== null) return listOne(runtime, job);
  return listReplayable(runtime.sqlSystem, job, readReplayRange(job.filter ?? {}), limit);
}

/** The one attempt that a replay of a single delivery names. */
async function listOne(runtime: Runtime, job: ReplayRow): Promise<ReplayableRow[]> {
  return runtime.sqlSystem<ReplayableRow[]>`
    select d.id, d.event_id as "eventId", d.event_created_at as "eventCreatedAt", d.event_type as "eventType",
      e.ordering_key as "orderingKey"
    from webhook_deliveries d
    left join events e on e.tenant_id = d.tenant_id and e.id = d.event_id and e.created_at = d.event_created_at
    where d.id = ${job.untilId} and d.tenant_id = ${job.tenantId}`;
}

async function queueLength(runtime: Runtime, { subscriptionId }: ReplayRow): Promise<number> {
  const partition = partitionOf(subscriptionId, runtime.config.streamPartitions);
  return runtime.redis.zcard(deliveryQueueKey(partition, subscriptionId));
}

/**
 * Stores the page's open deliveries and the progress in one transaction, then enlists them; what a death leaves out in
 * between is found by the sweeper.
 *
 * @returns false when the job was cancelled
 */
async function sendAgain(
  runtime: Runtime,
  job: ReplayRow,
  rows: readonly ReplayableRow[],
  how: { isComplete: boolean; isOrdered: boolean },
): Promise<boolean> {
  const goesOn = await runtime.sqlSystem.begin(async (tx) => {
    const step = { replayed: rows.length, cursorId: rows.at(-1)?.id ?? null, isComplete: how.isComplete };
    if (!(await advanceReplay(tx, job.id, step))) return false;
    await writeOpenDeliveries(
      tx,
      rows.map((row) => openRow(job, row)),
    );
    return true;
  });
  if (!goesOn) return false;
  await enlistDeliveries(
    runtime,
    rows.map((row): QueuedDelivery => {
      const member = encodeMember({
        eventId: row.eventId,
        eventCreatedAtMs: row.eventCreatedAt.getTime(),
        replayId: job.id,
      });
      return {
        subscriptionId: job.subscriptionId,
        tenantId: job.tenantId,
        isActive: true,
        member,
        due: "now",
        orderingKey: how.isOrdered ? (row.orderingKey ?? undefined) : undefined,
      };
    }),
  );
  return true;
}

function openRow(job: ReplayRow, row: ReplayableRow): OpenDelivery {
  const { subscriptionId, tenantId } = job;
  return {
    id: deliveryIdOf({ eventId: row.eventId, subscriptionId, replayId: job.id }),
    tenantId,
    subscriptionId,
    eventId: row.eventId,
    eventCreatedAtMs: row.eventCreatedAt.getTime(),
    eventType: row.eventType,
    orderingKey: row.orderingKey,
    replayId: job.id,
    attemptCount: 0,
    status: "WAITING",
    nextRetryAtMs: null,
    errorCode: null,
    errorMessage: null,
  };
}
