import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTimeOf } from "./process-table.ts";

/** The supervisor that has a HUB_HOME. */
export interface HomeHolder {
  pid: number;
  /** Tells the process from a later one that got the same pid. */
  startTime: string;
  baseUrl: string;
}

const LOCK_FILE = "supervisor.lock";

/**
 * Takes HUB_HOME for this process: two supervisors on the same data would destroy it. The lock of a dead process is
 * taken over.
 *
 * @returns gives it back
 * @throws Error that says which process has it
 */
export async function lockHome(home: string, baseUrl: string): Promise<() => Promise<void>> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const path = join(home, LOCK_FILE);
  const own = `${path}.${process.pid}`;
  const holder: HomeHolder = { pid: process.pid, startTime: (await startTimeOf(process.pid)) ?? "", baseUrl };
  // Written beside and linked, so that nobody ever reads half a lock.
  await writeFile(own, JSON.stringify(holder), { mode: 0o600 });
  try {
    while (!(await linked(own, path))) await removeStale(path, home);
  } finally {
    await rm(own, { force: true });
  }
  return () => rm(path, { force: true });
}

/** The supervisor that runs on this HUB_HOME now; undefined when there is none. */
export async function findHomeHolder(home: string): Promise<HomeHolder | undefined> {
  const text = await readFile(join(home, LOCK_FILE), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const holder = JSON.parse(text) as HomeHolder;
  return (await startTimeOf(holder.pid)) === holder.startTime ? holder : undefined;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function removeStale(path: string, home: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const holder = JSON.parse(text) as HomeHolder;
  if ((await startTimeOf(holder.pid)) === holder.startTime) {
    throw new Error(
      `The hub is already running on ${home}: process ${holder.pid}, ${holder.baseUrl}\n` +
        "Stop that one first, or choose another folder by HUB_HOME and another PORT.",
    );
  }
  // Of two that find the same stale lock, one may meanwhile have put its own there: then that one is put back.
  const aside = `${path}.stale.${process.pid}`;
  await rename(path, aside).catch(() => undefined);
  const taken = await readFile(aside, "utf8").catch(() => text);
  if (taken !== text) await linked(aside, path);
  await rm(aside, { force: true });
}
