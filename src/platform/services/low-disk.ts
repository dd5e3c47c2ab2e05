import { statfs } from "node:fs/promises";
import { join } from "node:path";

/** Eight log segments of Postgres: below that, it and Redis' append-only file may stop at any moment. */
export const DISK_FREE_MIN_BYTES = 128 * 1024 * 1024;

/** Folders of HUB_HOME that may be file systems of their own. */
const FOLDERS = ["", "redis", "postgres"];

/**
 * Looks at the disks that hold the data of the embedded services.
 *
 * @param home HUB_HOME; where it is not there, as beside external services, nothing is found
 * @returns the folder whose disk has least left, with the bytes that users may still write; undefined while all have
 * at least `minFreeBytes`
 */
export async function findLowDisk(
  home: string,
  minFreeBytes = DISK_FREE_MIN_BYTES,
): Promise<{ folder: string; freeBytes: number } | undefined> {
  const found = await Promise.all(
    FOLDERS.map(async (name) => {
      const folder = join(home, name);
      const disk = await statfs(folder).catch(() => undefined);
      return disk === undefined ? [] : [{ folder, freeBytes: disk.bavail * disk.bsize }];
    }),
  );
  const low = found.flat().filter(({ freeBytes }) => freeBytes < minFreeBytes);
  return low.toSorted((one, other) => one.freeBytes - other.freeBytes)[0];
}
