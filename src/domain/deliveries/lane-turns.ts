import type { Delivery } from "./delivery-work.ts";
import type { Lane } from "./lane.ts";
import { UnprovenSlots } from "./unproven-slots.ts";

/**
 * Deliveries of one process from their start until their result is committed: all that a kill can make happen twice. Few
 * enough that every request finds a kept connection.
 */
export const SLOTS = 64;

/** A sleeping lane looks again after this time at the latest: a resume may have changed what it waits for. */
const SLEEP_MAX_MS = 60_000;

export interface LaneTurnsOptions {
  nowMs(): number;
  /** Time until the lane may send (rate, circuit of its host), 0 for now. Called once for each start. */
  waitMs(lane: Lane, nowMs: number): number;
  /** Sends; `end` has to be called when it is over, and `free` once its result is stored. Must not throw. */
  send(lane: Lane, delivery: Delivery): void;
}

/**
 * Gives the slots of a process to its lanes: tenants take turns, and within a tenant its subscriptions, one delivery a
 * turn. What may be sent at once per subscription is the lane's own matter.
 */
export class LaneTurns {
  readonly #options: LaneTurnsOptions;
  /** Lanes with something to send, by tenant, both in the order of their turns. */
  readonly #tenants = new Map<string, Lane[]>();
  readonly #unproven = new UnprovenSlots();
  #inFlight = 0;
  /** Over, and the result is not committed: their slots are still taken. */
  #unstored = 0;
  #pumping = false;

  constructor(options: LaneTurnsOptions) {
    this.#options = options;
  }

  /** Deliveries in flight. */
  get used(): number {
    return this.#inFlight;
  }

  /** The lane may have something to send. */
  ready(lane: Lane): void {
    this.#enlist(lane);
    this.#pump();
  }

  /** Many lanes may have something to send. */
  readyAll(lanes: Iterable<Lane>): void {
    for (const lane of lanes) this.#enlist(lane);
    this.#pump();
  }

  /** A delivery that was sent is over; its slot is taken until `free` is called. */
  end(lane: Lane, delivery: Delivery): void {
    lane.end(delivery);
    this.#inFlight--;
    this.#unstored++;
    this.#unproven.end(delivery);
    this.#enlist(lane);
    this.#pump();
  }

  /** Results of so many deliveries are stored. */
  free(count: number): void {
    this.#unstored -= count;
    this.#pump();
  }

  #enlist(lane: Lane): void {
    if (lane.isQueued || lane.isParked || lane.waitingCount === 0) return;
    lane.isQueued = true;
    const lanes = this.#tenants.get(lane.tenantId);
    if (lanes) lanes.push(lane);
    else this.#tenants.set(lane.tenantId, [lane]);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const nowMs = this.#options.nowMs();
    this.#startUnproven(nowMs);
    for (const [tenantId, lanes] of this.#tenants) {
      if (!this.#hasSlot) break;
      const lane = lanes.shift()!;
      // The tenant goes to the end of the turn; a Map visits what is added while it is walked.
      this.#tenants.delete(tenantId);
      lane.isQueued = false;
      this.#startOne(lane, nowMs);
      const rest = this.#tenants.get(tenantId);
      if (rest !== undefined) lanes.push(...rest);
      if (lanes.length > 0) {
        this.#tenants.delete(tenantId);
        this.#tenants.set(tenantId, lanes);
      }
    }
    this.#pumping = false;
  }

  get #hasSlot(): boolean {
    return this.#inFlight + this.#unstored < SLOTS;
  }

  /** Those that wait for one of the slots of unproven receivers have had their turn. */
  #startUnproven(nowMs: number): void {
    while (this.#hasSlot) {
      const lane = this.#unproven.next(nowMs);
      if (lane === undefined) return;
      lane.isQueued = false;
      this.#startOne(lane, nowMs);
    }
  }

  /** Starts one delivery of the lane if it may, and puts it back into the turn if it has more. */
  #startOne(lane: Lane, nowMs: number): void {
    if (!lane.mayStart(SLOTS - this.#inFlight, nowMs)) return this.#wakeAt(lane, lane.blockedUntilMs, nowMs);
    if (!this.#unproven.mayStart(lane, nowMs)) {
      lane.isQueued = true;
      this.#unproven.wait(lane);
      return;
    }
    const waitMs = this.#options.waitMs(lane, nowMs);
    if (waitMs > 0) {
      lane.blockedUntilMs = nowMs + waitMs;
      return this.#wakeAt(lane, lane.blockedUntilMs, nowMs);
    }
    this.#inFlight++;
    const delivery = lane.start(nowMs);
    this.#unproven.start(lane, delivery, nowMs);
    this.#enlist(lane);
    this.#options.send(lane, delivery);
  }

  /** A lane that waits for a time comes back by a timer; one that waits for its own requests by their end. */
  #wakeAt(lane: Lane, wantedMs: number, nowMs: number): void {
    if (wantedMs <= nowMs) return;
    const atMs = Math.min(wantedMs, nowMs + SLEEP_MAX_MS);
    // What it waits for may have come nearer: another rate, or a resume.
    if (lane.alarm !== undefined && lane.alarm.atMs <= atMs) return;
    clearTimeout(lane.alarm?.timer);
    const wake = (): void => {
      lane.alarm = undefined;
      this.ready(lane);
    };
    lane.alarm = { atMs, timer: setTimeout(wake, atMs - nowMs).unref() };
  }
}
