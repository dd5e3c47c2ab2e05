import type { HeldEntry } from "../../platform/streams/stream-entry.ts";
import type { Treatment } from "./inbound-work.ts";

/** Wait before entries are treated again that met a service of the hub itself that was away. */
const WAIT_MS = 500;

export interface RetryQueueOptions {
  /** Treats entries again; must not throw. */
  again(treatment: Treatment, entries: HeldEntry[]): void;
  /** Told once for all that was given back in one wait. */
  onRetry(count: number, lastError: unknown): void;
}

/**
 * Entries that this process holds and cannot treat at the moment. They are tried again together, so that an outage of
 * Postgres costs a query a batch and a line of the log, and not one for each entry.
 */
export class RetryQueue {
  readonly #options: RetryQueueOptions;
  #waiting: { entry: HeldEntry; treatment: Treatment }[] = [];
  #lastError: unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: RetryQueueOptions) {
    this.#options = options;
  }

  /** Takes entries for the next try. */
  add(entries: readonly HeldEntry[], error: unknown, treatment: Treatment): void {
    if (this.#stopped) return;
    this.#lastError = error;
    for (const entry of entries) this.#waiting.push({ entry, treatment });
    this.#timer ??= setTimeout(() => this.#retry(), WAIT_MS);
  }

  /** Ends the tries; what waits stays pending for another worker. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #retry(): void {
    this.#timer = undefined;
    const waiting = this.#waiting.splice(0);
    this.#options.onRetry(waiting.length, this.#lastError);
    for (const [treatment, group] of Map.groupBy(waiting, ({ treatment: kind }) => kind)) {
      this.#options.again(
        treatment,
        group.map(({ entry }) => entry),
      );
    }
  }
}
