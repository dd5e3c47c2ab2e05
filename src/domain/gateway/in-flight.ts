import type { Runtime } from "../../platform/runtime.ts";
import { createGauge } from "../../platform/metrics.ts";

/** Calls under way in one process; below 256, from where the runtime would let further ones wait unseen. */
export const IN_FLIGHT_MAX = 240;

/** Counts calls that hold a connection to a provider. */
export class InFlight {
  #count = 0;

  get isFull(): boolean {
    return this.#count >= IN_FLIGHT_MAX;
  }

  get count(): number {
    return this.#count;
  }

  /** @returns false when there is no room */
  tryTake(): boolean {
    if (this.isFull) return false;
    this.#count++;
    return true;
  }

  give(): void {
    this.#count--;
  }
}

const counters = new WeakMap<Runtime, InFlight>();

/** The process's one counter. */
export function inFlightOf(runtime: Runtime): InFlight {
  let counter = counters.get(runtime);
  if (counter === undefined) {
    const made = new InFlight();
    counters.set(runtime, (counter = made));
    createGauge(runtime.metrics, {
      name: "hub_gateway_calls_in_flight",
      help: "Calls through the gateway that hold a connection",
      read: () => [{ value: made.count }],
    });
  }
  return counter;
}
