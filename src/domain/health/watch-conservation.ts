import type { Job } from "../../platform/jobs.ts";
import type { Lease } from "../../platform/lease.ts";
import { createGauge } from "../../platform/metrics.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { checkConservation } from "../inbound/check-conservation.ts";

/** A difference is known this soon; each look holds Redis for as long as its ledgers take to add up. */
const LOOK_EVERY_MS = 10_000;

/**
 * Makes the job that looks whether what was accepted equals what became of it, and registers the gauge that shows the
 * difference. Only the process that does the job shows it: two readings of different moments would not add up.
 */
export function watchConservation(runtime: Runtime): Job {
  let difference: number | undefined;
  let heldLease: Lease | undefined;
  createGauge(runtime.metrics, {
    name: "hub_conservation_difference",
    help: "Accepted minus ended, waiting, retrying and held; anything but 0 is a loss or a doubling",
    read: () => (difference === undefined ? [] : [{ labels: { topic: "inbound" }, value: difference }]),
  });
  return {
    name: "watch conservation",
    everyMs: LOOK_EVERY_MS,
    async run({ log }, lease) {
      if (lease !== heldLease) {
        heldLease = lease;
        lease.ended.addEventListener("abort", () => (difference = undefined), { once: true });
      }
      const books = await checkConservation(runtime);
      if (!lease.isHeld()) return;
      if (books.difference !== 0 && books.difference !== difference) {
        log.error(
          { topic: "inbound", ...books },
          "conservation is violated: run `hub conservation` for the tenants",
        );
      }
      difference = books.difference;
    },
  };
}
