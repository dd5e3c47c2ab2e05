import { ALERT_JOBS } from "../src/domain/alerts/alert-jobs.ts";
import { DELIVERY_JOBS } from "../src/domain/deliveries/delivery-jobs.ts";
import { GATEWAY_JOBS } from "../src/domain/gateway/gateway-jobs.ts";
import { verifyIdleIntegrations } from "../src/domain/gateway/verify-idle-integrations.ts";
import { watchConservation } from "../src/domain/health/watch-conservation.ts";
import { limitDedupeMemory } from "../src/domain/inbound/limit-dedupe-memory.ts";
import { enlistForgotten, rebuildAfterLoss } from "../src/domain/inbound/rebuild-inbound.ts";
import { releaseHeld } from "../src/domain/inbound/release-held.ts";
import { runVaultJobs } from "../src/domain/vault/run-vault-jobs.ts";
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
  {
    name: "rebuild Redis after a loss",
    everyMs: 5_000,
    async run(runtime, lease) {
      const receipts = await rebuildAfterLoss(runtime, lease);
      if (receipts !== undefined && receipts > 0)
        runtime.log.error(
          { receipts },
          "Redis had lost its data: unfinished receipts came back from Postgres",
        );
    },
  },
  {
    name: "enlist receipts that Redis was not told of",
    everyMs: 60_000,
    async run(runtime, lease) {
      const receipts = await enlistForgotten(runtime, lease);
      if (receipts > 0) runtime.log.warn({ receipts }, "forgotten receipts are due again");
    },
  },
  {
    name: "keep event ids within their memory",
    everyMs: 10_000,
    async run(runtime) {
      const partitions = await limitDedupeMemory(runtime);
      if (partitions > 0) runtime.log.warn({ partitions }, "event ids are forgotten early: memory is short");
    },
  },
  {
    name: "release what was held for endpoints that are active again",
    everyMs: 2_000,
    async run(runtime, lease) {
      const receipts = await releaseHeld(runtime, lease);
      if (receipts > 0) runtime.log.info({ receipts }, "held receipts released");
    },
  },
  {
    name: "verify connections that are idle",
    everyMs: 15_000,
    async run(runtime, lease) {
      const tested = await verifyIdleIntegrations(runtime, () => lease.isHeld());
      if (tested > 0) runtime.log.debug({ tested }, "idle connections verified");
    },
  },
  {
    name: "go on with the vault's key rotation",
    everyMs: 10_000,
    run: (runtime, lease) => runVaultJobs(runtime, () => lease.isHeld()),
  },
];

/** Consumer `scheduler`: one process of all does what is due. */
export const scheduler = {
  name: "scheduler",
  start: (runtime: Runtime) => ({
    stop: startJobs(runtime, "scheduler", [
      ...JOBS,
      ...DELIVERY_JOBS,
      ...ALERT_JOBS,
      ...GATEWAY_JOBS,
      watchConservation(runtime),
    ]),
  }),
};
