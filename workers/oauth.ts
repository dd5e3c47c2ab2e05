import { deleteOldLogIns, refreshDue } from "../src/domain/oauth/refresh-due.ts";
import { sendDueRevocations } from "../src/domain/oauth/revoke-tokens.ts";
import { warnOfEndingLogins } from "../src/domain/oauth/warn-of-ending-logins.ts";
import { type Job, startJobs } from "../src/platform/jobs.ts";
import type { Runtime } from "../src/platform/runtime.ts";

const JOBS: readonly Job[] = [
  {
    name: "replace tokens before their end",
    everyMs: 5_000,
    async run(runtime, lease) {
      const refreshed = await refreshDue(runtime, () => lease.isHeld());
      if (refreshed > 0) runtime.log.debug({ refreshed }, "tokens replaced");
    },
  },
  {
    name: "tell of log-ins that end soon",
    everyMs: 60_000,
    async run(runtime) {
      await warnOfEndingLogins(runtime);
    },
  },
  {
    name: "give tokens of deleted integrations back",
    everyMs: 10_000,
    async run(runtime, lease) {
      await sendDueRevocations(runtime, () => lease.isHeld());
    },
  },
  {
    name: "forget log-ins that are over",
    everyMs: 30 * 60_000,
    async run(runtime) {
      await deleteOldLogIns(runtime);
    },
  },
];

/** Consumer `oauth`: one process of all keeps tokens fresh. */
export const oauth = {
  name: "oauth",
  start: (runtime: Runtime) => ({ stop: startJobs(runtime, "oauth", JOBS) }),
};
