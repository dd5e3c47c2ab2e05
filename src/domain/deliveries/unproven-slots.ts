import type { Delivery } from "./delivery-work.ts";
import type { Lane } from "./lane.ts";

/** Slots that receivers may hold of which nobody knows whether they answer; further ones are for those that do. */
export const UNPROVEN_SLOTS = 32;
/** Slots beyond these, for tenants that hold fewer than so many of them: one tenant's receivers cannot take all. */
export const OTHER_TENANTS_SLOTS = 16;
export const OTHER_TENANT_SLOTS = 4;
/** Slots that subscriptions which timed out share. */
export const SLOW_SLOTS = 16;
/** A request in flight for so long counts as one of which nobody knows whether it is answered. */
const STUCK_MS = 1_000;

/**
 * Bounds what receivers hold that have not answered yet or timed out last: however many of them hang, each until its
 * deadline, those that are known to answer find a slot. An answer takes milliseconds and makes its receiver a known one,
 * so that the bound delays many new ones by a few turns only.
 */
export class UnprovenSlots {
  readonly #tenantOf = new Map<Delivery, string>();
  readonly #countOf = new Map<string, number>();
  readonly #slow = new Set<Delivery>();
  /** What was sent to receivers that were known to answer, the oldest first. */
  readonly #proven = new Map<Delivery, number>();
  /** Lanes that wait for a slot, by tenant, both in the order of their turns. */
  readonly #waiting = new Map<string, Lane[]>();
  readonly #slowWaiting: Lane[] = [];

  /** Whether the lane may send one more. */
  mayStart(lane: Lane, nowMs: number): boolean {
    if (lane.isProven) return true;
    const taken = this.#tenantOf.size + this.#stuckCount(nowMs);
    if (lane.isSlow) return taken < UNPROVEN_SLOTS && this.#slow.size < SLOW_SLOTS;
    if (taken < UNPROVEN_SLOTS) return true;
    const ofTenant = this.#countOf.get(lane.tenantId) ?? 0;
    return taken < UNPROVEN_SLOTS + OTHER_TENANTS_SLOTS && ofTenant < OTHER_TENANT_SLOTS;
  }

  start(lane: Lane, delivery: Delivery, nowMs: number): void {
    if (lane.isProven) {
      this.#proven.set(delivery, nowMs);
      return;
    }
    this.#tenantOf.set(delivery, lane.tenantId);
    this.#countOf.set(lane.tenantId, (this.#countOf.get(lane.tenantId) ?? 0) + 1);
    if (lane.isSlow) this.#slow.add(delivery);
  }

  end(delivery: Delivery): void {
    this.#proven.delete(delivery);
    this.#slow.delete(delivery);
    const tenantId = this.#tenantOf.get(delivery);
    if (tenantId === undefined) return;
    this.#tenantOf.delete(delivery);
    const left = this.#countOf.get(tenantId)! - 1;
    if (left > 0) this.#countOf.set(tenantId, left);
    else this.#countOf.delete(tenantId);
  }

  /** The lane waits until `next` gives it out. */
  wait(lane: Lane): void {
    const lanes = lane.isSlow ? this.#slowWaiting : this.#waiting.get(lane.tenantId);
    if (lanes) lanes.push(lane);
    else this.#waiting.set(lane.tenantId, [lane]);
  }

  /** Takes out a waiting lane that may send now; undefined when there is none. */
  next(nowMs: number): Lane | undefined {
    for (const [tenantId, lanes] of this.#waiting) {
      if (!this.mayStart(lanes[0]!, nowMs)) continue;
      const lane = lanes.shift()!;
      this.#waiting.delete(tenantId);
      if (lanes.length > 0) this.#waiting.set(tenantId, lanes);
      return lane;
    }
    const [slow] = this.#slowWaiting;
    return slow !== undefined && this.mayStart(slow, nowMs) ? this.#slowWaiting.shift() : undefined;
  }

  #stuckCount(nowMs: number): number {
    let count = 0;
    for (const startedAtMs of this.#proven.values()) {
      if (nowMs - startedAtMs < STUCK_MS) break;
      count++;
    }
    return count;
  }
}
