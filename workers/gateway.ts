import { CallRunner } from "../src/domain/gateway/run-calls.ts";
import type { Runtime } from "../src/platform/runtime.ts";

/** Consumer `gateway`: makes the calls that their callers do not wait for. */
export const gateway = {
  name: "gateway",
  start: (runtime: Runtime) => new CallRunner(runtime),
};
