import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

/** Bytes of memory that this process may hope for: the machine's, or its control group's where that is less. */
export function availableMemoryBytes(): number {
  return Math.min(totalmem(), controlGroupLimitBytes());
}

function controlGroupLimitBytes(): number {
  for (const path of ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    try {
      const limit = Number(readFileSync(path, "utf8"));
      // Without a limit the first file says `max`, the second a number near 2^63.
      if (Number.isFinite(limit) && limit > 0) return limit;
    } catch {
      // This version of control groups is not mounted here.
    }
  }
  return Number.POSITIVE_INFINITY;
}
