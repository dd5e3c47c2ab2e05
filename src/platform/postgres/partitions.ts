import type { Sql } from "./client.ts";

/** Log tables with one partition a day of `created_at` (UTC). */
export const LOG_TABLES = [
  "webhook_receipts",
  "api_request_logs",
  "webhook_deliveries",
  "events",
  "rejected_requests",
] as const;

/** Yesterday, for what was accepted before midnight and is written after it. */
const DAYS_BACK = 1;
/** A scheduler that stands still over a weekend must not stop the writers. */
const DAYS_AHEAD = 4;

/**
 * Makes the partitions from yesterday to four days ahead; called at boot and by the scheduler.
 *
 * @param sql role hub_system
 * @returns how many were new
 */
export async function ensurePartitions(sql: Sql, daysBack = DAYS_BACK): Promise<number> {
  const [row] = await sql<{ made: number }[]>`
    select hub_create_day_partitions(${daysBack}, ${DAYS_AHEAD}) as made`;
  return row!.made;
}

const DAY_MS = 86_400_000;

/** Oldest day that is made for a row that comes late: `hub_create_day_partitions` takes no more. */
const DAYS_BACK_MAX = 400;

/**
 * True when a row was refused because its day has no partition. It has the code of a check that failed, but no
 * constraint's name, and it is no fault of the row.
 */
export function isMissingPartition(error: unknown): boolean {
  const { code, constraint_name: constraint } = error as { code?: unknown; constraint_name?: unknown };
  return code === "23514" && !constraint;
}

/**
 * Makes the days of rows that found theirs missing: the scheduler stood still, or the rows waited longer than retention
 * keeps their day.
 *
 * @param sql role hub_system
 * @param timesMs `created_at` of each row, milliseconds since the epoch
 * @returns true when every row has its day now, whoever made it; false for times that no clock which is right gives
 */
export async function ensurePartitionsFor(
  sql: Sql,
  timesMs: readonly number[],
  nowMs: number,
): Promise<boolean> {
  const daysBack = Math.max(DAYS_BACK, Math.ceil((nowMs - Math.min(...timesMs)) / DAY_MS));
  if (daysBack > DAYS_BACK_MAX || Math.max(...timesMs) > nowMs + DAYS_AHEAD * DAY_MS) return false;
  await ensurePartitions(sql, daysBack);
  return true;
}

/**
 * Drops the days that ended more than `keepDays` days ago. Days that a reader holds, or that have receipts which still
 * wait, are left for a later run.
 *
 * @param sql role hub_system
 * @returns names of the partitions dropped
 */
export async function dropOldPartitions(sql: Sql, keepDays: number): Promise<string[]> {
  const [row] = await sql<{ dropped: string[] }[]>`select hub_drop_day_partitions(${keepDays}) as dropped`;
  return row!.dropped;
}

/**
 * Partitions that the next `daysAhead` days need and that do not exist, for readiness and alarms.
 *
 * @param nowMs milliseconds since the epoch
 */
export async function findMissingPartitions(sql: Sql, nowMs: number, daysAhead = 1): Promise<string[]> {
  const wanted: string[] = [];
  for (let day = 0; day <= daysAhead; day++) {
    const stamp = new Date(nowMs + day * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "");
    for (const table of LOG_TABLES) wanted.push(`${table}_${stamp}`);
  }
  const rows = await sql<{ name: string }[]>`
    select name from unnest(${wanted}::text[]) as name where to_regclass('public.' || name) is null order by name`;
  return rows.map((row) => row.name);
}
