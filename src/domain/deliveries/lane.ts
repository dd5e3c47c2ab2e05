import type { SubscriptionRateLimit } from "../subscriptions/schema.ts";
import type { CompiledSubscription } from "../subscriptions/compiled-subscription.ts";
import type { Delivery, OwnedPartition } from "./delivery-work.ts";

/** Most in flight for one subscription, however fast it is. */
const LIMIT_MAX = 64;

/** Deliveries in memory for each place in flight: enough to go on while more are loaded, little for one that hangs. */
const HELD_PER_PLACE = 16;

/**
 * A receiver that has come to take so many at a time is fast: what it gets is worth waiting for, and what waits for it
 * goes out soon. Held in memory from its fan-out on, a delivery need not be taken out of its queue.
 */
const PROVEN_LIMIT = 8;
const HELD_PER_PROVEN_PLACE = 64;

/**
 * While the oldest request in flight is older than this, and than four times what is usual for the subscription, nothing
 * more is sent to it: a receiver that begins to hang then keeps a few slots and not all.
 */
const STALLED_MS = 250;
const STALLED_FACTOR = 4;

/** Weight of the latest answer in the usual response time. */
const USUAL_WEIGHT = 0.2;

/** After a 429 without a time the receiver rests so long. */
const THROTTLED_MS = 1_000;
/** Longest rest of a whole subscription; the delivery itself waits as long as `Retry-After` asks. */
const THROTTLED_MAX_MS = 60_000;

/** What an attempt told about the receiver. */
export interface LaneSignal {
  timedOut: boolean;
  throttledForMs: number | undefined;
  /** Undefined when no complete answer came. */
  elapsedMs: number | undefined;
}

/** One subscription's deliveries in this process: what waits, what is in flight, and how much its receiver takes. */
export class Lane {
  readonly subscriptionId: string;
  readonly tenantId: string;
  readonly owned: OwnedPartition;
  /** Last known settings; undefined until they were read. */
  subscription: CompiledSubscription | undefined;
  /** Everything of the queue that is in memory: waiting, in flight or being written. */
  readonly held = new Set<string>();
  /** Bytes of the events of what is held. */
  heldBytes = 0;
  /** Redis may have more that is due. */
  hasMore = false;
  isLoading = false;
  /** Stands in the turn already. */
  isQueued = false;
  /** Brings it back into the turn at a time that it waits for. */
  alarm: { atMs: number; timer: ReturnType<typeof setTimeout> } | undefined;
  /** The queue is held or being cancelled: nothing is sent. */
  isParked = false;
  /** Shares the slow lane. */
  isSlow = false;
  /** False once it is known that no failure stands in the subscription's row. */
  mayHaveFailures = true;
  blockedUntilMs = 0;
  lastUsedMs = 0;
  #waiting: Delivery[] = [];
  #head = 0;
  readonly #startedAtMs = new Map<Delivery, number>();
  #limit = 1;
  #usualMs = 0;
  #hasAnswered = false;
  /** GCRA: theoretical arrival time, milliseconds, under the limit that it was counted for. */
  #arrivalMs: number | undefined;
  #countedFor: SubscriptionRateLimit | undefined;

  constructor(subscriptionId: string, tenantId: string, owned: OwnedPartition) {
    this.subscriptionId = subscriptionId;
    this.tenantId = tenantId;
    this.owned = owned;
  }

  get waitingCount(): number {
    return this.#waiting.length - this.#head;
  }

  get inFlight(): number {
    return this.#startedAtMs.size;
  }

