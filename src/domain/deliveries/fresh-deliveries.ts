import type { Delivery } from "./delivery-work.ts";
import type { Lane } from "./lane.ts";

/** What is beyond these bounds is loaded from Postgres when its turn comes. An event counts for each of its deliveries. */
const DELIVERIES_MAX = 10_000;
/** Of one lane: one that hangs leaves room for others. */
const LANE_DELIVERIES_MAX = 4_000;
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * Deliveries that this process has fanned out and put into queues of its own, because their lanes were full. Nobody else
 * can have tried one of them before this process takes it, so that it is sent without a look at Postgres: three
 * statements with joins, which under load cost more than the delivery. Forgotten with its lane, and when the lane's
 * queue is held, because rows may then be written for what is in it.
 */
export class FreshDeliveries {
  readonly #byLane = new Map<Lane, Map<string, Delivery>>();
  #count = 0;
  #bytes = 0;

  /** Keeps a delivery whose member is about to be put into the lane's queue, and was not there before. */
  add(lane: Lane, delivery: Delivery): void {
    if (this.#count >= DELIVERIES_MAX || this.#bytes >= BYTES_MAX || lane.isParked) return;
    let kept = this.#byLane.get(lane);
    if (kept === undefined) this.#byLane.set(lane, (kept = new Map()));
    if (kept.size >= LANE_DELIVERIES_MAX || kept.has(delivery.member)) return;
    kept.set(delivery.member, delivery);
    this.#count++;
    this.#bytes += delivery.event.data.length;
  }

  /** The delivery of a member that was taken from the lane's queue; undefined when it has to be loaded. */
  take(lane: Lane, member: string): Delivery | undefined {
    const kept = this.#byLane.get(lane);
    const delivery = kept?.get(member);
    if (kept === undefined || delivery === undefined) return undefined;
    kept.delete(member);
    if (kept.size === 0) this.#byLane.delete(lane);
    this.#count--;
    this.#bytes -= delivery.event.data.length;
    return delivery;
  }

  /** The lane is gone, or its queue is held. */
  forget(lane: Lane): void {
    for (const member of this.#byLane.get(lane)?.keys() ?? []) this.take(lane, member);
  }
}
