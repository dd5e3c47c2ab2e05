import type { Runtime } from "../../platform/runtime.ts";
import type { CircuitSnapshot } from "./circuit-snapshot.ts";
import { type AnnounceTransition, recordCircuit } from "./record-circuit.ts";

const RETRY_MS = 1_000;
/** States that wait while Postgres is away; what is dropped is told again by Redis. */
const WAITING_MAX = 10_000;

/** Records circuits in the order in which a process hears of them, and goes on trying while Postgres is away. */
export class CircuitRecorder {
  readonly #runtime: Runtime;
  readonly #announce: AnnounceTransition;
  readonly #waiting = new Map<string, CircuitSnapshot>();
  #running: Promise<void> | undefined;

  constructor(runtime: Runtime, announce: AnnounceTransition) {
    this.#runtime = runtime;
    this.#announce = announce;
  }

  /** Takes a state to record; one that waits already is not taken twice. */
  record(circuit: CircuitSnapshot): void {
    const key = `${circuit.integrationId}/${circuit.changedAtMs}`;
    if (this.#waiting.has(key) || this.#waiting.size >= WAITING_MAX) return;
    this.#waiting.set(key, circuit);
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    for (const [key, circuit] of this.#waiting) {
      while (!(await this.#recordOne(circuit))) {
        if (this.#runtime.shutdown.started) return;
        await Bun.sleep(RETRY_MS);
      }
      this.#waiting.delete(key);
    }
  }

  async #recordOne(circuit: CircuitSnapshot): Promise<boolean> {
    try {
      await recordCircuit(this.#runtime, circuit, this.#announce);
      return true;
    } catch (error) {
      const { integrationId, state } = circuit;
      this.#runtime.log.warn({ err: error, integrationId, state }, "circuit was not recorded");
      return false;
    }
  }
}
