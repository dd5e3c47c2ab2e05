import type { RunningService, Service } from "../platform/services/service.ts";

/** A service that is started again whenever it ends, until it is stopped. */
export interface KeptService {
  readonly name: string;
  stop(): Promise<void>;
}

export interface KeepRunningHooks {
  onLine: (line: string) => void;
  /** A restart or a failure to restart, in words for the terminal. */
  report: (text: string) => void;
}

/** First pause before a restart; it doubles with each end that follows soon. */
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;

/** Who has lived that long starts again without having counted. */
const STABLE_AFTER_MS = 60_000;

const START_GRACE_MS = 2000;

/** Pause after `failures` ends in short succession, in milliseconds. */
export function restartDelayMs(failures: number): number {
  return Math.min(BACKOFF_MIN_MS * 2 ** Math.min(failures - 1, 30), BACKOFF_MAX_MS);
}

/**
 * Starts a service and keeps it running.
 *
 * @throws Error when the first start fails: then something is wrong that a restart does not mend
 */
export async function keepRunning(service: Service, hooks: KeepRunningHooks): Promise<KeptService> {
  let running: RunningService | undefined = await service.start(hooks.onLine);
  const stopping = Promise.withResolvers<void>();
  let isStopping = false;

  const keep = async (): Promise<void> => {
    let failures = 0;
    let startedMs = Date.now();
    for (;;) {
      if (running) {
        const reason = await running.exited;
        running = undefined;
        if (isStopping) return;
        failures = Date.now() - startedMs > STABLE_AFTER_MS ? 1 : failures + 1;
        hooks.report(`${service.name} ended (${reason}); it starts again`);
      }
      await Promise.race([Bun.sleep(restartDelayMs(failures)), stopping.promise]);
      if (isStopping) return;
      startedMs = Date.now();
      try {
        running = await service.start(hooks.onLine);
        hooks.report(`${service.name} runs again`);
      } catch (error) {
        failures++;
        hooks.report(error instanceof Error ? error.message : String(error));
      }
    }
  };
  const kept = keep();
  return {
    name: service.name,
    async stop() {
      isStopping = true;
      stopping.resolve();
      await running?.stop();
      // A start that is under way may still be waiting for its server; the kernel ends that one with this process.
      await Promise.race([kept, Bun.sleep(START_GRACE_MS)]);
      await running?.stop();
    },
  };
}
