import { cpus, release, totalmem } from "node:os";
import { resolve } from "node:path";

/** Where and with what a result was obtained. */
export interface MachineDescription {
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  filesystem: string;
  bun: string;
  node: string;
  wrk: string;
  commit: string;
  /** True when the tree differed from the commit. */
  modified: boolean;
}

const PROJECT = resolve(import.meta.dir, "../..");

/** Reads hardware and versions; what cannot be found out is "unknown". */
export function describeMachine(): MachineDescription {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    filesystem: firstLine(["stat", "-f", "-c", "%T", PROJECT]),
    bun: Bun.version,
    node: firstLine(["node", "--version"]),
    wrk: firstLine(["wrk", "-v"]).replace(/ Copyright.*/, ""),
    commit: firstLine(["git", "-C", PROJECT, "rev-parse", "--short", "HEAD"]),
    modified: firstLine(["git", "-C", PROJECT, "status", "--porcelain", "-uno"]) !== "unknown",
  };
}

function firstLine(command: string[]): string {
  if (!Bun.which(command[0]!)) return "unknown";
  const { stdout } = Bun.spawnSync(command, { stdio: ["ignore", "pipe", "ignore"] });
  return stdout.toString().split("\n")[0]?.trim() || "unknown";
}
