import { senderOf } from "../../platform/egress/runtime-sender.ts";
import { subscribeInvalidation } from "../../platform/invalidation.ts";
import type { Lease } from "../../platform/lease.ts";
import {
  createFastCounter,
  createFastHistogram,
  createGauge,
  type FastCounter,
  LATENCY_BOUNDS_SECONDS,
  SIZE_BOUNDS,
} from "../../platform/metrics.ts";
import { partitionOf } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { PartitionSession } from "../../platform/streams/partition-owners.ts";
import { type CompiledSubscription, SubscriptionCache } from "../subscriptions/subscription-cache.ts";
import { jsonataPoolOf } from "../transformations/runtime-pool.ts";
import { type AttemptDeps, attemptDelivery, type Attempt } from "./attempt-delivery.ts";
import { type DeliveryScripts, deliveryScripts } from "./delivery-scripts.ts";
import type { Delivery, FinishedDelivery, MadeAttempt, OwnedPartition } from "./delivery-work.ts";
import { EventShelf } from "./event-shelf.ts";
import { FreshDeliveries } from "./fresh-deliveries.ts";
import { DeliveryFinisher } from "./finish-deliveries.ts";
import { HeldMemory } from "./held-memory.ts";
import { HostCircuits } from "./host-circuits.ts";
import type { Lane } from "./lane.ts";
import { LaneTurns, SLOTS } from "./lane-turns.ts";
import { nextState } from "./next-state.ts";
import { showParked } from "./parked-queue.ts";
import { SubscriptionAuthorizer } from "./subscription-auth.ts";
import { type PartitionDeps, PartitionDeliveries } from "./partition-deliveries.ts";

type Settings = CompiledSubscription | undefined;

const OUTCOMES = ["delivered", "retrying", "failed", "not_made"] as const;

/** A delivery that could not be made now, through no fault of the receiver, waits so long. */
const NOT_MADE_WAIT_MS = 1_000;

/**
 * Sends deliveries: from the queues of the partitions that this process owns, and straight from the fan-out in the same
 * process, to the receivers and into the log.
 */
export class DeliveryEngine {
  readonly scripts: DeliveryScripts;
  readonly subscriptions: SubscriptionCache;
  readonly #runtime: Runtime;
  readonly #client: RedisClient;
  readonly #memory = new HeldMemory();
  readonly #fresh = new FreshDeliveries();
  readonly #circuits: HostCircuits;
  readonly #turns: LaneTurns;
  readonly #finisher: DeliveryFinisher;
  readonly #attempts: AttemptDeps;
  readonly #outcomes: FastCounter<(typeof OUTCOMES)[number]>;
  readonly #partitions: PartitionDeps;
  /** Lanes that fan-out has filled. */
  readonly #filled = new Set<Lane>();
  readonly #open = new Map<number, PartitionDeliveries>();
  readonly #sessions = new WeakMap<OwnedPartition, PartitionDeliveries>();

