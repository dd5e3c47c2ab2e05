import type { Job } from "../../platform/jobs.ts";
import { deleteCallsBefore } from "./call-store.ts";
import { tellErrors } from "./error-notices.ts";

const DAY_MS = 86_400_000;

/** What happens to calls at their time, whether or not anybody makes one. */
export const GATEWAY_JOBS: readonly Job[] = [
  {
    name: "tell of errors of calls that nobody was told of",
    everyMs: 15_000,
    async run(runtime) {
      await tellErrors(runtime, runtime.clock.nowMs());
    },
  },
  {
    name: "forget results of calls",
    everyMs: 60 * 60_000,
    async run(runtime) {
      const before = new Date(runtime.clock.nowMs() - runtime.config.logRetentionDays * DAY_MS);
      const deleted = await deleteCallsBefore(runtime.sqlSystem, before);
      if (deleted > 0) runtime.log.info({ deleted }, "results of calls forgotten");
    },
  },
];
