import { eventKeys, eventOwnerKey } from "../../platform/redis/keys.ts";
import { bindScript, type RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { announceStored } from "../events/announce-stored.ts";
import { insertEvents } from "../events/store.ts";
import type { EventMessage, EventOutcome } from "../events/topics.ts";
import type { OwnedPartition } from "./delivery-work.ts";
import { insertDeadEvent } from "./fan-out-store.ts";
import lua from "./finish-events.lua" with { type: "text" };

/** An event whose deliveries stand in their queues. */
export interface FannedOutEvent {
  owned: OwnedPartition;
  /** Stream id of its entry. */
  entryId: string;
  message: EventMessage;
  data: string | undefined;
  outcome: EventOutcome;
  /** Its row stands already. */
  isStored: boolean;
  /** Subscriptions that it was given to. */
  matched: number;
}

const BATCH_ROWS_MAX = 500;
const BATCH_WAIT_MS = 5;
const WRITES_MAX = 2;
const RETRY_WAIT_MS = 500;

/** Writes the rows of events that are fanned out, and only after the commit takes their entries out of the streams. */
export class EventFinisher {
  readonly #runtime: Runtime;
  readonly #finish: ReturnType<typeof bindScript>;
  #waiting: FannedOutEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writes = 0;
  #unfinished = 0;

  constructor(runtime: Runtime, client: RedisClient) {
    this.#runtime = runtime;
    this.#finish = bindScript(client, { name: "hubEventsFinish", lua });
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
    while (this.#waiting.length > 0 && this.#writes < WRITES_MAX) {
      const batch = this.#waiting.splice(0, BATCH_ROWS_MAX);
      this.#writes++;
      void this.#write(batch).finally(() => {
        this.#writes--;
        this.#unfinished -= batch.length;
        if (this.#waiting.length > 0) this.#flush();
      });
    }
  }

  async #write(batch: readonly FannedOutEvent[]): Promise<void> {
    const written = await this.#commit(batch);
    const byPartition = Map.groupBy(written, ({ owned }) => owned);
    await Promise.all([...byPartition].map(([owned, events]) => this.#book(owned, events)));
    announceStored(
      this.#runtime,
      written.map(({ message }) => message),
    );
  }

  async #commit(batch: readonly FannedOutEvent[]): Promise<FannedOutEvent[]> {
    const { log, sqlSystem } = this.#runtime;
    for (;;) {
      try {
        await sqlSystem.begin((tx) => this.#writeRows(tx, batch));
        return [...batch];
      } catch (error) {
        if (/^(22|23|54)\w{3}$/.test(String((error as { code?: unknown }).code))) {
          if (batch.length > 1) {
            const middle = batch.length >> 1;
            const first = await this.#commit(batch.slice(0, middle));
            return [...first, ...(await this.#commit(batch.slice(middle)))];
          }
          const [event] = batch as [FannedOutEvent];
          log.error({ err: error, eventId: event.message.id }, "event cannot be stored");
          await insertDeadEvent(sqlSystem, { ...event, reason: (error as Error).message }).catch(
            (failure: unknown) => log.error({ err: failure }, "dead event not written"),
          );
          return [{ ...event, outcome: "dead" }];
        }
        log.warn({ err: error, rows: batch.length }, "events not written, trying again");
        await Bun.sleep(RETRY_WAIT_MS);
        if (!batch.some(({ owned }) => owned.lease.isHeld())) return [];
      }
    }
  }

  async #writeRows(tx: Transaction, batch: readonly FannedOutEvent[]): Promise<void> {
    await insertEvents(
      tx,
      batch.filter(({ isStored }) => !isStored),
    );
  }

  async #book(owned: OwnedPartition, events: readonly FannedOutEvent[]): Promise<void> {
    const { stream, ledger } = eventKeys(owned.partition);
    const byField = Map.groupBy(events, ({ message, outcome }) => `${message.tenantId}/${outcome}`);
    const args: (string | number)[] = [owned.token, byField.size];
    for (const [field, group] of byField)
      args.push(field, group.length, ...group.map(({ entryId }) => entryId));
    for (;;) {
      try {
        await this.#finish([eventOwnerKey(owned.partition), stream, ledger], args);
        return;
      } catch (error) {
        this.#runtime.log.warn({ err: error, partition: owned.partition }, "events not booked, trying again");
        await Bun.sleep(RETRY_WAIT_MS);
        if (!owned.lease.isHeld()) return;
      }
    }
  }
}
