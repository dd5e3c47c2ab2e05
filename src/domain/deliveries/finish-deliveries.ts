import { publishInvalidation } from "../../platform/invalidation.ts";
import { deliveryKeys, deliveryOrderKey, deliveryQueueKey } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { type HubEvent, isUnwanted, publishHubEvents } from "../events/publish-hub-event.ts";
import { type AttemptRow, insertAttempts } from "./attempt-writer.ts";
import { hashOrder } from "./delivery-id.ts";
import type { DeliveryScripts } from "./delivery-scripts.ts";
import type { FinishedDelivery, OwnedPartition } from "./delivery-work.ts";
import { countFailures, type DisabledSubscription } from "./failure-counts.ts";
import { deleteOpenDeliveries, type OpenDelivery, writeOpenDeliveries } from "./open-delivery-store.ts";
import { BLOCKED, HELD } from "./scores.ts";
import { SubscriptionCounters } from "./subscription-counters.ts";

export interface DeliveryFinisherOptions {
  runtime: Runtime;
  scripts: DeliveryScripts;
  /** So many attempts are stored, or another process's to repeat. */
  onStored(attempts: number): void;
  /** The delivery is written and booked, or another process's now: it leaves this process's memory. */
  settle(finished: FinishedDelivery): void;
  /** The subscription was disabled by this process: its cache is to forget it at once. */
  onDisabled(disabled: DisabledSubscription): void;
  /** The partition's lease is another's. */
  onFenced(owned: OwnedPartition): void;
  /** Told about each batch: its size and the time from its first delivery to the end of its commit. */
  onBatch(size: number, lagMs: number): void;
}

const BATCH_ROWS_MAX = 500;
/**
 * Every result keeps a slot until it is committed, so little is waited for: this long for company while nothing is being
 * written, and for so many rows while something is.
 */
const GATHER_MS = 2;
const WORTH_A_WRITE_ROWS = 24;
/** Transactions at a time: while one waits for its commit's sync, the next is composed. */
const WRITES_MAX = 2;
const RETRY_WAIT_MS = 500;

/**
 * Ends what was attempted: attempts, open deliveries, failure counts and hub events in one transaction, and only after
 * its commit the queues are moved. A death in between leaves the delivery taken; its next owner finds the attempt in
 * Postgres and books it.
 */
export class DeliveryFinisher {
  readonly #options: DeliveryFinisherOptions;
  readonly #counters: SubscriptionCounters;
  #waiting: FinishedDelivery[] = [];
  #firstAtMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writes = 0;
  #bookings = 0;

  constructor(options: DeliveryFinisherOptions) {
    this.#options = options;
    this.#counters = new SubscriptionCounters(options.runtime);
  }

