import { deleteExpiredAnswers } from "../src/domain/idempotency/delete-expired-answers.ts";
import { deleteOrphanedBodies } from "../src/domain/inbound/delete-orphaned-bodies.ts";
import { type Job, startJobs } from "../src/platform/jobs.ts";
import { dropOldPartitions } from "../src/platform/postgres/partitions.ts";
import type { Runtime } from "../src/platform/runtime.ts";

const MINUTE_MS = 60_000;

/** What makes room again. Each run finds what is due by itself, so that a missed one costs nothing. */
const JOBS: readonly Job[] = [
  {
    name: "drop days past LOG_RETENTION_DAYS",
    everyMs: 60 * MINUTE_MS,
    async run(runtime) {
      const dropped = await dropOldPartitions(runtime.sqlSystem, runtime.config.logRetentionDays);
      if (dropped.length > 0) runtime.log.info({ dropped }, "retention dropped days");
    },
  },
  {
    name: "delete large bodies without a receipt",
    everyMs: 30 * MINUTE_MS,
    async run(runtime, lease) {
      const deleted = await deleteOrphanedBodies(runtime, lease);
      if (deleted > 0) runtime.log.info({ deleted }, "retention deleted large bodies");
    },
  },
  {
    name: "delete expired idempotency keys",
    everyMs: 10 * MINUTE_MS,
    async run(runtime, lease) {
      await deleteExpiredAnswers(runtime, lease);
    },
  },
];

/** Consumer `retention`: one process of all makes room. */
export const retention = {
  name: "retention",
  start: (runtime: Runtime) => ({ stop: startJobs(runtime, "retention", JOBS) }),
};
