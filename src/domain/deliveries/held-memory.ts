import type { Delivery } from "./delivery-work.ts";

/** Deliveries that one process holds, and bytes of their events; what exceeds it waits in Redis as ids. */
const DELIVERIES_MAX = 4_000;
const BYTES_MAX = 128 * 1024 * 1024;

/** Bounds what the lanes of a process hold in memory. An event counts for each of its deliveries. */
export class HeldMemory {
  #count = 0;
  #bytes = 0;

  /** Deliveries that still fit. */
  get room(): number {
    return this.#bytes >= BYTES_MAX ? 0 : DELIVERIES_MAX - this.#count;
  }

  get count(): number {
    return this.#count;
  }

  add(delivery: Delivery): void {
    this.#count++;
    this.#bytes += delivery.event.data.length;
  }

  remove(delivery: Delivery): void {
    this.#count--;
    this.#bytes -= delivery.event.data.length;
  }
}