  constructor(runtime: Runtime, client: RedisClient) {
    this.#runtime = runtime;
    this.#client = client;
    this.scripts = deliveryScripts(client);
    this.subscriptions = new SubscriptionCache(runtime);
    const { circuitFailureThreshold, circuitTimeoutSeconds } = runtime.config;
    this.#circuits = new HostCircuits({
      failureThreshold: circuitFailureThreshold,
      timeoutSeconds: circuitTimeoutSeconds,
    });
    this.#turns = new LaneTurns({
      nowMs: () => runtime.clock.nowMs(),
      waitMs: (lane, nowMs) => this.#waitMs(lane, nowMs),
      send: (lane, delivery) => void this.#send(lane, delivery),
    });
    const sender = senderOf(runtime);
    this.#attempts = {
      runtime,
      sender,
      authorizer: new SubscriptionAuthorizer({ sender, nowMs: () => runtime.clock.nowMs() }),
      pool: () => jsonataPoolOf(runtime),
    };
    this.#finisher = this.#createFinisher();
    this.#partitions = {
      runtime,
      client,
      scripts: this.scripts,
      subscriptions: this.subscriptions,
      events: new EventShelf(runtime),
      turns: this.#turns,
      memory: this.#memory,
      fresh: this.#fresh,
      finish: (finished) => this.#finisher.add(finished),
    };
    this.#outcomes = createFastCounter(runtime.metrics, {
      name: "hub_delivery_attempts_total",
      help: "Delivery attempts by what came of them",
      label: "outcome",
      values: OUTCOMES,
    });
    this.#registerGauges();
  }

  /** Hears of changed subscriptions. */
  async start(): Promise<void> {
    await subscribeInvalidation(this.#runtime, {
      handlers: { subscription: (name) => this.#changed(name) },
      onReconnect: () => this.subscriptions.clear(),
    });
  }

  /** Begins to send a partition's deliveries. */
  own(partition: number, lease: Lease): PartitionSession {
    const owned: OwnedPartition = { partition, lease, token: String(lease.token) };
    const session = new PartitionDeliveries(this.#partitions, owned);
    this.#open.set(partition, session);
    this.#sessions.set(owned, session);
    lease.ended.addEventListener(
      "abort",
      () => {
        if (this.#open.get(partition) === session) this.#open.delete(partition);
      },
      { once: true },
    );
    return session;
  }

  /** Writes what is finished. Called after the partitions were drained. */
  async drain(timeoutMs: number): Promise<void> {
    await this.#finisher.drain(timeoutMs);
  }

  /** Token of this process's lease on a partition; "" when another process sends its deliveries. */
  token(partition: number): string {
    const session = this.#open.get(partition);
    return session?.isOpen === true ? session.owned.token : "";
  }

  /** The lane of a subscription; undefined when this process does not send its deliveries now. */
  laneOf(partition: number, subscriptionId: string, tenantId: string): Lane | undefined {
    const session = this.#open.get(partition);
    const lane = session?.isOpen === true ? session.lane(subscriptionId, tenantId) : undefined;
    return lane?.isParked === false ? lane : undefined;
  }

  /** True when the lane would take one more delivery into memory now; else it is to wait in its queue. */
  hasRoom(lane: Lane): boolean {
    return !lane.hasMore && this.#memory.room(lane) > 0;
  }

  /** Keeps what sending needs of a delivery that is about to be put into its queue for the first time. */
  keepFresh(lane: Lane, delivery: Delivery): void {
    this.#fresh.add(lane, delivery);
  }

  /** Sends a delivery that is, or is about to be, marked as taken in its queue. */
  accept(partition: number, lane: Lane, delivery: Delivery): void {
    this.#open.get(partition)?.accept(lane, delivery);
    if (lane.held.size * 2 > lane.heldMax) this.#filled.add(lane);
  }

  /** Deliveries of the partition became due. */
  wake(partition: number): void {
    this.#open.get(partition)?.wake();
  }

  /**
   * Waits while fast receivers are taking what fan-out has given them, at most `timeoutMs`: what is handed over costs less
   * than what goes through the queues. Receivers that are slow or hang are not waited for.
   */
  async whilePressed(timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs;
    while (this.#filled.size > 0 && performance.now() < untilMs) {
      const nowMs = this.#runtime.clock.nowMs();
      for (const lane of this.#filled) if (!lane.isFilledAndFlowing(nowMs)) this.#filled.delete(lane);
      if (this.#filled.size > 0) await Bun.sleep(1);
    }
    this.#filled.clear();
  }

  #createFinisher(): DeliveryFinisher {
    const runtime = this.#runtime;
    const sizes = createFastHistogram(runtime.metrics, {
      name: "hub_delivery_batch_size",
      help: "Deliveries written in one transaction",
      bounds: SIZE_BOUNDS,
    });
    const lag = createFastHistogram(runtime.metrics, {
      name: "hub_delivery_write_seconds",
      help: "Time from the first finished delivery of a batch to the end of its commit",
      bounds: LATENCY_BOUNDS_SECONDS,
    });
    return new DeliveryFinisher({
      runtime,
      scripts: this.scripts,
      isCluster: "nodes" in this.#client,
      onStored: (attempts) => this.#turns.free(attempts),
      freeForResults: () => SLOTS - this.#turns.used,
      settle: ({ owned, delivery }) => this.#sessions.get(owned)?.settle(delivery),
      onDisabled: ({ tenantId, subscriptionId }) => this.#changed(`${tenantId}/${subscriptionId}`),
      onFenced: (owned) => {
        runtime.log.warn({ partition: owned.partition }, "partition is another process's");
        if (this.#open.get(owned.partition)?.owned === owned) this.#open.delete(owned.partition);
      },
      onBatch(size, lagMs) {
        sizes.observe(size);
        lag.observe(lagMs / 1000);
      },
    });
  }

  /** @param name `<tenant id>/<subscription id>` */
  #changed(name: string): void {
    this.subscriptions.invalidate(name);
    const subscriptionId = name.slice(name.indexOf("/") + 1);
    const partition = partitionOf(subscriptionId, this.#runtime.config.streamPartitions);
    this.#open
      .get(partition)
      ?.changed(subscriptionId)
      .catch((error: unknown) =>
        this.#runtime.log.warn({ err: error, subscriptionId }, "changed subscription not read"),
      );
  }

  #waitMs(lane: Lane, nowMs: number): number {
    const { subscription } = lane;
    if (subscription === undefined) return NOT_MADE_WAIT_MS;
    const origin = originOf(subscription.url);
    const circuitMs = this.#circuits.waitMs(origin, nowMs);
    if (circuitMs > 0) return circuitMs;
    const rateMs = subscription.rateLimit === undefined ? 0 : lane.rateWaitMs(subscription.rateLimit, nowMs);
    if (rateMs > 0) this.#circuits.withdraw(origin);
    return rateMs;
  }

  /** Makes one attempt and hands its result on. Never rejects. */
  async #send(lane: Lane, delivery: Delivery): Promise<void> {
    const allowedOrigin = lane.subscription === undefined ? undefined : originOf(lane.subscription.url);
    const settings = this.#currentSettings(lane);
    const found = settings instanceof Promise ? await settings : settings;
    const session = this.#sessions.get(lane.owned);
    // The host that was asked for is not the one that is tried: nobody would tell its circuit of an end.
    if (allowedOrigin !== undefined && (found === undefined || originOf(found.url) !== allowedOrigin))
      this.#circuits.withdraw(allowedOrigin);
    if (found === undefined) {
      this.#giveUpSlot(lane, delivery);
      this.#leave(lane, delivery, { dueMs: "now" });
      session?.hold(lane);
      return;
    }
    const origin = originOf(found.url);
    const attempt = await attemptDelivery(this.#attempts, found, delivery, () => lane.owned.lease.isHeld());
    const nowMs = this.#runtime.clock.nowMs();
    if ("notMadeBecause" in attempt) {
      this.#circuits.withdraw(origin);
      this.#giveUpSlot(lane, delivery);
      this.#outcomes.inc("not_made");
      this.#leave(lane, delivery, { dueMs: nowMs + (attempt.waitMs ?? NOT_MADE_WAIT_MS) });
      return;
    }
    this.#circuits.end(origin, !attempt.pathFailed, nowMs);
    lane.learn(
      {
        timedOut: attempt.timedOut,
        throttledForMs: attempt.throttledForMs,
        elapsedMs: attempt.facts.responseStatus === null ? undefined : (attempt.facts.responseTimeMs ?? 0),
      },
      nowMs,
    );
    this.#turns.end(lane, delivery);
    session?.refill(lane);
    this.#finish(lane, delivery, this.#madeAttempt(lane, delivery, attempt));
  }

  /** Nothing was sent: there is no result to be stored. */
  #giveUpSlot(lane: Lane, delivery: Delivery): void {
    this.#turns.end(lane, delivery);
    this.#turns.free(1);
  }

  /** The subscription as it is now; undefined when it is paused, disabled or deleted. */
  #currentSettings(lane: Lane): Settings | Promise<Settings> {
    const take = (subscription: CompiledSubscription | undefined): Settings => {
      if (subscription === undefined || subscription.status !== "ACTIVE") return undefined;
      lane.subscription = subscription;
      return subscription;
    };
    const found = this.subscriptions.find(lane.subscriptionId);
    // With Postgres away what was known last serves on.
    return found instanceof Promise ? found.then(take, () => lane.subscription) : take(found);
  }

  #madeAttempt(lane: Lane, delivery: Delivery, attempt: Attempt): MadeAttempt {
    const next = nextState(
      attempt.outcome,
      delivery.attempts + 1,
      lane.subscription!,
      this.#runtime.clock.nowMs(),
      Math.random(),
    );
    return { facts: attempt.facts, next, gone: attempt.gone };
  }

  #finish(lane: Lane, delivery: Delivery, attempt: MadeAttempt): void {
    const { next } = attempt;
    const isDelivered = next.status === "DELIVERED";
    const { mayHaveFailures } = lane;
    lane.mayHaveFailures = !isDelivered;
    this.#outcomes.inc(isDelivered ? "delivered" : next.status === "RETRYING" ? "retrying" : "failed");
    if (next.status === "RETRYING" && delivery.isOrdered && delivery.event.orderingKey !== undefined) {
      void showParked(this.#runtime, this.#client, lane, delivery.event.orderingKey);
    }
    const leaves: FinishedDelivery["leaves"] =
      next.status === "RETRYING"
        ? { dueMs: next.nextRetryAtMs }
        : { outcome: isDelivered ? "delivered" : "failed" };
    this.#finisher.add({
      owned: lane.owned,
      tenantId: lane.tenantId,
      delivery,
      attempt,
      leaves,
      mayClearFailures: mayHaveFailures,
    });
  }

  #leave(lane: Lane, delivery: Delivery, leaves: FinishedDelivery["leaves"]): void {
    const { owned, tenantId } = lane;
    this.#finisher.add({ owned, tenantId, delivery, attempt: undefined, leaves, mayClearFailures: false });
  }

  #registerGauges(): void {
    const { metrics } = this.#runtime;
    createGauge(metrics, {
      name: "hub_deliveries_in_memory",
      help: "Deliveries that worker processes hold: waiting, in flight and being written",
      read: () => [{ value: this.#memory.count }],
    });
    createGauge(metrics, {
      name: "hub_deliveries_in_flight",
      help: "Delivery requests under way",
      read: () => [{ value: this.#turns.used }],
    });
    createGauge(metrics, {
      name: "hub_delivery_hosts_open",
      help: "Destination hosts that are not tried because name, connection or TLS failed in a row",
      read: () => [{ value: this.#circuits.openCount(this.#runtime.clock.nowMs()) }],
    });
  }
}

const origins = new Map<string, string>();
const ORIGINS_MAX = 10_000;

/** Scheme, host and port of a URL; remembered, because parsing costs more than the rest of the look-up. */
function originOf(url: string): string {
  let origin = origins.get(url);
  if (origin === undefined) {
    if (origins.size >= ORIGINS_MAX) origins.clear();
    origins.set(url, (origin = URL.canParse(url) ? new URL(url).origin : url));
  }
  return origin;
}

const engines = new WeakMap<Runtime, DeliveryEngine>();

/** Makes this process's engine known to the fan-out in it. */
export function registerEngine(runtime: Runtime, engine: DeliveryEngine): void {
  engines.set(runtime, engine);
}

/** The engine of this process; undefined in one that does not send. */
export function engineOf(runtime: Runtime): DeliveryEngine | undefined {
  return engines.get(runtime);
}
