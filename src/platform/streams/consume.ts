import type { Logger } from "../log.ts";
import type { RedisClient } from "../redis/script.ts";
import { AbandonedSweep } from "./abandoned-sweep.ts";
import { BURST_WAIT_MS, type BurstWatch } from "./burst-watch.ts";
import { acquireConsumerSlot } from "./consumer-slot.ts";
import { ConsumerSession, entriesOfRead, type HeldEntry, type RawEntry } from "./stream-entry.ts";

export interface ConsumerOptions {
  /** A client of its own, purpose `consumer`. */
  client: RedisClient;
  cluster: boolean;
  group: string;
  /** Stream key of each partition. */
  streams: readonly string[];
  /** Reading loops; loop i reads the partitions p with p mod loops = i. */
  loops: number;
  /** Most entries that this process holds unsettled. */
  queueSize: number;
  /** On a machine that is shared with edge: lets a burst go first. */
  burst?: BurstWatch;
  log: Logger;
  /**
   * Takes what was read; each entry is settled later by `StreamConsumer.settle`. Should it throw, the entries are given
   * back to the stream: the sweep brings them again.
   */
  onEntries(entries: HeldEntry[]): void;
  /** Takes an entry whose processing killed a process three times. Should it throw, see `onEntries`. */
  onCrashed(entry: HeldEntry): void;
}

/** Most entries of one stream in one read: bounds the time for which the reply holds up the event loop. */
const READ_COUNT_MAX = 128;
/**
 * A read that brought fewer waits a little, so that entries are read in batches: a trickle shortly, a steady flow
 * longer, because reading and finishing a few at a time costs Redis and Postgres more than accepting them did.
 */
const READ_COUNT_SMALL = 32;
const TRICKLE_COUNT = 3;
const TRICKLE_WAIT_MS = 4;
const FLOW_WAIT_MS = 20;
const IDLE_MAX_MS = 100;
const NO_ROOM_WAIT_MS = 2;
const ERROR_WAIT_MS = 250;
const SWEEP_MS = 1_000;

/**
 * Reads one topic's partitions in a consumer group, in one way for a single Redis, Sentinel and Cluster: non-blocking
 * reads, pipelined, backing off from 1 to 100 ms while nothing comes. What a dead worker left pending is taken over as
 * soon as its lease is gone; a live worker's entries never.
 */
