import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { processTree, residentBytesOf } from "./process-cpu.ts";

/** What one process, or the processes of Postgres together, hold. */
export interface ProcessHoldings {
  /** `edge 4711`; Postgres' many short-lived processes are one. */
  name: string;
  residentBytes: number;
  fileDescriptors: number;
}

const POSTGRES = "postgres";

/** Every process below `rootPid`, with its resident memory and open file descriptors; the same one has the same name. */
export function readHoldings(rootPid: number): ProcessHoldings[] {
  const holdings: ProcessHoldings[] = [];
  const postgres = { name: POSTGRES, residentBytes: 0, fileDescriptors: 0 };
  for (const { pid, command } of processTree(rootPid)) {
    const fileDescriptors = countDescriptors(pid);
    // Gone meanwhile, or somebody else's.
    if (fileDescriptors === undefined) continue;
    const role = roleOf(command);
    if (role === POSTGRES) {
      // Its processes share their buffers: each counts with its proportional share (man 5 proc, smaps_rollup).
      postgres.residentBytes += proportionalBytesOf(pid);
      postgres.fileDescriptors += fileDescriptors;
    } else {
      holdings.push({ name: `${role} ${pid}`, residentBytes: residentBytesOf(pid), fileDescriptors });
    }
  }
  return [...holdings, postgres];
}

const ROLES: readonly (readonly [pattern: RegExp, role: string])[] = [
  [/src\/start\/main\.ts/, "start"],
  [/src\/edge\/main\.ts/, "edge"],
  [/workers\/main\.ts/, "worker"],
  [/jsonata-child/, "transformation"],
  [/(?:redis|valkey)-server/, "redis"],
  [/postgres/, POSTGRES],
];

function roleOf(command: string): string {
  return ROLES.find(([pattern]) => pattern.test(command))?.[1] ?? basename(command.split(" ")[0] ?? "");
}

function countDescriptors(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return undefined;
  }
}

function proportionalBytesOf(pid: number): number {
  try {
    const match = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
