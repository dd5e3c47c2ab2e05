import type { Job } from "../../platform/jobs.ts";
import type { Lease } from "../../platform/lease.ts";
import { createGauge } from "../../platform/metrics.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { checkEventConservation } from "../events/check-event-conservation.ts";
import { checkConservation } from "../inbound/check-conservation.ts";

/** A difference is known this soon; each look holds Redis for as long as its ledgers take to add up. */
const LOOK_EVERY_MS = 10_000;

/** How the books of each topic are read. */
const TOPICS: Readonly<Record<string, (runtime: Runtime) => Promise<{ difference: number }>>> = {
  inbound: checkConservation,
  events: checkEventConservation,
};

/**
 * Makes the job that looks whether what was accepted equals what became of it, and registers the gauge that shows the
 * difference. Only the process that does the job shows it: two readings of different moments would not add up.
 */
export function watchConservation(runtime: Runtime): Job {
  const differences = new Map<string, number>();
  let heldLease: Lease | undefined;
  createGauge(runtime.metrics, {
    name: "hub_conservation_difference",
    help: "Accepted minus ended, waiting, retrying and held; anything but 0 is a loss or a doubling",
    read: () => [...differences].map(([topic, value]) => ({ labels: { topic }, value })),
  });
  return {
    name: "watch conservation",
    everyMs: LOOK_EVERY_MS,
    async run({ log }, lease) {
      if (lease !== heldLease) {
        heldLease = lease;
        lease.ended.addEventListener("abort", () => differences.clear(), { once: true });
      }
      for (const [topic, check] of Object.entries(TOPICS)) {
        const books = await check(runtime);
        if (!lease.isHeld()) return;
        if (books.difference !== 0 && books.difference !== differences.get(topic)) {
          log.error({ topic, ...books }, "conservation is violated: run `hub conservation` for the tenants");
        }
        differences.set(topic, books.difference);
      }
    },
  };
}
