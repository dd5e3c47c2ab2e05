import { readdirSync, readFileSync } from "node:fs";

/** Length of one tick of /proc/<pid>/stat: USER_HZ is 100 on every Linux that Bun runs on (man 5 proc). */
const TICK_MICROS = 10_000;

/** Processes by the part that they play, for example `{ edge: [12], redis: [15] }`. */
export type ProcessGroups = Readonly<Record<string, readonly number[]>>;

interface ProcessStat {
  pid: number;
  parentPid: number;
  cpuMicros: number;
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name stands in parentheses and may hold anything; the numbers follow the last one.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { pid, parentPid: Number(fields[1]), cpuMicros: ticks * TICK_MICROS };
  } catch {
    return undefined;
  }
}

/** CPU time, user and system, of one process since its start; 0 when it is gone. */
export function cpuMicrosOf(pid: number): number {
  return readStat(pid)?.cpuMicros ?? 0;
}

/** Resident memory of a process in bytes; 0 when it is gone. */
export function residentBytesOf(pid: number): number {
  try {
    const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** A process and everything below it, each with its command line. */
export function processTree(rootPid: number): { pid: number; command: string }[] {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
  const members = new Set([rootPid]);
  for (let size = 0; size !== members.size;) {
    size = members.size;
    for (const { pid, parentPid } of stats) if (members.has(parentPid)) members.add(pid);
  }
  return [...members].map((pid) => ({ pid, command: commandOf(pid) }));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

/** Measures how much CPU each group used while something ran. */
export class CpuMeter {
  readonly #groups: ProcessGroups;
  readonly #before = new Map<number, number>();

  constructor(groups: ProcessGroups) {
    this.#groups = groups;
    for (const pid of Object.values(groups).flat()) this.#before.set(pid, cpuMicrosOf(pid));
  }

  /** CPU time of each group since the meter was made, in microseconds. */
  read(): Record<string, number> {
    return Object.fromEntries(
      Object.entries(this.#groups).map(([group, pids]) => [
        group,
        pids.reduce((sum, pid) => sum + Math.max(0, cpuMicrosOf(pid) - (this.#before.get(pid) ?? 0)), 0),
      ]),
    );
  }
}
