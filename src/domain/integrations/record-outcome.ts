import type { Runtime } from "../../platform/runtime.ts";
import { announceIntegrationOf } from "./announce-integration.ts";
import { changeStatus } from "./change-status.ts";
import { addOutcomes, lockIntegrationRow, type OutcomeCount } from "./store.ts";

/** How a call of the gateway ended. */
export interface CallOutcome {
  integrationId: string;
  atMs: number;
  /** Left out: it succeeded. Redacted. */
  error?: { code: string; message: string };
}

/** A row is touched at most this often, so that a busy integration does not become a queue for its own row. */
const FLUSH_EVERY_MS = 1_000;
/** Counts of integrations that may wait while Postgres is away. */
const WAITING_MAX = 100_000;

/**
 * Last success, last error and number of errors of integrations, gathered and written once a second. A success brings an
 * integration from ERROR back to ACTIVE.
 */
export class OutcomeRecorder {
  readonly #runtime: Runtime;
  #counts = new Map<string, OutcomeCount>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Adds one outcome; never waits and never throws. */
  record({ integrationId, atMs, error }: CallOutcome): void {
    let count = this.#counts.get(integrationId);
    if (count === undefined) {
      if (this.#counts.size >= WAITING_MAX) return;
      count = {
        id: integrationId,
        lastCallMs: 0,
        lastSuccessMs: 0,
        lastErrorMs: 0,
        lastError: null,
        errors: 0,
      };
      this.#counts.set(integrationId, count);
    }
    count.lastCallMs = Math.max(count.lastCallMs, atMs);
    if (error === undefined) count.lastSuccessMs = Math.max(count.lastSuccessMs, atMs);
    else {
      count.errors++;
      if (atMs >= count.lastErrorMs) {
        count.lastErrorMs = atMs;
        count.lastError = `${error.code}: ${error.message}`;
      }
    }
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }

  /** Writes what was gathered; kept for the next time when Postgres is away. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running = this.#running.then(() => this.#write());
    return this.#running;
  }

  async #write(): Promise<void> {
    // In one order, so that two processes do not wait for each other's rows.
    const counts = [...this.#counts.values()].toSorted((left, right) => (left.id < right.id ? -1 : 1));
    if (counts.length === 0) return;
    this.#counts = new Map();
    try {
      const recovered = await addOutcomes(this.#runtime.sqlSystem, counts);
      for (const id of recovered) {
        // oxlint-disable-next-line no-await-in-loop -- seldom more than one
        await this.#recover(id);
      }
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "outcomes of calls not written");
      this.#merge(counts);
    }
  }

  /** ERROR → ACTIVE, told once although several processes see a success. */
  async #recover(id: string): Promise<void> {
    const { sqlSystem, clock } = this.#runtime;
    const { isChanged } = await sqlSystem.begin(async (tx) => {
      const row = await lockIntegrationRow(tx, id);
      if (row?.status !== "ERROR") return { isChanged: false };
      await changeStatus(tx, row, { cause: "call_succeeded", now: new Date(clock.nowMs()) });
      return { isChanged: true };
    });
    if (isChanged) await announceIntegrationOf(this.#runtime, id);
  }

  #merge(counts: readonly OutcomeCount[]): void {
    for (const lost of counts) {
      const count = this.#counts.get(lost.id);
      if (count === undefined) this.#counts.set(lost.id, lost);
      else {
        count.lastCallMs = Math.max(count.lastCallMs, lost.lastCallMs);
        count.lastSuccessMs = Math.max(count.lastSuccessMs, lost.lastSuccessMs);
        count.errors += lost.errors;
        if (lost.lastErrorMs > count.lastErrorMs)
          Object.assign(count, { lastErrorMs: lost.lastErrorMs, lastError: lost.lastError });
      }
    }
    if (!this.#runtime.shutdown.started) this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }
}

const recorders = new WeakMap<Runtime, OutcomeRecorder>();

/** Notes how a call ended, for the integration's health; the process's one recorder writes it within a second. */
export function recordOutcome(runtime: Runtime, outcome: CallOutcome): void {
  let recorder = recorders.get(runtime);
  if (recorder === undefined) {
    const opened = new OutcomeRecorder(runtime);
    recorders.set(runtime, (recorder = opened));
    runtime.shutdown.add("integration outcomes", () => opened.flush());
  }
  recorder.record(outcome);
}
