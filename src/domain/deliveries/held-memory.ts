import type { Delivery } from "./delivery-work.ts";
import type { Lane } from "./lane.ts";

/** Deliveries that one process holds, and bytes of their events; what exceeds it waits in Redis as ids. */
const DELIVERIES_MAX = 10_000;
const BYTES_MAX = 128 * 1024 * 1024;
/** Deliveries that every lane may hold, whatever the others do. */
const LANE_LEAST = 4;
/** A lane's bytes are at most this share of those that are free. */
const LANE_BYTES_SHARE = 1 / 4;

/**
 * Bounds what the lanes of a process hold in memory. An event counts for each of its deliveries. A lane gets no more than
 * it leaves free, and a few in any case, so that receivers that begin to hang with all that they may hold leave room to
 * those that answer.
 */
export class HeldMemory {
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Deliveries that the lane may take in addition; 0 or less for none. */
  room(lane: Lane): number {
    if (lane.heldBytes >= (BYTES_MAX - this.#bytes) * LANE_BYTES_SHARE) return 0;
    const held = lane.held.size;
    const share = Math.ceil((DELIVERIES_MAX - this.#count - held) / 2);
    return Math.min(lane.heldMax - held, Math.max(share, LANE_LEAST - held));
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
