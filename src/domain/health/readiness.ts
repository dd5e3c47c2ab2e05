import { type Static, Type } from "@sinclair/typebox";
import { findMissingPartitions } from "../../platform/postgres/partitions.ts";
import { findPendingMigrations, listMigrations } from "../../platform/postgres/pending-migrations.ts";
import { withinTime } from "../../platform/process/within-time.ts";
import { inboundKeys, workerLeaseKey } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { DISK_FREE_MIN_BYTES, findLowDisk } from "../../platform/services/low-disk.ts";
import { MEMORY_WATERMARK, readCapacityUse } from "../inbound/capacity-use.ts";
import { findWeaknesses } from "./boot-checks.ts";

export const ReadinessFault = Type.Object({
  name: Type.Union(
    [
      Type.Literal("postgres"),
      Type.Literal("migrations"),
      Type.Literal("partitions"),
      Type.Literal("redis"),
      Type.Literal("durability"),
      Type.Literal("capacity"),
      Type.Literal("workers"),
      Type.Literal("disk"),
      Type.Literal("stopping"),
    ],
    { description: "What is wrong." },
  ),
  message: Type.String(),
  blocking: Type.Boolean({
    description: "True: send nothing here. False: webhooks are accepted, but look at it.",
  }),
});
export type ReadinessFault = Static<typeof ReadinessFault>;

export const Readiness = Type.Object({
  status: Type.Union([Type.Literal("ready"), Type.Literal("degraded"), Type.Literal("unavailable")]),
  faults: Type.Array(ReadinessFault),
});
export type Readiness = Static<typeof Readiness>;

/** A check that takes longer counts as failed: a load balancer asks every few seconds and waits for none. */
const CHECK_TIMEOUT_MS = 1500;

/** How long an answer is shown again, so that many askers cost what one does. */
const ANSWER_LIFETIME_MS = 1000;

/** Share of one partition's capacity from which it is told before senders are refused. */
const PARTITION_WATERMARK = 0.9;

/** Worker slots that are looked at: names are taken from the lowest, so that a living worker is among the first. */
const WORKER_SLOTS_LOOKED_AT = 16;

/**
 * Judges whether requests should be sent to this process, and names all that is wrong. Postgres away does not block:
 * webhooks are accepted from the cache up to capacity. A disk that is nearly full neither: what it stops is named too.
 *
 * @param diskFreeMinBytes what the disks of HUB_HOME must have left
 * @returns asks at most once a second
 */
export function createReadiness(
  runtime: Runtime,
  diskFreeMinBytes = DISK_FREE_MIN_BYTES,
): () => Promise<Readiness> {
  const migrations = listMigrations();
  let answer: Promise<Readiness> | undefined;
  let answeredAtMs = -Infinity;
  return () => {
    if (runtime.shutdown.started)
      return Promise.resolve(judge([fault("stopping", "The process is stopping.", true)]));
    if (answer === undefined || performance.now() - answeredAtMs > ANSWER_LIFETIME_MS) {
      answeredAtMs = performance.now();
      answer = checkAll(runtime, migrations, diskFreeMinBytes);
    }
    return answer;
  };
}

async function checkAll(
  runtime: Runtime,
  migrations: Promise<string[]>,
  diskFreeMinBytes: number,
): Promise<Readiness> {
  const groups = await Promise.all([
    checkWithinTime(runtime, "postgres", "Postgres does not answer.", false, async () =>
      checkPostgres(runtime, await migrations),
    ),
    checkWithinTime(runtime, "redis", "Redis does not answer.", true, () => checkRedis(runtime)),
    checkWithinTime(runtime, "disk", "The disk of HUB_HOME does not answer.", false, () =>
      checkDisk(runtime.config.hubHome, diskFreeMinBytes),
    ),
  ]);
  return judge(groups.flat());
}

/** The causes go to the log: an answer without a key names no addresses and no messages of libraries. */
async function checkWithinTime(
  runtime: Runtime,
  name: ReadinessFault["name"],
  message: string,
  blocking: boolean,
  check: () => Promise<ReadinessFault[]>,
): Promise<ReadinessFault[]> {
  try {
    return await withinTime(check(), CHECK_TIMEOUT_MS);
  } catch (error) {
    runtime.log.warn({ err: error, check: name }, "readiness check failed");
    return [fault(name, message, blocking)];
  }
}

async function checkPostgres(runtime: Runtime, migrations: readonly string[]): Promise<ReadinessFault[]> {
  const { sqlSystem, clock } = runtime;
  const pending = await findPendingMigrations(sqlSystem, migrations);
  if (pending.length > 0) {
    return [fault("migrations", `Not migrated: ${pending.join(", ")} missing.`, true)];
  }
  const missingDays = await findMissingPartitions(sqlSystem, clock.nowMs());
  return missingDays.length === 0
    ? []
    : [fault("partitions", `Day partitions missing: ${missingDays.join(", ")}.`, false)];
}

async function checkRedis(runtime: Runtime): Promise<ReadinessFault[]> {
  const { redis, config } = runtime;
  // A command to a client that is connecting would wait for the whole time of the check.
  if (redis.status !== "ready") return [fault("redis", "Redis is not connected.", true)];
  const [weaknesses, use, workers] = await Promise.all([
    findWeaknesses(runtime),
    readCapacityUse(redis, config, inboundKeys),
    countWorkers(runtime),
  ]);
  const faults: ReadinessFault[] = [];
  if (weaknesses.length > 0) {
    // Settings can be changed while it runs; refused at boot, they are no reason to drop traffic now.
    faults.push(
      fault(
        "durability",
        "Redis may evict, or does not fsync every write: an accepted webhook can be lost.",
        false,
      ),
    );
  }
  if (use.memoryShare >= MEMORY_WATERMARK) {
    faults.push(fault("capacity", `Redis has used ${percent(use.memoryShare)} of its memory.`, false));
  }
  const fill = use.entriesOfFullest / config.streamCapacity;
  if (fill >= PARTITION_WATERMARK) {
    faults.push(fault("capacity", `A partition is filled to ${percent(fill)}.`, false));
  }
  if (workers === 0) faults.push(fault("workers", "No worker is running: webhooks wait.", false));
  return faults;
}

async function checkDisk(home: string, freeMinBytes: number): Promise<ReadinessFault[]> {
  const low = await findLowDisk(home, freeMinBytes);
  if (low === undefined) return [];
  const freeMiB = Math.floor(low.freeBytes / 2 ** 20);
  return [fault("disk", `The disk of HUB_HOME has ${freeMiB} MiB left: nothing can be stored soon.`, false)];
}

async function countWorkers(runtime: Runtime): Promise<number> {
  const slots = Math.max(WORKER_SLOTS_LOOKED_AT, 2 * runtime.config.workerProcesses);
  const found = await Promise.all(
    Array.from({ length: slots }, (_, slot) => runtime.redis.exists(workerLeaseKey(slot))),
  );
  return found.reduce((sum, count) => sum + count, 0);
}

function judge(faults: ReadinessFault[]): Readiness {
  if (faults.length === 0) return { status: "ready", faults };
  return { status: faults.some((found) => found.blocking) ? "unavailable" : "degraded", faults };
}

function fault(name: ReadinessFault["name"], message: string, blocking: boolean): ReadinessFault {
  return { name, message, blocking };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