  /** The receiver is known to answer: to this process, or its last attempt by another succeeded. */
  get isProven(): boolean {
    return !this.isSlow && (this.#hasAnswered || this.subscription?.hasAnswered === true);
  }

  /** Most deliveries that may be in memory. */
  get heldMax(): number {
    return this.#limit * (this.#limit >= PROVEN_LIMIT ? HELD_PER_PROVEN_PLACE : HELD_PER_PLACE);
  }

  /** Adds one that is in `held` already. */
  push(delivery: Delivery): void {
    this.#waiting.push(delivery);
  }

  /** Takes out everything that waits. */
  clearWaiting(): Delivery[] {
    const waiting = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    return waiting;
  }

  /**
   * Whether one more may be sent now. Leaves at least as many slots free as the subscription has in flight, so that
   * however many receivers hang, the others find a slot.
   */
  mayStart(freeSlots: number, nowMs: number): boolean {
    const { inFlight } = this;
    if (this.isParked || this.waitingCount === 0 || nowMs < this.blockedUntilMs) return false;
    if (inFlight === 0) return true;
    const most = Math.min(
      this.#limit,
      this.subscription?.concurrencyMax ?? LIMIT_MAX,
      this.isSlow ? 1 : LIMIT_MAX,
    );
    return inFlight < most && inFlight < freeSlots && !this.#isStalled(nowMs);
  }

  /** True while a fast receiver is taking what waits for it, and more than half of its places are taken. */
  isFilledAndFlowing(nowMs: number): boolean {
    const isFast = this.#limit >= PROVEN_LIMIT && nowMs >= this.blockedUntilMs && !this.isParked;
    return isFast && this.waitingCount * 2 > this.heldMax && !this.#isStalled(nowMs);
  }

  #isStalled(nowMs: number): boolean {
    const [oldestMs = nowMs] = this.#startedAtMs.values();
    return nowMs - oldestMs >= Math.max(STALLED_MS, STALLED_FACTOR * this.#usualMs);
  }

  /** The next one that waits goes in flight. */
  start(nowMs: number): Delivery {
    const delivery = this.#waiting[this.#head++]!;
    if (this.#head > 64 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    this.#startedAtMs.set(delivery, nowMs);
    this.lastUsedMs = nowMs;
    return delivery;
  }

  end(delivery: Delivery): void {
    this.#startedAtMs.delete(delivery);
  }

  /**
   * Time until the subscription's rate allows one more; 0 charges it. A new owner begins without a burst, so that the
   * rate holds over a change of owners; so does a rate that was changed, for which the old one's waits do not count.
   */
  rateWaitMs(limit: SubscriptionRateLimit, nowMs: number): number {
    const emissionMs = (limit.windowSeconds * 1000) / limit.limit;
    const burstMs = emissionMs * (limit.burst ?? limit.limit);
    if (this.#countedFor !== limit && !isSameRate(this.#countedFor, limit)) this.#arrivalMs = undefined;
    this.#countedFor = limit;
    const arrivalMs = Math.max(this.#arrivalMs ?? nowMs + burstMs - emissionMs, nowMs);
    const waitMs = arrivalMs + emissionMs - burstMs - nowMs;
    if (waitMs > 0) {
      this.#arrivalMs = arrivalMs;
      return waitMs;
    }
    this.#arrivalMs = arrivalMs + emissionMs;
    return 0;
  }

  /** Learns from an attempt: one more at a time after each good answer, half as many when the receiver asks for less. */
  learn(signal: LaneSignal, nowMs: number): void {
    if (signal.timedOut) {
      this.isSlow = true;
      this.#hasAnswered = false;
      this.#limit = 1;
      return;
    }
    if (signal.elapsedMs !== undefined) {
      this.isSlow = false;
      this.#hasAnswered = true;
      this.#usualMs += (signal.elapsedMs - this.#usualMs) * (this.#usualMs === 0 ? 1 : USUAL_WEIGHT);
    }
    if (signal.throttledForMs !== undefined) {
      this.#limit = Math.max(1, this.#limit >> 1);
      const restMs = Math.min(Math.max(signal.throttledForMs, THROTTLED_MS), THROTTLED_MAX_MS);
      this.blockedUntilMs = Math.max(this.blockedUntilMs, nowMs + restMs);
    } else if (signal.elapsedMs !== undefined) {
      this.#limit = Math.min(LIMIT_MAX, this.#limit + 1);
    }
  }
}

function isSameRate(one: SubscriptionRateLimit | undefined, other: SubscriptionRateLimit): boolean {
  const { limit, windowSeconds, burst } = other;
  return one?.limit === limit && one.windowSeconds === windowSeconds && one.burst === burst;
}
