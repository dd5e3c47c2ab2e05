import type { Runtime } from "../../platform/runtime.ts";
import { createJsonataPool, type JsonataPool } from "./jsonata-pool.ts";

/** Memory of one evaluation beyond the loaded program: a document of 1 MiB and its copies fit many times over. */
const MEMORY_LIMIT_BYTES = 256 * 1024 * 1024;

/** Time for one evaluation: a thousand times what an ordinary mapping takes. */
const DEADLINE_MS = 1_000;

/** Two, so that a key that hangs fills one of them at most and the others go on. */
const PROCESSES = 2;

const pools = new WeakMap<Runtime, JsonataPool>();

/** The process's pool of JSONata children, opened on first use and closed with the runtime. */
export function jsonataPoolOf(runtime: Runtime): JsonataPool {
  let pool = pools.get(runtime);
  if (pool === undefined) {
    pool = createJsonataPool({
      processes: PROCESSES,
      memoryLimitBytes: MEMORY_LIMIT_BYTES,
      deadlineMs: DEADLINE_MS,
      // The queue bounds what this process holds of all endpoints together.
      queueMaxPerKey: runtime.config.webhookQueueSize,
      log: runtime.log,
      clock: runtime.clock,
    });
    pools.set(runtime, pool);
    const opened = pool;
    runtime.shutdown.add("jsonata", () => opened.close());
  }
  return pool;
}
