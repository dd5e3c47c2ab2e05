import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSecretFile } from "../services/keep-secret.ts";

/** What the last rolling restart of a HUB_HOME did; written by its supervisor, read by who asked for it. */
export interface RestartRecord {
  startedAtMs: number;
  tookMs: number;
  /** Names of the processes that were replaced, in order. */
  restarted: string[];
  /** Why the first that was not replaced still runs as it was; those behind it were left alone. */
  failure?: string;
}

const RECORD_FILE = "last-restart.json";

export async function readRestartRecord(home: string): Promise<RestartRecord | undefined> {
  const text = await readFile(join(home, RECORD_FILE), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as RestartRecord);
}

export async function writeRestartRecord(home: string, record: RestartRecord): Promise<void> {
  await writeSecretFile(join(home, RECORD_FILE), `${JSON.stringify(record)}\n`);
}
