import type { Runtime } from "../src/platform/runtime.ts";
import { deliveries } from "./deliveries.ts";
import { events } from "./events.ts";
import { fanOut } from "./fan-out.ts";
import { gateway } from "./gateway.ts";
import { inbound } from "./inbound.ts";
import { oauth } from "./oauth.ts";
import { retention } from "./retention.ts";
import { scheduler } from "./scheduler.ts";

/** How the process is run. */
export interface WorkerOptions {
  /** Edge and Redis run on the same machine: a burst of webhooks goes first. */
  sharesMachine?: boolean;
}

/** One kind of work of a worker process. */
export interface Consumer {
  /** Name for `--only`. */
  name: string;
  start(
    runtime: Runtime,
    options: WorkerOptions,
  ): Promise<{ stop(): Promise<unknown> }> | { stop(): Promise<unknown> };
}

/** Everything that a worker process does, in the order of starting. */
export const CONSUMERS: readonly Consumer[] = [
  inbound,
  deliveries,
  fanOut,
  events,
  gateway,
  oauth,
  scheduler,
  retention,
];
