import type { Lease } from "../../platform/lease.ts";
import { deliveryQueueKey, partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { getReplayTarget, type ReplayTarget } from "./delivery-store.ts";
import { deliveryIdOf, encodeMember } from "./delivery-id.ts";
import type { QueuedDelivery } from "./enqueue-deliveries.ts";
import { type OpenDelivery, writeOpenDeliveries } from "./open-delivery-store.ts";
import { ReplayPace } from "./replay-pace.ts";
import { readReplayRange } from "./replay-range.ts";
import {
  advanceReplay,
  endOrphanedReplay,
  listOpenReplays,
  listReplayable,
  type ReplayableRow,
  type ReplayRow,
} from "./replay-store.ts";
import { enlistDeliveries } from "./sweep-deliveries.ts";

/** Jobs that are worked on at once. */
const JOBS_MAX = 100;
/** A job keeps its place for so long while others wait for one. */
const TURN_MS = 5_000;
const PAGE_SIZE = 500;

/** A replay waits while so many deliveries of its subscription do: what is published now has to get its turn too. */
const QUEUE_MAX = 5_000;

/** Pause of a job that its rate holds back. */
const STEP_MS = 100;

/** Jobs that this process is working on. */
const running = new Set<string>();
/** Of jobs with a rate, also between their turns; begun anew when too many of cancelled jobs have gathered. */
const paces = new Map<string, ReplayPace>();
const PACES_MAX = 10_000;
/** More jobs are open than there are places. */
let othersWait = false;

/**
 * Puts the deliveries of replay jobs on their way, beside each other, each at its rate; places are given to tenants in
 * turn. Progress is stored with each page, together with the open deliveries that it made, so that a killed process leaves
 * nothing out and the queue's own memory keeps it from doing anything twice.
 */
export async function runReplays(runtime: Runtime, lease: Lease): Promise<void> {
  const places = JOBS_MAX - running.size;
  const jobs = await listOpenReplays(runtime.sqlSystem, [...running], places + 1);
  othersWait = jobs.length > places;
  for (const job of jobs.slice(0, places)) {
    if (running.has(job.id)) continue;
    running.add(job.id);
    void runReplay(runtime, lease, job)
      .then((goesOn) => goesOn || paces.delete(job.id))
      .catch((error: unknown) => runtime.log.warn({ err: error, replayId: job.id }, "replay waits"))
      .finally(() => running.delete(job.id));
  }
}

/** One turn of a job. @returns false when it has ended */
async function runReplay(runtime: Runtime, lease: Lease, given: ReplayRow): Promise<boolean> {
  let job = given;
  const pace = paceOf(job);
  const startedAtMs = performance.now();
  const isOver = (): boolean => othersWait && performance.now() - startedAtMs > TURN_MS;
  while (lease.isHeld() && !isOver()) {
    if ((await queueLength(runtime, job)) > QUEUE_MAX)
      return advanceReplay(runtime.sqlSystem, job.id, { replayed: 0, cursorId: null, isComplete: false });
    const allowed = pace?.allowed(performance.now()) ?? PAGE_SIZE;
    if (allowed === 0) {
      await Bun.sleep(STEP_MS);
      continue;
    }
    const target = await getReplayTarget(runtime.sqlSystem, job.subscriptionId);
    if (target === undefined) {
      await endOrphanedReplay(runtime.sqlSystem, job.id);
      return false;
    }
    const rows = await pageOf(runtime, job, Math.min(allowed, PAGE_SIZE));
    const isComplete = rows.length === 0 || job.deliveryId !== null;
    if (!(await sendAgain(runtime, job, rows, { ...target, isComplete })) || isComplete) return false;
    pace?.charge(rows.length, performance.now());
    job = { ...job, cursorId: rows.at(-1)!.id };
  }
  return true;
}

function paceOf({ id, ratePerSecond }: ReplayRow): ReplayPace | undefined {
  if (ratePerSecond === null) return undefined;
  let pace = paces.get(id);
  if (pace === undefined) {
    if (paces.size >= PACES_MAX) paces.clear();
    paces.set(id, (pace = new ReplayPace(ratePerSecond, performance.now())));
  }
  return pace;
}

async function pageOf(runtime: Runtime, job: ReplayRow, limit: number): Promise<ReplayableRow[]> {
  // Nothing matched when it was made; what fails later is not its business.
  if (job.untilId === null) return [];
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
  how: ReplayTarget & { isComplete: boolean },
): Promise<boolean> {
  const goesOn = await runtime.sqlSystem.begin(async (tx) => {
    const step = { replayed: rows.length, cursorId: rows.at(-1)?.id ?? null, isComplete: how.isComplete };
    if (!(await advanceReplay(tx, job.id, step))) return false;
    await writeOpenDeliveries(
      tx,
      rows.map((row) => openRow(job, row, how.isActive ? "WAITING" : "HELD")),
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
        isActive: how.isActive,
        member,
        due: "now",
        orderingKey: how.isOrdered ? (row.orderingKey ?? undefined) : undefined,
      };
    }),
  );
  return true;
}

function openRow(job: ReplayRow, row: ReplayableRow, status: "WAITING" | "HELD"): OpenDelivery {
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
    status,
    nextRetryAtMs: null,
    errorCode: null,
    errorMessage: null,
  };
}
