import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Names the process whose folder it is. */
const OWNER_FILE = "owner-pid";

/**
 * A new folder for a server's data. What is left of test processes that are gone is removed first: `bun test` runs no
 * code at its end, and a killed one cannot.
 *
 * @param prefix beginning of its name, for example `hub-test-redis-`
 */
export async function makeTestFolder(prefix: string): Promise<string> {
  const names = await readdir(tmpdir());
  await Promise.all(
    names.filter((name) => name.startsWith(prefix)).map((name) => removeOrphan(join(tmpdir(), name))),
  );
  const folder = await mkdtemp(join(tmpdir(), prefix));
  await writeFile(join(folder, OWNER_FILE), String(process.pid));
  return folder;
}

async function removeOrphan(folder: string): Promise<void> {
  const owner = Number(await readFile(join(folder, OWNER_FILE), "utf8").catch(() => Number.NaN));
  if (!(owner > 0) || isAlive(owner)) return;
  // Another test process may be removing it too, or it is another user's.
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