export class StreamConsumer {
  readonly #options: ConsumerOptions;
  readonly #sweep: AbandonedSweep;
  #session: ConsumerSession | undefined;
  #opening: Promise<ConsumerSession> | undefined;
  #used = 0;
  #stopping = false;
  #running: Promise<unknown>[] = [];
  readonly #settled = new Map<HeldEntry, () => void>();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#sweep = new AbandonedSweep({
      client: options.client,
      group: options.group,
      streams: options.streams,
      log: options.log,
      reserve: (wanted) => this.#reserve(wanted),
      release: (count) => void (this.#used -= count),
      take: (session, partition, raw, deliveries) => this.#take(session, partition, raw, deliveries),
      onEntries: (entries) => this.#handOver(entries, options.onEntries),
      onCrashed: (entry) => this.#handOver([entry], () => options.onCrashed(entry)),
      stopping: () => this.#stopping,
      whenSettled: (entry) => new Promise((resolve) => this.#settled.set(entry, resolve)),
    });
  }

  /** Entries read and not settled, and places reserved for a read that is under way. */
  get heldCount(): number {
    return this.#used;
  }

  /** Makes the groups, takes a slot and begins to read. Resolves when reading has begun. */
  async start(): Promise<void> {
    await this.#ensureGroups(this.#options.streams);
    await this.#currentSession();
    for (let index = 0; index < this.#options.loops; index++) this.#running.push(this.#loop(index));
    this.#running.push(this.#sweepLoop());
  }

  /** The entry is finished, or given up: its place in the queue is free. */
  settle(entry: HeldEntry): void {
    if (entry.session.held[entry.partition]!.delete(entry.id) && entry.session === this.#session)
      this.#used--;
    if (this.#settled.size === 0) return;
    this.#settled.get(entry)?.();
    this.#settled.delete(entry);
  }

  /** Stops reading; what is held goes on and is settled by its owner. */
  async stopReading(): Promise<void> {
    this.#stopping = true;
    this.#options.burst?.stop();
    for (const resolve of this.#settled.values()) resolve();
    await Promise.all(this.#running);
  }

  /** Gives the consumer slot back; what is still pending is then taken over by other workers at once. */
  async close(): Promise<void> {
    await this.stopReading();
    await this.#session?.slot.release();
    this.#session = undefined;
  }

  async #loop(index: number): Promise<void> {
    const { streams, loops } = this.#options;
    const partitions = streams
      .map((_key, partition) => partition)
      .filter((partition) => partition % loops === index);
    let idleMs = 0;
    let turn = 0;
    while (!this.#stopping && partitions.length > 0) {
      try {
        const session = await this.#currentSession();
        const plan = this.#plan(partitions, turn++);
        if (plan.length === 0) {
          await Bun.sleep(this.#burstRoom() <= 0 ? BURST_WAIT_MS : NO_ROOM_WAIT_MS);
          continue;
        }
        const got = await this.#read(session, plan);
        this.#options.burst?.spend(got);
        if (got >= READ_COUNT_SMALL) idleMs = 0;
        else {
          idleMs = waitAfter(got, idleMs);
          await Bun.sleep(idleMs);
        }
      } catch (error) {
        if (!this.#stopping) this.#options.log.warn({ err: error }, "stream read failed");
        await Bun.sleep(ERROR_WAIT_MS);
      }
    }
  }

  async #sweepLoop(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#sweep.run(await this.#currentSession());
      } catch (error) {
        if (!this.#stopping) this.#options.log.warn({ err: error }, "sweep of pending entries failed");
      }
      for (let waitedMs = 0; waitedMs < SWEEP_MS && !this.#stopping; waitedMs += 50) await Bun.sleep(50);
    }
    await this.#sweep.stopped();
  }

  /** Places in the queue for each partition of this turn; few places are given to few partitions, in rotation. */
  #plan(partitions: readonly number[], turn: number): { partition: number; count: number }[] {
    const { queueSize, streams } = this.#options;
    const room = Math.min(queueSize - this.#used, this.#burstRoom());
    if (room <= 0) return [];
    const count = Math.min(READ_COUNT_MAX, Math.max(1, Math.floor(room / streams.length)));
    const plan: { partition: number; count: number }[] = [];
    for (let index = 0; index < partitions.length && (plan.length + 1) * count <= room; index++) {
      plan.push({ partition: partitions[(turn + index) % partitions.length]!, count });
    }
    this.#used += plan.length * count;
    return plan;
  }

  #burstRoom(): number {
    return this.#options.burst?.allowance ?? Number.POSITIVE_INFINITY;
  }

  async #read(session: ConsumerSession, plan: { partition: number; count: number }[]): Promise<number> {
    const reserved = plan.reduce((sum, { count }) => sum + count, 0);
    let got = 0;
    try {
      const replies = await this.#readGroup(session.slot.consumer, plan);
      for (let index = 0; index < plan.length; index++) {
        const partition = plan[index]!.partition;
        const reply = replies[index]!;
        if (reply.status === "rejected") {
          await this.#onReadError(partition, reply.reason as Error);
          continue;
        }
        const entries = this.#take(session, partition, entriesOfRead(reply.value), 1);
        got += entries.length;
        if (entries.length > 0) this.#handOver(entries, this.#options.onEntries);
      }
      return got;
    } finally {
      // What was taken counts itself.
      this.#used -= reserved;
    }
  }

  /** A taker that throws would leave its entries in the queue for ever, held by a worker that lives. */
  #handOver(entries: HeldEntry[], take: (entries: HeldEntry[]) => void): void {
    try {
      take(entries);
    } catch (error) {
      this.#options.log.error({ err: error, entries: entries.length }, "entries were not taken");
      for (const entry of entries) this.settle(entry);
    }
  }

  #readGroup(
    consumer: string,
    plan: { partition: number; count: number }[],
  ): Promise<PromiseSettledResult<unknown>[]> {
    const { client, group, streams } = this.#options;
    const pipeline = this.#options.cluster ? undefined : client.pipeline();
    const calls = plan.map(({ partition, count }) =>
      (pipeline ?? client).xreadgroup(
        "GROUP",
        group,
        consumer,
        "COUNT",
        count,
        "STREAMS",
        streams[partition]!,
        ">",
      ),
    );
    if (pipeline === undefined) return Promise.allSettled(calls);
    return pipeline
      .exec()
      .then((results) =>
        (results ?? []).map(([error, value]) =>
          error ? { status: "rejected", reason: error } : { status: "fulfilled", value },
        ),
      );
  }

  async #onReadError(partition: number, error: Error): Promise<void> {
    if (!error.message.startsWith("NOGROUP")) throw error;
    const stream = this.#options.streams[partition]!;
    this.#options.log.error({ stream }, "consumer group is gone: Redis lost data; the group is made again");
    await this.#ensureGroups([stream]);
  }

  /** Registers what was read. An entry that is held already (its first reply came late) is not taken twice. */
  #take(
    session: ConsumerSession,
    partition: number,
    raw: readonly RawEntry[],
    deliveries: number,
  ): HeldEntry[] {
    const held = session.held[partition]!;
    const entries: HeldEntry[] = [];
    for (const entry of raw) {
      if (entry === null || held.has(entry[0])) continue;
      held.add(entry[0]);
      entries.push({ session, partition, id: entry[0], fields: entry[1], deliveries });
    }
    if (session === this.#session) this.#used += entries.length;
    return entries;
  }

  #reserve(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.#options.queueSize - this.#used));
    this.#used += granted;
    return granted;
  }

  /** The session under a slot that is held; a new one, with nothing in it, when the last slot was lost. */
  async #currentSession(): Promise<ConsumerSession> {
    if (this.#session !== undefined && !this.#session.slot.lost()) return this.#session;
    this.#opening ??= this.#openSession().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #openSession(): Promise<ConsumerSession> {
    const { client, log, streams } = this.#options;
    const slot = await acquireConsumerSlot(client, log);
    const abandoned = this.#session?.held.reduce((sum, ids) => sum + ids.size, 0) ?? 0;
    const session = new ConsumerSession(slot, streams.length);
    this.#session = session;
    // Others take over what the lost session holds; its places are free, reservations of running reads stay counted.
    this.#used -= abandoned;
    this.#sweep.sessionOpened();
    log.info({ consumer: slot.consumer, abandoned }, "consumer slot taken");
    return session;
  }

  async #ensureGroups(streams: readonly string[]): Promise<void> {
    const { client, group } = this.#options;
    await Promise.all(
      streams.map((stream) =>
        // From 0, never $: what was accepted before the first worker started must be read too.
        client.xgroup("CREATE", stream, group, "0", "MKSTREAM").catch((error: Error) => {
          if (!error.message.startsWith("BUSYGROUP")) throw error;
        }),
      ),
    );
  }
}

/** Pause of a reading loop after a read that brought few entries or none. */
function waitAfter(got: number, lastWaitMs: number): number {
  if (got > TRICKLE_COUNT) return FLOW_WAIT_MS;
  if (got > 0) return TRICKLE_WAIT_MS;
  return Math.min(IDLE_MAX_MS, Math.max(1, lastWaitMs * 2));
}
