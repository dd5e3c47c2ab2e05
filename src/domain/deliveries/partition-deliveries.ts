import { deliveryKeys } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { PartitionSession } from "../../platform/streams/partition-owners.ts";
import type { SubscriptionCache } from "../subscriptions/subscription-cache.ts";
import type { DeliveryScripts } from "./delivery-scripts.ts";
import type { Delivery, FinishedDelivery, OwnedPartition } from "./delivery-work.ts";
import type { EventShelf } from "./event-shelf.ts";
import type { FreshDeliveries } from "./fresh-deliveries.ts";
import { heldQueue } from "./held-queue.ts";
import { Lane } from "./lane.ts";
import type { LaneTurns } from "./lane-turns.ts";
import { loadDeliveries, type TakenMember } from "./load-deliveries.ts";
import type { HeldMemory } from "./held-memory.ts";
import { reindexQueues, takeOverPartition } from "./partition-index.ts";
import { releaseOpen, tenantOfSubscription } from "./open-delivery-store.ts";
import { HELD } from "./scores.ts";
import { takeDeliveries } from "./take-deliveries.ts";

/** What the partitions of one process share. */
export interface PartitionDeps {
  runtime: Runtime;
  client: RedisClient;
  scripts: DeliveryScripts;
  subscriptions: SubscriptionCache;
  events: EventShelf;
  turns: LaneTurns;
  memory: HeldMemory;
  fresh: FreshDeliveries;
  /** Takes what is decided without an attempt. */
  finish(finished: FinishedDelivery): void;
}

/** Pause between looks at what is due; what is enqueued by this process wakes it at once. */
const POLL_MS = 25;
const ERROR_WAIT_MS = 500;
/** Subscriptions of one look, and deliveries of one take. */
const POLL_SUBSCRIPTIONS = 200;
const TAKE_MAX = 500;
/** A subscription that cannot take more is looked at again after this time, or when it has room; only where many are due. */
const POSTPONE_MS = 500;
/** How often held subscriptions are looked at, in case the message of a resume was lost. */
const HELD_LOOK_MS = 1_000;
const HELD_LOOK_PAGE = 1_000;
/** Idle lanes are forgotten; slow ones later, because what they learned is to last. */
const IDLE_MS = 10_000;
const IDLE_SLOW_MS = 300_000;
/** Time for what is in flight to end: little when the process stops, enough for any attempt when another takes over. */
const STOP_MS = 10_000;
const HANDOVER_MS = 330_000;
const DRAIN_CHECK_MS = 10;

/** The deliveries of one partition while this process owns it: what is due is taken, loaded and given to its lane. */
export class PartitionDeliveries implements PartitionSession {
  readonly owned: OwnedPartition;
  readonly #deps: PartitionDeps;
  readonly #lanes = new Map<string, Lane>();
  readonly #refills = new Set<Lane>();
  #refilling = false;
  #draining = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #polling: Promise<void> = Promise.resolve();
  #isAwake = false;
  #heldLookAtMs = 0;
  /** Held subscriptions that were looked at in this round; the next look goes on behind them. */
  #heldLooked = 0;
  /** Calls of take.lua, which knows by their number those that the connection sends twice. */
  #takes = 0;
  #tidyAtMs = 0;

