import type { Logger } from "./log.ts";

interface Step {
  name: string;
  close: () => Promise<unknown> | unknown;
}

/**
 * Orderly end of a process: what was opened last is closed first, each step once, one after the other. A step that
 * fails or takes longer than its share is reported and does not keep the others from closing.
 */
export class Shutdown {
  readonly #steps: Step[] = [];
  readonly #log: Logger;
  #running: Promise<void> | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** True from the first call of `run`: stop taking new work. */
  get started(): boolean {
    return this.#running !== undefined;
  }

  /** Adds a step; steps run in the reverse order of adding. */
  add(name: string, close: Step["close"]): void {
    this.#steps.push({ name, close });
  }

  /** Runs all steps; a second call waits for the first. */
  run(stepTimeoutMs = 20_000): Promise<void> {
    this.#running ??= this.#runSteps(stepTimeoutMs);
    return this.#running;
  }

  async #runSteps(stepTimeoutMs: number): Promise<void> {
    for (const step of this.#steps.reverse()) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`not closed within ${stepTimeoutMs} ms`)), stepTimeoutMs);
      });
      try {
        await Promise.race([step.close(), timeout]);
      } catch (error) {
        this.#log.warn({ step: step.name, err: error }, "shutdown step failed");
      } finally {
        clearTimeout(timer);
      }
    }
  }
}

/** Ends the process on SIGTERM and SIGINT: runs the shutdown, then exits with 0. */
export function exitOnSignals(shutdown: Shutdown, log: Logger): void {
  const stop = (signal: string): void => {
    if (shutdown.started) return;
    log.info({ signal }, "stopping");
    void shutdown.run().then(() => process.exit(0));
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
}
