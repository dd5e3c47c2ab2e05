import type { RunningService, Service } from "../platform/services/service.ts";

/** A service that is started again whenever it ends, until it is stopped. */
export interface KeptService {
  readonly name: string;
  /**
   * Starts a second one and ends the first when the second is ready.
   *
   * @throws Error when the second does not come up: the first goes on; or when it is being stopped
   */
  replace(): Promise<void>;
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
  const kept = new Kept(service, hooks);
  await kept.begin();
  return kept;
}

class Kept implements KeptService {
  readonly name: string;
  readonly #service: Service;
  readonly #hooks: KeepRunningHooks;
  readonly #stopping = Promise.withResolvers<void>();
  #isStopping = false;
  #running: RunningService | undefined;
  #startedMs = 0;
  #kept: Promise<void> = Promise.resolve();

  constructor(service: Service, hooks: KeepRunningHooks) {
    this.name = service.name;
    this.#service = service;
    this.#hooks = hooks;
  }

  async begin(): Promise<void> {
    await this.#start();
    this.#kept = this.#keep();
  }

  async replace(): Promise<void> {
    if (this.#isStopping) throw new Error(`${this.name} is being stopped`);
    const next = await this.#service.start(this.#hooks.onLine);
    // A stop that came meanwhile does not know of the new one.
    if (this.#isStopping) return next.stop();
    const former = this.#running;
    this.#running = next;
    this.#startedMs = Date.now();
    await former?.stop();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopping.resolve();
    await this.#running?.stop();
    // A start that is under way may still be waiting for its server; the kernel ends that one with this process.
    await Promise.race([this.#kept, Bun.sleep(START_GRACE_MS)]);
    await this.#running?.stop();
  }

  async #start(): Promise<void> {
    this.#startedMs = Date.now();
    const started = await this.#service.start(this.#hooks.onLine);
    // Replaced while it was starting: one is enough.
    if (this.#running) return started.stop();
    this.#running = started;
  }

  async #keep(): Promise<void> {
    let failures = 0;
    while (!this.#isStopping) {
      const watched = this.#running;
      if (watched) {
        const reason = await watched.exited;
        if (this.#isStopping) return;
        if (this.#running !== watched) continue;
        this.#running = undefined;
        failures = Date.now() - this.#startedMs > STABLE_AFTER_MS ? 1 : failures + 1;
        this.#hooks.report(`${this.name} ended (${reason}); it starts again`);
      }
      await Promise.race([Bun.sleep(restartDelayMs(failures)), this.#stopping.promise]);
      if (this.#isStopping) return;
      if (this.#running) continue;
      try {
        await this.#start();
        this.#hooks.report(`${this.name} runs again`);
      } catch (error) {
        failures++;
        this.#hooks.report(error instanceof Error ? error.message : String(error));
      }
    }
  }
}
