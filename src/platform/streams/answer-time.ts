import { ANSWER_TIME_CHANNEL } from "../redis/keys.ts";
import type { Runtime } from "../runtime.ts";

/** How often edge tells how long senders wait: long enough for several batches, short beside a wait that they notice. */
const REPORT_MS = 50;

/**
 * Tells the workers that share the machine how long senders wait for their answers. Nothing is sent while nothing
 * comes in.
 */
export class AnswerTimeReport {
  readonly #runtime: Runtime;
  readonly #timer: ReturnType<typeof setInterval>;
  #requests = 0;
  #waitedMs = 0;
  #dueMs = performance.now() + REPORT_MS;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#timer = setInterval(() => this.#report(), REPORT_MS);
    this.#timer.unref();
  }

  /** Counts `requests` that were answered, the first of them after `waitedMs`. */
  add(requests: number, waitedMs: number): void {
    this.#requests += requests;
    this.#waitedMs += requests * waitedMs;
  }

  #report(): void {
    const nowMs = performance.now();
    // A loop that comes late has let requests wait that it had not seen yet.
    const lateMs = Math.max(0, nowMs - this.#dueMs);
    this.#dueMs = nowMs + REPORT_MS;
    if (this.#requests === 0) return;
    const requests = this.#requests;
    const meanMs = this.#waitedMs / requests;
    this.#requests = this.#waitedMs = 0;
    const message = `${Math.max(meanMs, lateMs).toFixed(2)} ${requests}`;
    // Without Redis there is nobody to step aside.
    this.#runtime.redis.publish(ANSWER_TIME_CHANNEL, message).catch(() => undefined);
  }
}

/** Reads a report: mean wait in ms and the requests that were answered. */
export function parseAnswerTime(message: string): { waitedMs: number; requests: number } {
  const [waitedMs = 0, requests = 0] = message.split(" ").map(Number);
  return { waitedMs, requests };
}
