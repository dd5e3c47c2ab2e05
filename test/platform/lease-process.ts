import { loadConfig } from "../../src/platform/config.ts";
import { competeForLease } from "../../src/platform/lease.ts";
import { createRuntime } from "../../src/platform/runtime.ts";

/** A process that competes for the lease in argv[2] for argv[3] ms, and works only while it holds it. */
const runtime = createRuntime(loadConfig(), "cli");
const say = (text: string): void => void process.stdout.write(`${text}\n`);

competeForLease(runtime, {
  key: process.argv[2]!,
  ttlMs: Number(process.argv[3]),
  onHeld(lease) {
    say(`held ${lease.token}`);
    const timer = setInterval(() => {
      if (lease.isHeld()) say(`work ${lease.token}`);
    }, 10);
    lease.ended.addEventListener("abort", () => {
      clearInterval(timer);
      say(`ended ${lease.token}`);
    });
  },
});
setInterval(() => undefined, 1000);