  /** Takes one delivery; it is written with the next batch. */
  add(finished: FinishedDelivery): void {
    if (this.#waiting.length === 0) this.#firstAtMs = performance.now();
    this.#waiting.push(finished);
    if (this.#waiting.length >= WORTH_A_WRITE_ROWS) this.#flush();
    else if (this.#writes === 0) this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** Resolves when everything taken so far is written, or `timeoutMs` is over. */
  async drain(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    this.#flush();
    const isBusy = (): boolean => this.#writes > 0 || this.#bookings > 0 || this.#waiting.length > 0;
    while (isBusy() && performance.now() < deadline) await Bun.sleep(5);
    await this.#counters.flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0 && this.#writes < WRITES_MAX) {
      const batch = this.#waiting.splice(0, BATCH_ROWS_MAX);
      const firstAtMs = this.#firstAtMs;
      this.#firstAtMs = performance.now();
      void this.#write(batch, firstAtMs);
    }
  }

  async #write(batch: readonly FinishedDelivery[], firstAtMs: number): Promise<void> {
    const { onBatch, onStored, settle } = this.#options;
    this.#writes++;
    this.#bookings++;
    const written = await this.#commit(batch);
    this.#writes--;
    onStored(batch.filter(({ attempt }) => attempt !== undefined).length);
    onBatch(written.length, performance.now() - firstAtMs);
    if (this.#writes === 0 || this.#waiting.length >= WORTH_A_WRITE_ROWS) this.#flush();
    this.#counters.count(written);
    // Booked before the queue has it, it would be marked as taken for good.
    await Promise.allSettled(new Set(batch.map(({ delivery }) => delivery.enqueued)));
    // What goes back to its queue may be taken again as soon as the queue has it, so memory lets go of it before.
    for (const one of batch) if (!("outcome" in one.leaves)) settle(one);
    const byPartition = Map.groupBy(written, ({ owned }) => owned);
    await Promise.all([...byPartition].map(([owned, group]) => this.#book(owned, group)));
    for (const one of batch) if ("outcome" in one.leaves) settle(one);
    this.#bookings--;
  }

  /** Commits the batch, as often as it takes while Postgres is away; what Postgres will never take is found by halving. */
  async #commit(batch: readonly FinishedDelivery[]): Promise<FinishedDelivery[]> {
    const { runtime } = this.#options;
    if (batch.every(isBookingOnly)) return [...batch];
    for (;;) {
      try {
        // One statement is a transaction of its own and saves the two round trips around it.
        if (batch.every(isAttemptOnly)) await insertAttempts(runtime.sqlSystem, batch.flatMap(attemptRow));
        else {
          const disabled = await runtime.sqlSystem.begin((tx) => this.#writeRows(tx, batch));
          await this.#announce(disabled as DisabledSubscription[]);
        }
        return [...batch];
      } catch (error) {
        if (isDataFault(error)) {
          if (batch.length > 1) {
            const middle = batch.length >> 1;
            const first = await this.#commit(batch.slice(0, middle));
            return [...first, ...(await this.#commit(batch.slice(middle)))];
          }
          // Without what the receiver answered: the attempt itself is to be seen.
          const bare = withoutAnswer(batch[0]!);
          runtime.log.error(
            { err: error, deliveryId: bare.delivery.id },
            "attempt cannot be stored as it is",
          );
          if (bare === batch[0]) return [bare];
          return this.#commit([bare]);
        }
        runtime.log.warn({ err: error, rows: batch.length }, "attempts not written, trying again");
        await Bun.sleep(RETRY_WAIT_MS);
        // Another owner repeats what this process could not write.
        if (!batch.some(({ owned }) => owned.lease.isHeld())) return [];
      }
    }
  }

  async #writeRows(tx: Transaction, batch: readonly FinishedDelivery[]): Promise<DisabledSubscription[]> {
    const attempts = batch.flatMap(attemptRow);
    // The answer to an earlier commit was lost: what is counted and announced stands already.
    if ((await insertAttempts(tx, attempts)) === 0 && attempts.length > 0) return [];
    await writeOpenDeliveries(tx, batch.flatMap(openRow));
    await deleteOpenDeliveries(
      tx,
      batch
        .filter(({ delivery, leaves }) => delivery.isOpen && "outcome" in leaves)
        .map(({ delivery }) => delivery.id),
    );
    await countReplays(tx, batch);
    const disabled = await countFailures(tx, this.#options.runtime, batch);
    await publishHubEvents(tx, batch.flatMap(hubEvent));
    return disabled;
  }

  async #announce(disabled: readonly DisabledSubscription[]): Promise<void> {
    const { runtime } = this.#options;
    for (const one of disabled) {
      const { tenantId, subscriptionId, reason } = one;
      this.#options.onDisabled(one);
      runtime.log.warn({ tenantId, subscriptionId, reason }, "subscription disabled");
      await publishInvalidation(runtime, "subscription", `${tenantId}/${subscriptionId}`).catch(
        (error: unknown) => runtime.log.warn({ err: error, subscriptionId }, "change was not announced"),
      );
    }
  }

  /** Moves the queues; as long as Redis is away it is tried again. */
  async #book(owned: OwnedPartition, batch: readonly FinishedDelivery[]): Promise<void> {
    const { runtime, scripts, onFenced } = this.#options;
    const { keys, args } = finishArguments(owned, batch);
    for (;;) {
      try {
        if (Number(await scripts.finish(keys, args)) === -1) onFenced(owned);
        return;
      } catch (error) {
        runtime.log.warn({ err: error, partition: owned.partition }, "deliveries not booked, trying again");
        await Bun.sleep(RETRY_WAIT_MS);
        if (!owned.lease.isHeld()) return;
      }
    }
  }
}

/** Nothing to write: it goes back to its queue, or Postgres has it already. */
function isBookingOnly({ attempt, delivery, leaves }: FinishedDelivery): boolean {
  return attempt === undefined && (!delivery.isOpen || !("outcome" in leaves));
}

/** A first try that succeeded, of which nobody wants to be told: its row is all there is to write. */
function isAttemptOnly({ tenantId, delivery, attempt, mayClearFailures }: FinishedDelivery): boolean {
  return (
    attempt?.next.status === "DELIVERED" &&
    !delivery.isOpen &&
    delivery.replayId === undefined &&
    !mayClearFailures &&
    isUnwanted(tenantId, "webhook.delivered")
  );
}

/** Faults of the values themselves (SQLSTATE classes 22, 23, 54; our own writer's): repeating the statement repeats them. */
function isDataFault(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true;
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" && /^(22|23|54)\w{3}$/.test(code);
}

function withoutAnswer(finished: FinishedDelivery): FinishedDelivery {
  const { attempt } = finished;
  if (attempt === undefined || attempt.facts.responseHeaders === null) return finished;
  const facts = { ...attempt.facts, responseHeaders: null, responseBody: null, requestBody: null };
  return { ...finished, attempt: { ...attempt, facts } };
}

function attemptRow({ delivery, tenantId, attempt }: FinishedDelivery): AttemptRow[] {
  if (attempt === undefined) return [];
  const { event, trigger, replayId } = delivery;
  return [
    {
      ...attempt.facts,
      deliveryId: delivery.id,
      tenantId,
      subscriptionId: delivery.subscriptionId,
      eventId: event.id,
      eventType: event.type,
      eventCreatedAtMs: event.createdAtMs,
      payload: null,
      attemptNumber: delivery.attempts + 1,
      next: attempt.next,
      trigger,
      replayId: replayId ?? null,
      correlationId: event.correlationId ?? null,
      traceparent: event.traceparent ?? null,
    },
  ];
}

function openRow({ delivery, tenantId, attempt }: FinishedDelivery): OpenDelivery[] {
  if (attempt?.next.status !== "RETRYING") return [];
  const { event } = delivery;
  return [
    {
      id: delivery.id,
      tenantId,
      subscriptionId: delivery.subscriptionId,
      eventId: event.id,
      eventCreatedAtMs: event.createdAtMs,
      eventType: event.type,
      orderingKey: event.orderingKey ?? null,
      replayId: delivery.replayId ?? null,
      attemptCount: delivery.attempts + 1,
      status: "RETRYING",
      nextRetryAtMs: attempt.next.nextRetryAtMs,
      errorCode: attempt.facts.errorCode,
      errorMessage: attempt.facts.errorMessage,
    },
  ];
}

/**
 * Progress of replays: how the deliveries that they sent again ended. What is booked without an attempt was counted with
 * its attempt, or cancelled.
 */
async function countReplays(tx: Transaction, batch: readonly FinishedDelivery[]): Promise<void> {
  const ended = batch.filter(
    ({ delivery, attempt, leaves }) =>
      attempt !== undefined && delivery.replayId !== undefined && "outcome" in leaves,
  );
  if (ended.length === 0) return;
  const byReplay = Map.groupBy(ended, ({ delivery }) => delivery.replayId!);
  for (const [replayId, deliveries] of byReplay) {
    const count = (outcome: string): number =>
      deliveries.filter(({ leaves }) => "outcome" in leaves && leaves.outcome === outcome).length;
    await tx`
      update replay_jobs
      set delivered = delivered + ${count("delivered")}, failed = failed + ${count("failed")}, updated_at = now()
      where id = ${replayId}`;
  }
}

/** `webhook.delivered` and `webhook.failed`, once a delivery ended; not for deliveries of such events themselves. */
function hubEvent({ delivery, tenantId, attempt, leaves }: FinishedDelivery): HubEvent[] {
  if (attempt === undefined || !("outcome" in leaves) || leaves.outcome === "cancelled") return [];
  const { event } = delivery;
  if (event.type.startsWith("webhook.")) return [];
  const { responseStatus, responseTimeMs, errorCode, errorMessage } = attempt.facts;
  const data = {
    deliveryId: delivery.id,
    subscriptionId: delivery.subscriptionId,
    eventId: event.id,
    eventType: event.type,
    attempts: delivery.attempts + 1,
    responseStatus,
    responseTimeMs,
    ...(leaves.outcome === "failed" ? { errorCode, errorMessage } : {}),
  };
  return [
    {
      tenantId,
      type: leaves.outcome === "delivered" ? "webhook.delivered" : "webhook.failed",
      data,
      ...(event.correlationId === undefined ? {} : { correlationId: event.correlationId }),
      ...(event.traceparent === undefined ? {} : { traceparent: event.traceparent }),
    },
  ];
}

/** Keys and arguments of finish.lua. */
function finishArguments(
  { partition, token }: OwnedPartition,
  batch: readonly FinishedDelivery[],
): { keys: string[]; args: (string | number)[] } {
  const { owner, due, ledger } = deliveryKeys(partition);
  const keys = [owner, due, ledger];
  const bySubscription = Map.groupBy(batch, ({ delivery }) => delivery.subscriptionId);
  const args: (string | number)[] = [token, BLOCKED, HELD, bySubscription.size];
  for (const [subscriptionId, group] of bySubscription) {
    const queue = keys.push(deliveryQueueKey(partition, subscriptionId));
    args.push(subscriptionId, group[0]!.tenantId, queue, group.length);
    const orderKeys = new Map<string, number>();
    for (const { delivery, leaves } of group) {
      let order = 0;
      const { orderingKey } = delivery.event;
      if (delivery.isOrdered && orderingKey !== undefined) {
        order =
          orderKeys.get(orderingKey) ??
          keys.push(deliveryOrderKey(partition, hashOrder(subscriptionId, orderingKey)));
        orderKeys.set(orderingKey, order);
      }
      const dueMs = "outcome" in leaves ? "" : leaves.dueMs === "now" ? "n" : leaves.dueMs;
      args.push(delivery.member, "outcome" in leaves ? leaves.outcome : "", dueMs, order);
    }
  }
  return { keys, args };
}
