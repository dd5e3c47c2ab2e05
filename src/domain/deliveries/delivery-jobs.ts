import type { Job } from "../../platform/jobs.ts";
import { rebuildDeliveries } from "./rebuild-deliveries.ts";
import { runReplays } from "./run-replays.ts";
import { enlistForgottenDeliveries } from "./sweep-deliveries.ts";

/** What has to happen for deliveries at its time, whether or not anybody asks. */
export const DELIVERY_JOBS: readonly Job[] = [
  {
    name: "rebuild deliveries after a loss of Redis",
    everyMs: 5_000,
    async run(runtime, lease) {
      const deliveries = await rebuildDeliveries(runtime, lease);
      if (deliveries !== undefined && deliveries > 0)
        runtime.log.error({ deliveries }, "Redis had lost its data: open deliveries came back from Postgres");
    },
  },
  {
    name: "enlist deliveries that Redis was not told of",
    everyMs: 60_000,
    async run(runtime, lease) {
      const deliveries = await enlistForgottenDeliveries(runtime, lease);
      if (deliveries > 0) runtime.log.warn({ deliveries }, "forgotten deliveries are due again");
    },
  },
  { name: "replay deliveries", everyMs: 500, run: runReplays },
];
