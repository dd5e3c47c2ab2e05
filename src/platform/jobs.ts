import { competeForLease, type Lease } from "./lease.ts";
import { jobLeaseKey } from "./redis/keys.ts";
import type { Runtime } from "./runtime.ts";

/** Work that one process of all does again and again. */
export interface Job {
  name: string;
  /** Pause between the end of one run and the start of the next, ± a tenth. */
  everyMs: number;
  /** One run; has to be repeatable, because the next leader may do it again. Long runs look at `lease.isHeld()`. */
  run(runtime: Runtime, lease: Lease): Promise<void>;
}

/** The next process takes over this long after a leader died. */
const LEASE_TTL_MS = 10_000;

/**
 * Runs jobs in whichever process holds the lease. A job that fails is reported and runs again at its next time; it
 * keeps neither the others nor its own next run from happening.
 *
 * @param leaseName the jobs of one name are done by one process
 * @returns stops them: waits for running ones, then gives the lease back
 */
export function startJobs(runtime: Runtime, leaseName: string, jobs: readonly Job[]): () => Promise<void> {
  const running = new Set<Promise<void>>();
  const release = competeForLease(runtime, {
    key: jobLeaseKey(leaseName),
    ttlMs: LEASE_TTL_MS,
    onHeld: (lease) => {
      runtime.log.info({ lease: leaseName, token: lease.token }, "leading");
      for (const job of jobs) repeat(runtime, lease, job, running);
    },
  });
  return async () => {
    await release();
    await Promise.all(running);
  };
}

function repeat(runtime: Runtime, lease: Lease, job: Job, running: Set<Promise<void>>): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const runOnce = async (): Promise<void> => {
    try {
      if (lease.isHeld()) await job.run(runtime, lease);
    } catch (error) {
      runtime.log.error({ err: error, job: job.name }, "job failed");
    }
    if (lease.ended.aborted) return;
    timer = setTimeout(start, job.everyMs * (0.9 + Math.random() * 0.2));
    timer.unref();
  };
  const start = (): void => {
    const run = runOnce().finally(() => running.delete(run));
    running.add(run);
  };
  lease.ended.addEventListener("abort", () => clearTimeout(timer), { once: true });
  start();
}
