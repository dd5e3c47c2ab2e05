import type { Job } from "../../platform/jobs.ts";
import { sendAlerts } from "./send-alerts.ts";
import { deleteOldAlerts } from "./store.ts";

/** Jobs of the scheduler that send alerts and forget old ones. */
export const ALERT_JOBS: readonly Job[] = [
  {
    name: "send alerts to operators",
    everyMs: 1_000,
    async run(runtime, lease) {
      await sendAlerts(runtime, lease);
    },
  },
  {
    name: "forget old alerts",
    everyMs: 3_600_000,
    run: (runtime) => deleteOldAlerts(runtime.sqlSystem, runtime.config.logRetentionDays),
  },
];
