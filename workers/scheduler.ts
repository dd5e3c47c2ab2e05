import { watchConservation } from "../src/domain/health/watch-conservation.ts";
import { type Job, startJobs } from "../src/platform/jobs.ts";
import { ensurePartitions } from "../src/platform/postgres/partitions.ts";
import type { Runtime } from "../src/platform/runtime.ts";

/** What has to happen at its time, whether or not anybody asks. */
const JOBS: readonly Job[] = [
  {
    name: "make day partitions ahead",
    everyMs: 30 * 60_000,
    async run(runtime) {
      const made = await ensurePartitions(runtime.sqlSystem);
      if (made > 0) runtime.log.info({ made }, "day partitions made");
    },
  },
];

/** Consumer `scheduler`: one process of all does what is due. */
export const scheduler = {
  name: "scheduler",
  start: (runtime: Runtime) => ({
    stop: startJobs(runtime, "scheduler", [...JOBS, watchConservation(runtime)]),
  }),
};
