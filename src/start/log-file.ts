import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A file of lines that is kept short: at `sizeMaxBytes` it becomes `.1`, that `.2`, and the oldest goes. */
export interface LogFile {
  write(line: string): void;
  close(): void;
}

/** 10 MB four times over for each process: enough for the days after an incident, little enough for a small disk. */
const SIZE_MAX_BYTES = 10 * 1024 * 1024;
const OLD_FILES_MAX = 3;

export function openLogFile(path: string, sizeMaxBytes = SIZE_MAX_BYTES): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const open = (): number => openSync(path, "a", 0o600);
  let fd = open();
  let sizeBytes = fstatSync(fd).size;
  const rotate = (): void => {
    for (let age = OLD_FILES_MAX; age > 0; age--) {
      try {
        renameSync(age === 1 ? path : `${path}.${age - 1}`, `${path}.${age}`);
      } catch {
        // There are fewer old files so far.
      }
    }
    // Opened before the former is closed: on a full disk, lines must not go to whatever gets the closed number next.
    const next = open();
    closeSync(fd);
    fd = next;
    sizeBytes = 0;
  };
  return {
    write(line) {
      try {
        if (sizeBytes > sizeMaxBytes) rotate();
        sizeBytes += writeSync(fd, `${line}\n`);
      } catch {
        // A full disk must not end the supervisor: the processes it holds have their own way of refusing.
      }
    },
    close: () => closeSync(fd),
  };
}
