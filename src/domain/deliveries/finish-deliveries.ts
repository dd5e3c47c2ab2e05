import { publishInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { type HubEvent, isUnwanted, publishHubEvents } from "../events/publish-hub-event.ts";
import { type AttemptRow, insertAttempts } from "./attempt-writer.ts";
import type { DeliveryScripts } from "./delivery-scripts.ts";
import type { FinishedDelivery, OwnedPartition } from "./delivery-work.ts";
import { countFailures, type DisabledSubscription } from "./failure-counts.ts";
import { finishArguments, type FinishedPartition } from "./finish-arguments.ts";
import { deleteOpenDeliveries, type OpenDelivery, writeOpenDeliveries } from "./open-delivery-store.ts";
import { SubscriptionCounters } from "./subscription-counters.ts";

export interface DeliveryFinisherOptions {
  runtime: Runtime;
  scripts: DeliveryScripts;
  /** Redis is a Cluster. */
  isCluster: boolean;
  /** So many attempts are stored, or another process's to repeat. */
  onStored(attempts: number): void;
  /** The delivery is written and booked, or another process's now: it leaves this process's memory. */
  settle(finished: FinishedDelivery): void;
  /** The subscription was disabled by this process: its cache is to forget it at once. */
  onDisabled(disabled: DisabledSubscription): void;
  /** The partition's lease is another's. */
  onFenced(owned: OwnedPartition): void;
  /** Slots that are not held by requests in flight. */
  freeForResults(): number;
  /** Told about each batch: its size and the time from its first delivery to the end of its commit. */
  onBatch(size: number, lagMs: number): void;
}

const BATCH_ROWS_MAX = 500;
/**
 * Every result keeps a slot until it is committed, so under load a write begins as soon as so many rows wait: nearly all
 * slots are then in it or in the one before. A row of 24 costs Postgres a third more than one of 60. Where fewer come,
 * they wait this long for company: a commit is a sync of the disk, and each one delays what others sync.
 */
const WORTH_A_WRITE_ROWS = 28;
/** Where requests that hang hold most slots, the rest of them waits for a commit the sooner. */
const WORTH_A_WRITE_SHARE = 1 / 2;
const GATHER_MS = 8;
/** An ordering key goes on once its delivery is booked. */
const GATHER_ORDERED_MS = 1;
/**
 * What is committed may wait so long for its booking, or for so many others: nobody waits for its end, the next owner
 * would find it in Postgres, and Redis syncs its file at each call.
 */
const BOOK_WAIT_MS = 100;
const BOOK_ROWS = 500;
/** Transactions at a time: while one waits for its commit's sync, the next ones join that sync or are composed. */
const WRITES_MAX = 3;
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
  #timerAtMs = 0;
  #writes = 0;
  /** The last transaction that counts failures. */
  #counting: Promise<unknown> = Promise.resolve();
  #unbooked: FinishedDelivery[] = [];
  #bookTimer: ReturnType<typeof setTimeout> | undefined;
  #bookings = 0;

  constructor(options: DeliveryFinisherOptions) {
    this.#options = options;
    this.#counters = new SubscriptionCounters(options.runtime);
  }

  /** Takes one delivery; it is written with the next batch. */
  add(finished: FinishedDelivery): void {
    if (this.#waiting.length === 0) this.#firstAtMs = performance.now();
    this.#waiting.push(finished);
    const share = this.#options.freeForResults() * WORTH_A_WRITE_SHARE;
    if (this.#waiting.length >= Math.min(WORTH_A_WRITE_ROWS, share)) this.#flush();
    else if (isOrdered(finished)) this.#flushWithin(GATHER_ORDERED_MS);
    else this.#flushWithin(GATHER_MS);
  }

  /** Resolves when everything taken so far is written and booked, or `timeoutMs` is over. */
  async drain(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const isBusy = (): boolean =>
      this.#waiting.length + this.#writes + this.#unbooked.length + this.#bookings > 0;
    while (isBusy() && performance.now() < deadline) {
      this.#flush();
      this.#bookAll();
      await Bun.sleep(5);
    }
    await this.#counters.flush();
  }

  #flushWithin(waitMs: number): void {
    const dueAtMs = performance.now() + waitMs;
    if (this.#timer !== undefined) {
      if (this.#timerAtMs <= dueAtMs) return;
      clearTimeout(this.#timer);
    }
    this.#timerAtMs = dueAtMs;
    this.#timer = setTimeout(() => this.#flush(), waitMs);
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
    const written = await this.#commit(batch);
    this.#writes--;
    onStored(batch.filter(({ attempt }) => attempt !== undefined).length);
    onBatch(written.length, performance.now() - firstAtMs);
    if (this.#waiting.length > 0 && this.#timer === undefined) this.#flush();
    this.#counters.count(written);
    // What is not written is another process's now, and nothing of it is booked here.
    const kept = new Set(written.map(({ delivery }) => delivery));
    for (const one of batch) if (!kept.has(one.delivery)) settle(one);
    this.#unbooked.push(...written);
    if (this.#unbooked.length >= BOOK_ROWS || written.some(isUrgent)) this.#bookAll();
    else this.#bookTimer ??= setTimeout(() => this.#bookAll(), BOOK_WAIT_MS);
  }

  #bookAll(): void {
    clearTimeout(this.#bookTimer);
    this.#bookTimer = undefined;
    const batch = this.#unbooked;
    this.#unbooked = [];
    if (batch.length > 0) void this.#bookBatch(batch);
  }

  async #bookBatch(batch: readonly FinishedDelivery[]): Promise<void> {
    const { isCluster, settle } = this.#options;
    this.#bookings++;
    // Booked before the queue has it, it would be marked as taken for good.
    await Promise.allSettled(new Set(batch.map(({ delivery }) => delivery.enqueued)));
    // What goes back to its queue may be taken again as soon as the queue has it, so memory lets go of it before.
    for (const one of batch) if (!("outcome" in one.leaves)) settle(one);
    const byPartition = [...Map.groupBy(batch, ({ owned }) => owned)];
    // On a Cluster partitions may be on different servers; else one call costs less than one for each.
    const calls = isCluster ? byPartition.map((one) => [one]) : [byPartition];
    await Promise.all(calls.map((partitions) => this.#book(partitions)));
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
          const disabled = await this.#inTurn(() =>
            runtime.sqlSystem.begin((tx) => this.#writeRows(tx, batch)),
          );
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

  /** A success that overtook a failure of its subscription would leave that counted. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#counting.then(write);
    this.#counting = written.catch(() => undefined);
    return written;
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
  async #book(partitions: readonly FinishedPartition[]): Promise<void> {
    const { runtime, scripts, onFenced } = this.#options;
    const { keys, args } = finishArguments(partitions);
    for (;;) {
      try {
        const booked = (await scripts.finish(keys, args)) as number[];
        for (const [index, [owned]] of partitions.entries()) if (booked[index] === -1) onFenced(owned);
        return;
      } catch (error) {
        runtime.log.warn(
          { err: error, partitions: partitions.length },
          "deliveries not booked, trying again",
        );
        await Bun.sleep(RETRY_WAIT_MS);
        if (!partitions.some(([owned]) => owned.lease.isHeld())) return;
      }
    }
  }
}

function isOrdered({ delivery }: FinishedDelivery): boolean {
  return delivery.isOrdered && delivery.event.orderingKey !== undefined;
}

/** The next delivery of its key waits for it, or it is to be taken again. */
function isUrgent(finished: FinishedDelivery): boolean {
  return !("outcome" in finished.leaves) || isOrdered(finished);
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
