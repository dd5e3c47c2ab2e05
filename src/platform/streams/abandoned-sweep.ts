import type { Logger } from "../log.ts";
import { workerLeaseKey } from "../redis/keys.ts";
import { bindScript, type RedisClient } from "../redis/script.ts";
import { type AbandonedEntries, type PendingEntry, sortAbandoned } from "./abandoned.ts";
import { slotOfConsumer } from "./consumer-slot.ts";
import dropConsumerLua from "./drop-consumer.lua" with { type: "text" };
import type { ConsumerSession, HeldEntry, RawEntry } from "./stream-entry.ts";

interface SweepOptions {
  client: RedisClient;
  group: string;
  streams: readonly string[];
  log: Logger;
  /** Takes places in the process's queue; fewer than wanted when it is full. */
  reserve(wanted: number): number;
  release(count: number): void;
  take(
    session: ConsumerSession,
    partition: number,
    raw: readonly RawEntry[],
    deliveries: number,
  ): HeldEntry[];
  onEntries(entries: HeldEntry[]): void;
  onCrashed(entry: HeldEntry): void;
  whenSettled(entry: HeldEntry): Promise<void>;
  stopping(): boolean;
}

/** Entries looked at in one partition and sweep. */
const PENDING_COUNT = 256;
/**
 * An entry must have lain this long: it keeps a second claimer off what a first one has just taken, and a read whose
 * answer is still on its way off the list. The dead worker's lease alone has lasted longer.
 */
const IDLE_MIN_MS = 1_000;
/** Sweeps between two looks for names of consumers that are gone. */
const DROP_EVERY = 60;

interface Suspect {
  session: ConsumerSession;
  partition: number;
  entry: PendingEntry;
}

