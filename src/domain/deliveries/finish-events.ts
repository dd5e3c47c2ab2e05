import { ensurePartitionsFor, isMissingPartition } from "../../platform/postgres/partitions.ts";
import { eventKeys, eventOwnerKey } from "../../platform/redis/keys.ts";
import { bindScript, type RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { announceStored } from "../events/announce-stored.ts";
import { insertEvents } from "../events/store.ts";
import type { EventMessage, EventOutcome } from "../events/topics.ts";
import type { OwnedPartition } from "./delivery-work.ts";
import { type DeadEvent, insertDeadEvent } from "./fan-out-store.ts";
import lua from "./finish-events.lua" with { type: "text" };

/** An event whose deliveries stand in their queues, or that has none because it is dead. */
export interface FannedOutEvent {
  owned: OwnedPartition;
  /** Stream id of its entry. */
  entryId: string;
  message: EventMessage;
  data: string | undefined;
  outcome: EventOutcome;
  /** Of a dead one: then a dead letter is written, and no row. */
  death?: Pick<DeadEvent, "reasonCode" | "reason">;
  /** Its row stands already. */
  isStored: boolean;
  /** Subscriptions that it was given to. */
  matched: number;
}

/** What is to be booked in one partition. */
type WrittenPartition = readonly [owned: OwnedPartition, events: readonly FannedOutEvent[]];

const BATCH_ROWS_MAX = 500;
const BATCH_WAIT_MS = 5;
const RETRY_WAIT_MS = 500;
/** An event that neither table takes waits so long for its next try, and the others go on meanwhile. */
const TAKE_AGAIN_MS = 2_000;

/** Data exceptions, broken constraints and exceeded limits: the row's own fault, not the server's. */
const FAULT_OF_ROW = /^(?:22|23|54)/;

/** Writes the rows of events that are fanned out, and only after the commit takes their entries out of the streams. */
export class EventFinisher {
  readonly #runtime: Runtime;
  readonly #finish: ReturnType<typeof bindScript>;
  readonly #isCluster: boolean;
  #waiting: FannedOutEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isWriting = false;
  #unfinished = 0;

  constructor(runtime: Runtime, client: RedisClient) {
    this.#runtime = runtime;
    this.#finish = bindScript(client, { name: "hubEventsFinish", lua });
    this.#isCluster = "nodes" in client;
  }

  /** Events that were taken and not yet written. */
  get unfinished(): number {
    return this.#unfinished;
  }

  add(event: FannedOutEvent): void {
    this.#unfinished++;
    this.#waiting.push(event);
    if (this.#waiting.length >= BATCH_ROWS_MAX) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_WAIT_MS);
  }

  /** Writes one event's row now. @throws when Postgres is away */
  async store(message: EventMessage, data: string | undefined): Promise<void> {
    await this.#runtime.sqlSystem.begin((tx) => insertEvents(tx, [{ message, data }]));
  }

  /** Resolves when everything taken so far is written, or `timeoutMs` is over. */
  async drain(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    this.#flush();
    while (this.#unfinished > 0 && performance.now() < deadline) await Bun.sleep(5);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // One at a time: what comes meanwhile goes together, and a row of many costs less.
    if (this.#waiting.length === 0 || this.#isWriting) return;
    const batch = this.#waiting.splice(0, BATCH_ROWS_MAX);
    this.#isWriting = true;
    void this.#write(batch).finally(() => {
      this.#isWriting = false;
      this.#unfinished -= batch.length;
      this.#flush();
    });
  }

  async #write(batch: readonly FannedOutEvent[]): Promise<void> {
    const written = await this.#commit(batch);
    const byPartition = [...Map.groupBy(written, ({ owned }) => owned)];
    // On a Cluster partitions may be on different servers; else one call costs less than one for each.
    const calls = this.#isCluster ? byPartition.map((one) => [one]) : [byPartition];
    await Promise.all(calls.map((partitions) => this.#book(partitions)));
    announceStored(
      this.#runtime,
      written.filter(({ outcome }) => outcome !== "dead").map(({ message }) => message),
    );
  }

  async #commit(batch: readonly FannedOutEvent[]): Promise<FannedOutEvent[]> {
    const { log, sqlSystem } = this.#runtime;
    for (;;) {
      try {
        // One statement is a transaction of its own and saves the two round trips around it.
        if (batch.every(isRowOnly)) await insertEvents(sqlSystem, batch);
        else await sqlSystem.begin((tx) => writeRows(tx, batch));
        return [...batch];
      } catch (error) {
        const mayBeStored = isMissingPartition(error) && (await this.#makeDays(batch, error));
        if (!mayBeStored && FAULT_OF_ROW.test(String((error as { code?: unknown }).code))) {
          if (batch.length === 1) return this.#bury(batch[0]!, error as Error);
          const middle = batch.length >> 1;
          const first = await this.#commit(batch.slice(0, middle));
          return [...first, ...(await this.#commit(batch.slice(middle)))];
        }
        log.warn({ err: error, rows: batch.length }, "events not written, trying again");
        await Bun.sleep(RETRY_WAIT_MS);
        if (!batch.some(({ owned }) => owned.lease.isHeld())) return [];
      }
    }
  }

  /** The end of an event whose row is refused. @returns nothing when the dead letter is refused too */
  async #bury(event: FannedOutEvent, cause: Error): Promise<FannedOutEvent[]> {
    const { log, sqlSystem } = this.#runtime;
    const eventId = event.message.id;
    try {
      const death = event.death ?? { reasonCode: "event_unstorable", reason: cause.message };
      log.error({ err: cause, eventId }, "event cannot be stored");
      await insertDeadEvent(sqlSystem, { ...event, ...death });
      return [{ ...event, outcome: "dead" }];
    } catch (error) {
      // Its entry stays in the stream, for this owner's next try or the next owner's.
      log.error({ err: error, eventId }, "dead event not written");
      setTimeout(() => event.owned.lease.isHeld() && this.add(event), TAKE_AGAIN_MS).unref();
      return [];
    }
  }

  /**
   * Makes the days that the batch needs, once an error told that one is missing.
   *
   * @returns true when the next try may store it: also while the making fails, because nobody's data is at fault
   */
  async #makeDays(batch: readonly FannedOutEvent[], cause: unknown): Promise<boolean> {
    const { sqlSystem, clock, log } = this.#runtime;
    log.error({ err: cause, rows: batch.length }, "day partition of events is missing");
    const times = batch.map(({ message }) => message.acceptedAt);
    try {
      return await ensurePartitionsFor(sqlSystem, times, clock.nowMs());
    } catch (error) {
      log.error({ err: error }, "day partitions cannot be made");
      return true;
    }
  }

  async #book(partitions: readonly WrittenPartition[]): Promise<void> {
    if (partitions.length === 0) return;
    const keys: string[] = [];
    const args: (string | number)[] = [];
    for (const [{ partition, token }, events] of partitions) {
      const { stream, ledger } = eventKeys(partition);
      keys.push(eventOwnerKey(partition), stream, ledger);
      const byField = Map.groupBy(events, ({ message, outcome }) => `${message.tenantId}/${outcome}`);
      args.push(token, byField.size);
      for (const [field, group] of byField)
        args.push(field, group.length, ...group.map(({ entryId }) => entryId));
    }
    for (;;) {
      try {
        await this.#finish(keys, args);
        return;
      } catch (error) {
        this.#runtime.log.warn(
          { err: error, partitions: partitions.length },
          "events not booked, trying again",
        );
        await Bun.sleep(RETRY_WAIT_MS);
        if (!partitions.some(([owned]) => owned.lease.isHeld())) return;
      }
    }
  }
}

/** Its row is all there is to write: no dead letter, and no large data that moves. */
function isRowOnly({ message, isStored, death }: FannedOutEvent): boolean {
  return !isStored && death === undefined && message.largeBodyId === undefined;
}

async function writeRows(tx: Transaction, batch: readonly FannedOutEvent[]): Promise<void> {
  await insertEvents(
    tx,
    batch.filter(({ isStored, death }) => !isStored && death === undefined),
  );
  for (const event of batch)
    if (event.death !== undefined) await insertDeadEvent(tx, { ...event, ...event.death });
}
