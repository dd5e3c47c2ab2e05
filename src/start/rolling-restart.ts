import { type RestartRecord, writeRestartRecord } from "../platform/process/restart-record.ts";
import type { KeptService } from "./keep-running.ts";
import type { Terminal } from "./terminal.ts";

export interface RollingRestartOptions {
  home: string;
  terminal: Terminal;
  /** What is replaced, in this order. */
  services: () => readonly KeptService[];
}

/**
 * Replaces the hub's own processes one after the other, each new one ready before the old one ends. The first that does
 * not come up ends the restart: the rest goes on as it was, so that a faulty new version stops nobody.
 *
 * @returns asks for one; during a restart it makes one more behind it
 */
export function rollingRestarts(options: RollingRestartOptions): () => void {
  let isRunning = false;
  let isAsked = false;
  return () => {
    isAsked = true;
    if (isRunning) return;
    isRunning = true;
    void (async () => {
      while (isAsked) {
        isAsked = false;
        await restartOnce(options);
      }
      isRunning = false;
    })();
  };
}

async function restartOnce({ home, terminal, services }: RollingRestartOptions): Promise<void> {
  const startedAtMs = Date.now();
  const restarted: string[] = [];
  let failure: string | undefined;
  terminal.say("\nRolling restart");
  for (const service of services()) {
    try {
      await terminal.step(service.name, () => service.replace());
      restarted.push(service.name);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
      terminal.say(`${failure}\n${service.name} and those behind it go on as they were.`);
      break;
    }
  }
  const record: RestartRecord = {
    startedAtMs,
    tookMs: Date.now() - startedAtMs,
    restarted,
    ...(failure === undefined ? {} : { failure }),
  };
  // Who asked waits in vain then; the processes are replaced all the same.
  await writeRestartRecord(home, record).catch((error: unknown) =>
    terminal.say(`No record: ${String(error)}`),
  );
}
