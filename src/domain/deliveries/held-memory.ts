import type { Delivery } from "./delivery-work.ts";
import type { Lane } from "./lane.ts";

/** Deliveries that one process holds, and bytes of their events; what exceeds it waits in Redis as ids. */
const DELIVERIES_MAX = 10_000;
const BYTES_MAX = 128 * 1024 * 1024;

/**
 * Bounds what the lanes of a process hold in memory. An event counts for each of its deliveries. A lane gets no more than
 * it leaves free, so that however many receivers begin to hang with all that they may hold, the others find room.
 */
export class HeldMemory {
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Deliveries that the lane may take in addition; 0 or less for none. */
  room(lane: Lane): number {
    const held = lane.held.size;
    const free = DELIVERIES_MAX - this.#count;
    if (lane.heldBytes >= BYTES_MAX - this.#bytes) return 0;
    return Math.min(lane.heldMax - held, Math.ceil((free - held) / 2));
  }

  add(lane: Lane, { event }: Delivery): void {
    this.#count++;
    this.#bytes += event.data.length;
    lane.heldBytes += event.data.length;
  }

  remove(lane: Lane, { event }: Delivery): void {
    this.#count--;
    this.#bytes -= event.data.length;
    lane.heldBytes -= event.data.length;
  }
}
