import { type Dirent, statSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Service } from "./service.ts";

/**
 * Linux writes a page of a file 30 s after it was changed, and with it all of that file: under load 300 MB at once, behind
 * which Redis' next fsync waited for up to a second. Written four times a second these pages are 2 to 10 MB.
 */
const EVERY_MS = 250;

/** Rounds after which files are looked for that did not change lately: a day has some hundred of them. */
const ROUNDS_PER_SCAN = 20;

/** Rounds without a change after which a file is left to the next scan. */
const IDLE_ROUNDS = 40;

/** A file of a database that was written lately. */
interface WarmFile {
  modifiedMs: number;
  idleRounds: number;
}

/** A write that the disk refused. */
export class RefusedWriteError extends Error {
  override name = "RefusedWriteError";
}

/**
 * Brings what Postgres left in the kernel's memory to the disk in small pieces, instead of every 30 s in a large one.
 */
export class SteadyWriter {
  readonly #databasesDir: string;
  readonly #warm = new Map<string, WarmFile>();
  /** When each file was written last, by the last scan. */
  #seen = new Map<string, number>();
  #round = 0;

  /** @param databasesDir the folder of folders in which each file is a table, an index or a piece of one */
  constructor(databasesDir: string) {
    this.#databasesDir = databasesDir;
  }

  /**
   * Brings to the disk what was changed since the last round, one file after the other.
   *
   * @returns the files, by their full name
   * @throws RefusedWriteError when the disk could not take one: nobody else will be told of it
   */
  async runRound(): Promise<string[]> {
    if (this.#round++ % ROUNDS_PER_SCAN === 0) await this.#scan();
    const written: string[] = [];
    for (const [file, known] of this.#warm) {
      const modifiedMs = modifiedAt(file);
      if (modifiedMs === known.modifiedMs) {
        if (++known.idleRounds > IDLE_ROUNDS) this.#warm.delete(file);
        continue;
      }
      if (modifiedMs === undefined || !(await syncFile(file))) {
        this.#warm.delete(file);
        continue;
      }
      known.modifiedMs = modifiedMs;
      known.idleRounds = 0;
      written.push(file);
    }
    return written;
  }

  async #scan(): Promise<void> {
    const seen = new Map<string, number>();
    for (const folder of await entriesOf(this.#databasesDir)) {
      for (const entry of await entriesOf(join(this.#databasesDir, folder.name))) {
        const file = join(this.#databasesDir, folder.name, entry.name);
        const modifiedMs = modifiedAt(file);
        if (modifiedMs === undefined) continue;
        seen.set(file, modifiedMs);
        if (this.#seen.get(file) !== modifiedMs && !this.#warm.has(file)) {
          this.#warm.set(file, { modifiedMs: Number.NaN, idleRounds: 0 });
        }
      }
    }
    this.#seen = seen;
  }
}

/**
 * The service of a Postgres whose changes are brought to the disk steadily for as long as it runs. When the disk refuses
 * one, the server is ended at once: told of it by its own fsync it would do the same, and its next start does again what
 * is in its log.
 *
 * @param dataDir of the server
 */
export function writeSteadily(service: Service, dataDir: string): Service {
  return {
    name: service.name,
    async start(onLine) {
      const running = await service.start(onLine);
      const writer = new SteadyWriter(join(dataDir, "base"));
      let isBusy = false;
      const timer = setInterval(() => {
        if (isBusy) return;
        isBusy = true;
        const refused = (error: Error): void => {
          onLine(`${error.message}; the server ends, and does it again from its log`);
          running.kill("SIGQUIT");
        };
        void writer
          .runRound()
          .catch(refused)
          .finally(() => (isBusy = false));
      }, EVERY_MS);
      void running.exited.then(() => clearInterval(timer));
      return running;
    },
  };
}

/** Milliseconds since the epoch; undefined for what is gone or not ours. In the event loop: the kernel knows it by heart. */
function modifiedAt(file: string): number | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  } catch {
    return undefined;
  }
}

/** Nothing for what is no folder or is gone. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

/** @returns false when the file is gone */
async function syncFile(file: string): Promise<boolean> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return false;
  try {
    await handle.datasync();
    return true;
  } catch (error) {
    throw new RefusedWriteError(`The disk refused a write of ${file}: ${(error as Error).message}`);
  } finally {
    await handle.close();
  }
}
