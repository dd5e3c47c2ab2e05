import type { Runtime } from "../src/platform/runtime.ts";
import { inbound } from "./inbound.ts";
import { retention } from "./retention.ts";
import { scheduler } from "./scheduler.ts";

/** One kind of work of a worker process. */
export interface Consumer {
  /** Name for `--only`. */
  name: string;
  start(runtime: Runtime): Promise<{ stop(): Promise<unknown> }> | { stop(): Promise<unknown> };
}

/** Everything that a worker process does, in the order of starting. */
export const CONSUMERS: readonly Consumer[] = [inbound, scheduler, retention];