  constructor(deps: PartitionDeps, owned: OwnedPartition) {
    this.#deps = deps;
    this.owned = owned;
    owned.lease.ended.addEventListener("abort", () => this.#abandon(), { once: true });
    this.#polling = this.#begin();
  }

  /** True while deliveries may be given to this partition. */
  get isOpen(): boolean {
    return !this.#draining && this.owned.lease.isHeld();
  }

  /** The lane of a subscription, made when it is new. */
  lane(subscriptionId: string, tenantId: string): Lane {
    let lane = this.#lanes.get(subscriptionId);
    if (lane === undefined) {
      lane = new Lane(subscriptionId, tenantId, this.owned);
      this.#lanes.set(subscriptionId, lane);
    }
    return lane;
  }

  /** Takes a delivery into memory; its member must be marked as taken in the queue, or be about to. */
  accept(lane: Lane, delivery: Delivery): void {
    lane.held.add(delivery.member);
    this.#deps.memory.add(lane, delivery);
    lane.push(delivery);
    if (lane.isParked) this.#giveBack(lane);
    else if (lane.subscription === undefined) void this.#prepare(lane);
    else this.#deps.turns.ready(lane);
  }

  /** Something became due: look now and not at the next turn. */
  wake(): void {
    if (this.#isAwake || !this.isOpen) return;
    this.#isAwake = true;
    clearTimeout(this.#timer);
    this.#polling = this.#polling.then(() => this.#poll());
  }

  /** The subscription's settings changed. */
  async changed(subscriptionId: string): Promise<void> {
    const lane = this.#lanes.get(subscriptionId);
    const subscription = await this.#deps.subscriptions.find(subscriptionId);
    if (lane !== undefined) {
      lane.subscription = subscription ?? lane.subscription;
      lane.blockedUntilMs = 0;
    }
    if (subscription !== undefined && subscription.status !== "ACTIVE") {
      await this.#hold(this.lane(subscriptionId, subscription.tenantId));
    } else if (subscription === undefined || lane?.isParked !== false) await this.#release([subscriptionId]);
    else this.#deps.turns.ready(lane);
  }

  /** A delivery is written and booked: its place is free. */
  settle(delivery: Delivery): void {
    const lane = this.#lanes.get(delivery.subscriptionId);
    if (lane === undefined || !lane.held.delete(delivery.member)) return;
    this.#deps.memory.remove(lane, delivery);
    if (delivery.isOrdered && delivery.event.orderingKey !== undefined) this.wake();
    this.refill(lane);
  }

  /** Loads more of a lane's queue when its memory runs low. */
  refill(lane: Lane): void {
    if (!lane.hasMore || lane.isLoading || lane.isParked || !this.isOpen) return;
    if (lane.waitingCount * 2 > lane.heldMax) return;
    this.#refills.add(lane);
    if (this.#refilling) return;
    this.#refilling = true;
    setImmediate(() => {
      this.#refilling = false;
      const lanes = [...this.#refills];
      this.#refills.clear();
      void this.#take(lanes).catch((error: unknown) => this.#warn(error, "queues not refilled"));
    });
  }

  /** Gives the subscription's deliveries back and sends nothing more, because it is paused or disabled. */
  hold(lane: Lane): void {
    void this.#hold(lane).catch((error: unknown) => this.#warn(error, "subscription not held"));
  }

  async drain(): Promise<void> {
    this.#draining = true;
    clearTimeout(this.#timer);
    await this.#polling;
    for (const lane of this.#lanes.values()) this.#giveBack(lane);
    const isBusy = (): boolean => this.#lanes.values().some(({ held }) => held.size > 0);
    const sinceMs = performance.now();
    const isOver = (): boolean =>
      performance.now() - sinceMs > (this.#deps.runtime.shutdown.started ? STOP_MS : HANDOVER_MS);
    while (isBusy() && this.owned.lease.isHeld() && !isOver()) await Bun.sleep(DRAIN_CHECK_MS);
  }

  async #begin(): Promise<void> {
    while (this.isOpen) {
      try {
        await takeOverPartition(this.#deps, this.owned);
        return await this.#poll();
      } catch (error) {
        this.#warn(error, "partition not taken over");
        await Bun.sleep(ERROR_WAIT_MS);
      }
    }
  }

  async #poll(): Promise<void> {
    this.#isAwake = false;
    let waitMs = POLL_MS;
    try {
      const looked = await this.#look();
      if (looked === POLL_SUBSCRIPTIONS) waitMs = 0;
      await this.#lookAtHeld();
      this.#tidy();
    } catch (error) {
      this.#warn(error, "due deliveries not taken");
      waitMs = ERROR_WAIT_MS;
    }
    if (!this.isOpen) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#isAwake) this.#polling = this.#polling.then(() => this.#poll());
    }, waitMs);
  }

  /** Takes what is due. @returns subscriptions that were looked at */
  async #look(): Promise<number> {
    const { client, runtime } = this.#deps;
    const { due } = deliveryKeys(this.owned.partition);
    const nowMs = runtime.clock.nowMs();
    const ids = await client.zrangebyscore(due, "-inf", nowMs, "LIMIT", 0, POLL_SUBSCRIPTIONS);
    if (ids.length === 0 || !this.isOpen) return 0;
    const subscriptions = await Promise.all(ids.map((id) => this.#deps.subscriptions.find(id)));
    const lanes: Lane[] = [];
    const postponed: (string | number)[] = [];
    for (const [index, id] of ids.entries()) {
      const subscription = subscriptions[index];
      if (subscription === undefined) await this.#cancel(id);
      else {
        const lane = this.lane(id, subscription.tenantId);
        lane.subscription = subscription;
        if (subscription.status !== "ACTIVE") await this.#hold(lane);
        else if (lane.blockedUntilMs > nowMs) postponed.push(id, lane.blockedUntilMs);
        else if (this.#deps.memory.room(lane) > 0 && !lane.isLoading) lanes.push(lane);
        else {
          lane.hasMore = true;
          postponed.push(id, nowMs + POSTPONE_MS);
        }
      }
    }
    await this.#take(lanes);
    // A few may be seen again at every look: each call that writes is a sync that delays others.
    if (ids.length > POLL_SUBSCRIPTIONS / 4) await reindexQueues(this.#deps.scripts, this.owned, postponed);
    return ids.length;
  }

  /** Takes as much of the lanes' queues as they have room for, loads it and gives it to them. */
  async #take(lanes: readonly Lane[]): Promise<void> {
    const plan: { lane: Lane; count: number }[] = [];
    let total = 0;
    for (const lane of lanes) {
      const count = Math.min(this.#deps.memory.room(lane), TAKE_MAX - total);
      if (count <= 0 || lane.isLoading || lane.isParked) continue;
      lane.isLoading = true;
      plan.push({ lane, count });
      total += count;
    }
    if (plan.length === 0) return;
    try {
      const wanted = plan.map(({ lane, count }) => ({ subscriptionId: lane.subscriptionId, count }));
      const reply = await takeDeliveries(this.#deps, this.owned, wanted, ++this.#takes);
      const taken: TakenMember[] = [];
      for (const [index, members] of reply.entries()) {
        const { lane, count } = plan[index]!;
        lane.hasMore = members.length === count;
        for (const member of members) {
          if (lane.held.has(member)) continue;
          lane.held.add(member);
          const fresh = this.#deps.fresh.take(lane, member);
          if (fresh === undefined) taken.push({ lane, member });
          else this.accept(lane, fresh);
        }
      }
      await this.#load(taken);
    } finally {
      for (const { lane } of plan) lane.isLoading = false;
    }
    this.#deps.turns.readyAll(plan.map(({ lane }) => lane));
    for (const { lane } of plan) {
      if (this.isOpen && !lane.isParked) continue;
      // Held while they were on the way: nobody would send them, and the taking has marked their queue as due.
      this.#giveBack(lane);
      if (lane.isParked) await reindexQueues(this.#deps.scripts, this.owned, [lane.subscriptionId, HELD]);
    }
  }

  /** Goes on until Postgres answers: the members are marked as taken and would stay so. */
  async #load(taken: readonly TakenMember[], cancel = false): Promise<void> {
    if (taken.length === 0) return;
    const { runtime, events, memory, finish } = this.#deps;
    for (;;) {
      try {
        for (const { lane, delivery, leaves } of await loadDeliveries(runtime, events, taken)) {
          memory.add(lane, delivery);
          const decided = cancel ? { outcome: "cancelled" as const } : leaves;
          if (decided === undefined) lane.push(delivery);
          else finish(this.#undelivered(lane, delivery, decided));
        }
        return;
      } catch (error) {
        this.#warn(error, "deliveries not loaded, trying again");
        await Bun.sleep(ERROR_WAIT_MS);
        if (!this.owned.lease.isHeld()) return;
      }
    }
  }

  #undelivered(lane: Lane, delivery: Delivery, leaves: FinishedDelivery["leaves"]): FinishedDelivery {
    const { owned } = this;
    const { tenantId } = lane;
    return { owned, tenantId, delivery, attempt: undefined, leaves, mayClearFailures: false };
  }

  /** Reads the settings of a lane that was given deliveries before anybody knew them. */
  async #prepare(lane: Lane): Promise<void> {
    try {
      const subscription = await this.#deps.subscriptions.find(lane.subscriptionId);
      if (subscription === undefined || subscription.status !== "ACTIVE") return await this.#hold(lane);
      lane.subscription = subscription;
      this.#deps.turns.ready(lane);
    } catch (error) {
      this.#warn(error, "subscription not read");
      this.#giveBack(lane);
    }
  }

  /** Also one that is held: a writer that did not know makes its queue due, and it would be looked at for ever. */
  async #hold(lane: Lane): Promise<void> {
    const isNew = !lane.isParked;
    lane.isParked = true;
    this.#deps.fresh.forget(lane);
    this.#giveBack(lane);
    await reindexQueues(this.#deps.scripts, this.owned, [lane.subscriptionId, HELD]);
    const shown = isNew ? heldQueue(this.#deps, this.owned, lane) : undefined;
    shown?.catch((error: unknown) => this.#warn(error, "held deliveries not shown"));
  }

  /** What waits in memory is due in its queue again. */
  #giveBack(lane: Lane): void {
    for (const delivery of lane.clearWaiting()) {
      this.#deps.finish(this.#undelivered(lane, delivery, { dueMs: "now" }));
    }
  }

  async #lookAtHeld(): Promise<void> {
    const { client, runtime, subscriptions } = this.#deps;
    const nowMs = runtime.clock.nowMs();
    if (nowMs < this.#heldLookAtMs) return;
    this.#heldLookAtMs = nowMs + HELD_LOOK_MS;
    const { due } = deliveryKeys(this.owned.partition);
    const ids = await client.zrangebyscore(due, HELD, "+inf", "LIMIT", this.#heldLooked, HELD_LOOK_PAGE);
    const found = await Promise.all(ids.map((id) => subscriptions.find(id)));
    const resumed = ids.filter((_, index) => (found[index]?.status ?? "ACTIVE") === "ACTIVE");
    if (resumed.length > 0) await this.#release(resumed);
    // What is released leaves the held ones, so that those behind it move up.
    this.#heldLooked = ids.length < HELD_LOOK_PAGE ? 0 : this.#heldLooked + ids.length - resumed.length;
  }

  /** The queues of subscriptions that are active again, or deleted, are looked at by their due times. */
  async #release(ids: readonly string[]): Promise<void> {
    await releaseOpen(this.#deps.runtime.sqlSystem, ids);
    await reindexQueues(
      this.#deps.scripts,
      this.owned,
      ids.flatMap((id) => [id, ""]),
    );
    for (const id of ids) {
      const lane = this.#lanes.get(id);
      if (lane !== undefined) lane.isParked = false;
    }
    this.wake();
  }

  /** Ends the queue of a subscription that was deleted. */
  async #cancel(subscriptionId: string): Promise<void> {
    const tenantId = await tenantOfSubscription(this.#deps.runtime.sqlSystem, subscriptionId);
    if (tenantId === undefined) return reindexQueues(this.#deps.scripts, this.owned, [subscriptionId, HELD]);
    const lane = this.lane(subscriptionId, tenantId);
    const wanted = [{ subscriptionId, count: TAKE_MAX }];
    const [taken = []] = await takeDeliveries(this.#deps, this.owned, wanted, ++this.#takes);
    const members = taken.filter((member) => !lane.held.has(member));
    for (const member of members) lane.held.add(member);
    await this.#load(
      members.map((member) => ({ lane, member })),
      true,
    );
  }

  /** The lease is another's: what waits is forgotten here, because the new owner has it. */
  #abandon(): void {
    clearTimeout(this.#timer);
    for (const lane of this.#lanes.values()) {
      lane.isParked = true;
      this.#deps.fresh.forget(lane);
      for (const delivery of lane.clearWaiting()) {
        lane.held.delete(delivery.member);
        this.#deps.memory.remove(lane, delivery);
      }
    }
  }

  #tidy(): void {
    const nowMs = this.#deps.runtime.clock.nowMs();
    if (nowMs < this.#tidyAtMs) return;
    this.#tidyAtMs = nowMs + IDLE_MS;
    for (const [id, lane] of this.#lanes) {
      const idleMs = lane.isSlow ? IDLE_SLOW_MS : IDLE_MS;
      const isInUse = lane.held.size > 0 || lane.isLoading || lane.blockedUntilMs > nowMs;
      if (isInUse || nowMs - lane.lastUsedMs <= idleMs) continue;
      this.#deps.fresh.forget(lane);
      this.#lanes.delete(id);
    }
  }

  #warn(error: unknown, what: string): void {
    if (this.owned.lease.isHeld())
      this.#deps.runtime.log.warn({ err: error, partition: this.owned.partition }, what);
  }
}
