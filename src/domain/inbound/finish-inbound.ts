import { isUtf8 } from "node:buffer";
import { ensurePartitionsFor, isMissingPartition } from "../../platform/postgres/partitions.ts";
import { inboundKeys, WORKER_GROUP } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { HeldEntry } from "../../platform/streams/stream-entry.ts";
import { timeOfId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import { type HubEvent, publishHubEvents } from "../events/publish-hub-event.ts";
import { EndpointCounters } from "./endpoint-counters.ts";
import type { FinishedReceipt } from "./finished-receipt.ts";
import { LARGE_BODY_BYTES } from "./large-bodies.ts";
import { type InboundScripts, inboundScripts, receiptMember } from "./inbound-scripts.ts";
import { LEDGER_WORDS } from "./receipt-state.ts";
import {
  deleteProcessedBodies,
  insertDeadLetters,
  insertReceipts,
  updateReceipts,
} from "./receipt-writer.ts";

export interface FinisherOptions {
  runtime: Runtime;
  client: RedisClient;
  /** The entry is out of the stream, or belongs to another worker now: its place in the queue is free. */
  settle(entry: HeldEntry): void;
  /** Told about each batch: receipts in it and the time from its first receipt to the end of its commit. */
  onBatch(size: number, lagMs: number): void;
}

/** A batch is written when it has so many rows, or when its first row has waited so long. */
const BATCH_ROWS_MAX = 500;
const BATCH_WAIT_MS = 40;

/** Transactions at a time: while one waits for its commit's sync, the next is composed. */
const WRITES_MAX = 2;

/** Wait after a failed transaction; nothing is acknowledged meanwhile. */
const RETRY_WAIT_MS = 500;

/**
 * Ends what was processed: receipts and log rows in their final state in one transaction, and only after its commit
 * the entries leave the stream and the books are moved. A death in between repeats both, and both meet themselves.
 */
export class InboundFinisher {
  readonly #options: FinisherOptions;
  readonly #scripts: InboundScripts;
  readonly #counters: EndpointCounters;
  #waiting: FinishedReceipt[] = [];
  #firstAtMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writes = 0;
  #idle: (() => void)[] = [];

  constructor(options: FinisherOptions) {
    this.#options = options;
    this.#scripts = inboundScripts(options.client);
    this.#counters = new EndpointCounters(options.runtime);
  }

  /** Takes one processed receipt; it is written with the next batch. */
  add(receipt: FinishedReceipt): void {
    if (this.#waiting.length === 0) this.#firstAtMs = performance.now();
    this.#waiting.push(receipt);
    if (this.#waiting.length >= BATCH_ROWS_MAX) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_WAIT_MS);
  }

  /** Removes an entry that is none of the hub's own and was never counted. */
  async discard(entry: HeldEntry): Promise<void> {
    const { client, settle } = this.#options;
    const { stream } = inboundKeys(entry.partition);
    try {
      await client.xack(stream, WORKER_GROUP, entry.id);
      await client.xdel(stream, entry.id);
    } finally {
      // Where it failed, the entry is pending still: the sweep brings it back.
      settle(entry);
    }
  }

  /** Resolves when everything taken so far is written, or `timeoutMs` is over. */
  async drain(timeoutMs: number): Promise<void> {
    this.#flush();
    const deadline = performance.now() + timeoutMs;
    while ((this.#writes > 0 || this.#waiting.length > 0) && performance.now() < deadline) {
      await new Promise<void>((resolve) => {
        this.#idle.push(resolve);
        setTimeout(resolve, 100);
      });
    }
    await this.#counters.flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0 && this.#writes < WRITES_MAX) {
      const batch = this.#waiting.splice(0, BATCH_ROWS_MAX);
      this.#writes++;
      void this.#write(batch, this.#firstAtMs).finally(() => {
        this.#writes--;
        for (const resolve of this.#idle.splice(0)) resolve();
        if (this.#waiting.length > 0) this.#flush();
      });
    }
  }

  async #write(batch: readonly FinishedReceipt[], firstAtMs: number): Promise<void> {
    const mine = batch.filter((receipt) => this.#mayFinish(receipt));
    const written = await this.#commit(mine);
    this.#options.onBatch(written.length, performance.now() - firstAtMs);
    await this.#book(written.filter((receipt) => this.#mayFinish(receipt)));
    this.#counters.count(written);
  }

  /** A lost slot's entries are another worker's now; what it makes of them counts. */
  #mayFinish(receipt: FinishedReceipt): boolean {
    if (receipt.entry.session.mayFinish()) return true;
    this.#options.settle(receipt.entry);
    return false;
  }

  /**
   * Commits the batch, as often as it takes while Postgres is away. A row that Postgres will never take is found by
   * halving and parked as a dead letter without the values that it choked on.
   */
  async #commit(batch: readonly FinishedReceipt[]): Promise<FinishedReceipt[]> {
    if (batch.every(({ isStored }) => isStored)) return [...batch];
    const { runtime } = this.#options;
    for (;;) {
      try {
        await runtime.sqlSystem.begin((tx) => this.#writeRows(tx, batch));
        return [...batch];
      } catch (error) {
        const mayBeStored = isMissingPartition(error) && (await this.#makeDays(batch, error));
        if (!mayBeStored && isDataFault(error)) {
          if (batch.length > 1) {
            const middle = batch.length >> 1;
            return [
              ...(await this.#commit(batch.slice(0, middle))),
              ...(await this.#commit(batch.slice(middle))),
            ];
          }
          if (batch[0]!.errorCode !== UNSTORABLE) {
            runtime.log.error(
              { err: error, receiptId: batch[0]!.receipt.id },
              "receipt cannot be stored as it is",
            );
            return this.#commit([unstorable(batch[0]!, error as Error)]);
          }
          // It stays pending and comes back; the place of a writer is needed for the others.
          runtime.log.error(
            { err: error, receiptId: batch[0]!.receipt.id },
            "receipt cannot be stored at all",
          );
          this.#options.settle(batch[0]!.entry);
          return [];
        }
        runtime.log.warn({ err: error, rows: batch.length }, "receipts not written, trying again");
        await Bun.sleep(RETRY_WAIT_MS);
        if (!batch.some((receipt) => receipt.entry.session.mayFinish())) {
          for (const { entry } of batch) this.#options.settle(entry);
          return [];
        }
      }
    }
  }

  /**
   * Makes the days that the batch needs, once an error told that one is missing.
   *
   * @returns true when the batch may be stored with the next try: also while the making fails, because nobody's data
   * is at fault
   */
  async #makeDays(batch: readonly FinishedReceipt[], cause: unknown): Promise<boolean> {
    const { sqlSystem, clock, log } = this.#options.runtime;
    log.error({ err: cause, rows: batch.length }, "day partition of receipts is missing");
    const times = batch.map(({ receipt }) => timeOfId(receipt.id));
    try {
      return await ensurePartitionsFor(sqlSystem, times, clock.nowMs());
    } catch (error) {
      log.error({ err: error }, "day partitions cannot be made");
      return true;
    }
  }

  async #writeRows(tx: Transaction, all: readonly FinishedReceipt[]): Promise<void> {
    const batch = toWrite(all);
    const { config } = this.#options.runtime;
    const dropProcessedBodies = !config.logRequestBodies;
    const fresh = batch.filter(({ isNew }) => isNew);
    await insertReceipts(tx, fresh, { dropProcessedBodies, publicUrl: config.publicUrl });
    await updateReceipts(
      tx,
      batch.filter(({ isNew }) => !isNew),
      { dropProcessedBodies },
    );
    if (dropProcessedBodies) await deleteProcessedBodies(tx, batch);
    await insertDeadLetters(tx, batch);
    await publishHubEvents(tx, batch.filter(({ status }) => status === "PROCESSED").map(receivedEvent));
  }

  /** Takes the entries out of their streams; as long as Redis is away it is tried again. */
  async #book(batch: readonly FinishedReceipt[]): Promise<void> {
    const byPartition = new Map<number, FinishedReceipt[]>();
    for (const receipt of batch) {
      const list = byPartition.get(receipt.entry.partition);
      if (list) list.push(receipt);
      else byPartition.set(receipt.entry.partition, [receipt]);
    }
    await Promise.all(
      [...byPartition].map(([partition, receipts]) => this.#bookPartition(partition, receipts)),
    );
  }

  async #bookPartition(partition: number, receipts: readonly FinishedReceipt[]): Promise<void> {
    const { runtime, settle } = this.#options;
    const keys = inboundKeys(partition);
    for (;;) {
      try {
        await this.#scripts.finish(
          [keys.stream, keys.retry, keys.held, keys.ledger],
          finishArguments(receipts),
        );
        break;
      } catch (error) {
        runtime.log.warn({ err: error, partition }, "entries not booked, trying again");
        await Bun.sleep(RETRY_WAIT_MS);
        if (!receipts.some(({ entry }) => entry.session.mayFinish())) break;
      }
    }
    for (const { entry } of receipts) settle(entry);
  }
}

/** What Postgres is to know, each receipt once: one statement may not touch a row twice. */
function toWrite(receipts: readonly FinishedReceipt[]): FinishedReceipt[] {
  const byId = new Map<string, FinishedReceipt>();
  for (const one of receipts) {
    if (!one.isStored && !byId.has(one.receipt.id)) byId.set(one.receipt.id, one);
  }
  return [...byId.values()];
}

const UNSTORABLE = "receipt_unstorable";

/** Faults of the values themselves (SQLSTATE classes 22, 23, 54; our own writer's): repeating the statement repeats them. */
function isDataFault(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true;
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" && /^(22|23|54)\w{3}$/.test(code);
}

function unstorable(receipt: FinishedReceipt, error: Error): FinishedReceipt {
  return {
    ...receipt,
    receipt: {
      ...receipt.receipt,
      eventId: null,
      eventType: null,
      path: "",
      headers: {},
      sourceIp: null,
      requestId: receipt.receipt.id,
    },
    status: "DEAD",
    nextRetryAtMs: null,
    errorCode: UNSTORABLE,
    errorMessage: error.message,
    output: null,
  };
}

/** `webhook.received` (specification, "Published Events"): endpoint and payload; a large or binary body by reference. */
function receivedEvent({ receipt, integrationId, body, output }: FinishedReceipt): HubEvent {
  const isText = body !== undefined && body.byteLength <= LARGE_BODY_BYTES && isUtf8(body);
  const traceparent = receipt.headers["traceparent"];
  return {
    tenantId: receipt.tenantId,
    type: "webhook.received",
    data: {
      receiptId: receipt.id,
      endpointId: receipt.endpointId,
      integrationId,
      eventId: receipt.eventId,
      eventType: receipt.eventType,
      body: typeof output === "string" ? output : isText ? Buffer.from(body).toString("utf8") : null,
    },
    correlationId: receipt.requestId,
    occurredAt: new Date(timeOfId(receipt.id)),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** Arguments of finish.lua: entries grouped by what becomes of them. */
function finishArguments(receipts: readonly FinishedReceipt[]): (string | number)[] {
  const groups = new Map<
    string,
    { kind: "o" | "r" | "h"; field: string; count: number; values: (string | number)[] }
  >();
  for (const { entry, receipt, status, nextRetryAtMs } of receipts) {
    const word = LEDGER_WORDS[status];
    const kind = word !== undefined ? "o" : status === "HELD" ? "h" : "r";
    const field = word === undefined ? "" : `${receipt.tenantId}/${word}`;
    let group = groups.get(kind + field);
    if (group === undefined) groups.set(kind + field, (group = { kind, field, count: 0, values: [] }));
    group.count++;
    group.values.push(entry.id);
    if (kind !== "o") group.values.push(receiptMember(receipt));
    if (kind === "r") group.values.push(nextRetryAtMs ?? 0);
  }
  const args: (string | number)[] = [WORKER_GROUP, groups.size];
  for (const { kind, field, count, values } of groups.values()) args.push(kind, field, count, ...values);
  return args;
}