/** Takes over what dead workers, and lost answers to this one, left pending. */
export class AbandonedSweep {
  readonly #options: SweepOptions;
  readonly #dropConsumer: (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;
  #sweeps = 0;
  #ownIsForeign = true;
  #lane: Promise<void> | undefined;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#dropConsumer = bindScript(options.client, { name: "hubDropConsumer", lua: dropConsumerLua });
  }

  /** Until the next sweep's end, entries under the own name are a former holder's. */
  sessionOpened(): void {
    this.#ownIsForeign = true;
  }

  /** Resolves when the suspect lane is empty. */
  async stopped(): Promise<void> {
    await this.#lane;
  }

  /** One look at all partitions. */
  async run(session: ConsumerSession): Promise<void> {
    const { client, streams, group } = this.#options;
    const own = session.slot.consumer;
    const ownIsForeign = this.#ownIsForeign;
    const leased = new Map<string, boolean>();
    const summaries = await Promise.all(streams.map((stream) => client.xpending(stream, group)));
    const suspects: Suspect[] = [];
    for (let partition = 0; partition < streams.length; partition++) {
      const consumers = (summaries[partition] as unknown[])[3] as [string, string][] | null;
      for (const [consumer, count] of consumers ?? []) {
        const isOwn = consumer === own;
        if (isOwn ? Number(count) <= session.held[partition]!.size : await this.#isLeased(consumer, leased))
          continue;
        const keepCount = isOwn && !ownIsForeign;
        suspects.push(...(await this.#takeOver(session, partition, consumer, keepCount)));
      }
    }
    this.#ownIsForeign = false;
    if (suspects.length > 0 && this.#lane === undefined) {
      this.#lane = this.#runLane(suspects).finally(() => (this.#lane = undefined));
    }
    if (++this.#sweeps % DROP_EVERY === 0) await this.#dropGone(session, leased);
  }

  async #isLeased(consumer: string, known: Map<string, boolean>): Promise<boolean> {
    let leased = known.get(consumer);
    if (leased === undefined) {
      const slot = slotOfConsumer(consumer);
      leased = slot !== undefined && (await this.#options.client.exists(workerLeaseKey(slot))) === 1;
      known.set(consumer, leased);
    }
    return leased;
  }

  /** @returns entries that may be what kills the process, for the suspect lane */
  async #takeOver(
    session: ConsumerSession,
    partition: number,
    consumer: string,
    keepCount: boolean,
  ): Promise<Suspect[]> {
    const { client, group, streams, log, onCrashed } = this.#options;
    const held = session.held[partition]!;
    const lines = (await client.xpending(
      streams[partition]!,
      group,
      "IDLE",
      IDLE_MIN_MS,
      "-",
      "+",
      PENDING_COUNT,
      consumer,
    )) as [string, string, number, number][];
    const pending = lines
      .map(([id, , , deliveries]): PendingEntry => ({ id, deliveries: Number(deliveries) }))
      .filter(({ id }) => !held.has(id));
    if (pending.length === 0) return [];
    const sorted: AbandonedEntries = keepCount
      ? { bulk: pending, suspects: [], crashed: [] }
      : sortAbandoned(pending);
    log.info(
      {
        partition,
        consumer,
        bulk: sorted.bulk.length,
        suspects: sorted.suspects.length,
        crashed: sorted.crashed.length,
      },
      "taking over pending entries",
    );
    const granted = this.#options.reserve(sorted.bulk.length);
    try {
      const ids = sorted.bulk.slice(0, granted).map(({ id }) => id);
      const entries = await this.#claim(session, partition, ids, keepCount ? 1 : undefined);
      if (entries.length > 0) this.#options.onEntries(entries);
    } finally {
      this.#options.release(granted);
    }
    for (const { id } of sorted.crashed) {
      for (const entry of await this.#claim(session, partition, [id])) onCrashed(entry);
    }
    return sorted.suspects.map((entry) => ({ session, partition, entry }));
  }

  /** Claims entries that nobody touched meanwhile. `keepCount` for answers that were lost without any crash. */
  async #claim(
    session: ConsumerSession,
    partition: number,
    ids: readonly string[],
    keepCount?: number,
  ): Promise<HeldEntry[]> {
    if (ids.length === 0) return [];
    const { client, group, streams, log } = this.#options;
    const options = keepCount === undefined ? [] : ["RETRYCOUNT", keepCount];
    const raw = (await client.call(
      "XCLAIM",
      streams[partition]!,
      group,
      session.slot.consumer,
      IDLE_MIN_MS,
      ...ids,
      ...options,
    )) as RawEntry[];
    const missing = raw.filter((entry) => entry === null).length;
    if (missing > 0) log.error({ partition, missing }, "pending entries are gone from the stream");
    // Also under the own name: an entry whose result was not booked, because the lease looked lost for a moment.
    return this.#options.take(session, partition, raw, 2);
  }

  /** One at a time, each settled before the next is claimed, so that only the culprit's count goes up at a crash. */
  async #runLane(suspects: readonly Suspect[]): Promise<void> {
    for (const { session, partition, entry } of suspects) {
      if (session.slot.lost() || this.#options.stopping()) return;
      try {
        for (const claimed of await this.#claim(session, partition, [entry.id])) {
          const settled = this.#options.whenSettled(claimed);
          this.#options.onEntries([claimed]);
          await settled;
        }
      } catch (error) {
        this.#options.log.warn({ err: error, partition }, "suspect entry not claimed");
      }
    }
  }

  async #dropGone(session: ConsumerSession, leased: Map<string, boolean>): Promise<void> {
    const { client, group, streams } = this.#options;
    for (const stream of streams) {
      const consumers = (await client.xinfo("CONSUMERS", stream, group)) as unknown[][];
      for (const fields of consumers) {
        const consumer = String(fields[fields.indexOf("name") + 1]);
        if (consumer === session.slot.consumer || (await this.#isLeased(consumer, leased))) continue;
        await this.#dropConsumer([stream], [group, consumer]);
      }
    }
  }
}
