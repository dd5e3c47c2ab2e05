import type { Lease } from "../../platform/lease.ts";
import { createFastHistogram, createGauge, LATENCY_BOUNDS_SECONDS } from "../../platform/metrics.ts";
import { eventKeys } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { PartitionSession } from "../../platform/streams/partition-owners.ts";
import type { RawEntry } from "../../platform/streams/stream-entry.ts";
import { decodeEventEntry } from "../events/topics.ts";
import type { OwnedPartition } from "./delivery-work.ts";
import {
  CHUNK_SUBSCRIPTIONS,
  fanOut,
  type FanOutDeps,
  fanOutLarge,
  matchEvents,
  type Matched,
  type ReadEvent,
} from "./fan-out-events.ts";
import { loadLargeData } from "./fan-out-store.ts";

/** Most entries of one read, shared out among its streams. */
const READ_COUNT = 512;
/** A read waits so long for the next event; a change of partitions takes effect after it. */
const BLOCK_MS = 250;
/** On a Cluster one read cannot wait on several streams: it looks again after 1 ms, and up to this when nothing comes. */
const IDLE_MAX_MS = 32;
const NOTHING_OWNED_MS = 20;
const ERROR_WAIT_MS = 250;
/** Events that were fanned out and are not yet in Postgres. */
const UNFINISHED_MAX = 5_000;
/** Longest pause in favour of deliveries that are under way. */
const PRESSED_MS = 100;
/** Large fan-outs that may wait for their turn in memory. */
const LARGE_WAITING_MAX = 20;

interface Source extends OwnedPartition {
  /** Last entry that was read. */
  lastId: string;
  /** Last entry that stood in the stream when this process took it over. */
  suspectUntil: string | undefined;
  draining: boolean;
  /** Large fan-outs of its events that are under way. */
  large: number;
}

/** Reads the event streams of the partitions that this process owns, in order, and fans them out. */
export class EventFanOut {
  readonly #deps: FanOutDeps;
  readonly #runtime: Runtime;
  /** Blocks while it waits: nothing else may use it. */
  readonly #reader: RedisClient;
  readonly #sources = new Map<number, Source>();
  #stopping = false;
  #running: Promise<void> | undefined;
  /** Rounds of the loop: who waits for the next one knows that this one is over. */
  #rounds = 0;
  #large: Promise<void> = Promise.resolve();
  #largeWaiting = 0;
  readonly #age: ReturnType<typeof createFastHistogram>;

  constructor(deps: FanOutDeps, reader: RedisClient) {
    this.#deps = deps;
    this.#runtime = deps.runtime;
    this.#reader = reader;
    this.#age = createFastHistogram(deps.runtime.metrics, {
      name: "hub_event_fan_out_seconds",
      help: "Time from the acceptance of an event to its fan-out",
      bounds: LATENCY_BOUNDS_SECONDS,
    });
    createGauge(deps.runtime.metrics, {
      name: "hub_events_unwritten",
      help: "Events that are fanned out and not yet in Postgres",
      read: () => [{ value: deps.finisher.unfinished }],
    });
  }

  start(): void {
    this.#running = this.#loop();
  }

  /** Begins to read a partition. */
  own(partition: number, lease: Lease): PartitionSession {
    const source: Source = {
      partition,
      lease,
      token: String(lease.token),
      lastId: "0-0",
      suspectUntil: undefined,
      draining: false,
      large: 0,
    };
    this.#sources.set(partition, source);
    lease.ended.addEventListener(
      "abort",
      () => {
        if (this.#sources.get(partition) === source) this.#sources.delete(partition);
      },
      { once: true },
    );
    return { drain: () => this.#drain(source) };
  }

  /** Ends reading; what was read is finished. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #drain(source: Source): Promise<void> {
    source.draining = true;
    this.#sources.delete(source.partition);
    const round = this.#rounds;
    const isBusy = (): boolean => (this.#rounds <= round && !this.#stopping) || source.large > 0;
    while (isBusy() && source.lease.isHeld()) await Bun.sleep(2);
    await this.#deps.finisher.drain(10_000);
  }

  async #loop(): Promise<void> {
    let idleMs = 1;
    while (!this.#stopping) {
      this.#rounds++;
      const sources = [...this.#sources.values()].filter(
        ({ lease, draining }) => lease.isHeld() && !draining,
      );
      if (sources.length === 0 || this.#deps.finisher.unfinished > UNFINISHED_MAX) {
        await Bun.sleep(NOTHING_OWNED_MS);
        continue;
      }
      try {
        const events = await this.#read(sources);
        if (events.length > 0) await this.#handle(events);
        idleMs = events.length > 0 ? 1 : Math.min(IDLE_MAX_MS, idleMs * 2);
      } catch (error) {
        if (!this.#stopping) this.#runtime.log.warn({ err: error }, "events not fanned out");
        // Whatever was not fanned out is read again.
        for (const source of sources) readAgain(source);
        await Bun.sleep(ERROR_WAIT_MS);
      }
      if (this.#isCluster && idleMs > 1) await Bun.sleep(idleMs);
      await this.#deps.engine?.whilePressed(PRESSED_MS);
    }
  }

  get #isCluster(): boolean {
    return "nodes" in this.#reader;
  }

  async #read(sources: readonly Source[]): Promise<ReadEvent[]> {
    for (const source of sources) if (source.suspectUntil === undefined) await this.#markSuspects(source);
    const replies = this.#isCluster ? await this.#readEach(sources) : await this.#readAll(sources);
    const events: ReadEvent[] = [];
    for (const { source, entries } of replies) {
      for (const entry of entries) {
        if (entry === null) continue;
        source.lastId = entry[0];
        const event = await this.#decode(source, entry);
        if (event !== undefined) events.push(event);
      }
    }
    return events;
  }

  async #markSuspects(source: Source): Promise<void> {
    const [last] = await this.#reader.xrevrange(eventKeys(source.partition).stream, "+", "-", "COUNT", 1);
    source.suspectUntil = last?.[0] ?? "0-0";
  }

  async #readAll(sources: readonly Source[]): Promise<{ source: Source; entries: RawEntry[] }[]> {
    const keys = sources.map(({ partition }) => eventKeys(partition).stream);
    const ids = sources.map(({ lastId }) => lastId);
    const reply = (await this.#reader.xread(
      "COUNT",
      Math.ceil(READ_COUNT / sources.length),
      "BLOCK",
      BLOCK_MS,
      "STREAMS",
      ...keys,
      ...ids,
    )) as [string, RawEntry[]][] | null;
    return (reply ?? []).map(([key, entries]) => ({ source: sources[keys.indexOf(key)]!, entries }));
  }

  async #readEach(sources: readonly Source[]): Promise<{ source: Source; entries: RawEntry[] }[]> {
    const count = Math.ceil(READ_COUNT / sources.length);
    const replies = await Promise.all(
      sources.map(({ partition, lastId }) =>
        this.#reader.xread("COUNT", count, "STREAMS", eventKeys(partition).stream, lastId),
      ),
    );
    return sources.map((source, index) => ({
      source,
      entries: (replies[index] as [string, RawEntry[]][] | null)?.[0]?.[1] ?? [],
    }));
  }

  /** @returns undefined for an entry that is none of the hub's own, which is removed and was never counted */
  async #decode(source: Source, entry: [string, string[]]): Promise<ReadEvent | undefined> {
    const [entryId, fields] = entry;
    let decoded: ReturnType<typeof decodeEventEntry>;
    try {
      decoded = decodeEventEntry(fields);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
      this.#runtime.log.error({ err: error, entryId }, "entry of unknown form is removed");
      await this.#reader.xdel(eventKeys(source.partition).stream, entryId);
      return undefined;
    }
    const { message, data } = decoded;
    return {
      owned: source,
      entryId,
      message,
      data: data ?? (await loadLargeData(this.#runtime.sqlSystem, message)),
      isLarge: data === undefined,
      // A large fan-out that is broken off while this read waits takes the mark away.
      isSuspect: source.suspectUntil === undefined || !isAfter(entryId, source.suspectUntil),
    };
  }

  async #handle(events: readonly ReadEvent[]): Promise<void> {
    const nowMs = this.#runtime.clock.nowMs();
    for (const { message } of events) this.#age.observe(Math.max(0, nowMs - message.acceptedAt) / 1000);
    const matched = await matchEvents(this.#deps, events);
    await fanOut(
      this.#deps,
      matched.filter(({ entries }) => entries.length <= CHUNK_SUBSCRIPTIONS),
    );
    for (const one of matched.filter(({ entries }) => entries.length > CHUNK_SUBSCRIPTIONS)) {
      const running = this.#fanOutLarge(one);
      // Events of one key keep their order; others need not wait for 100,000 deliveries to be enlisted.
      if (one.event.message.orderingKey !== undefined || this.#largeWaiting > LARGE_WAITING_MAX)
        await running;
    }
  }

  /** One large fan-out at a time. */
  #fanOutLarge(one: Matched): Promise<void> {
    const source = one.event.owned as Source;
    this.#largeWaiting++;
    source.large++;
    this.#large = this.#large
      .then(() => fanOutLarge(this.#deps, one))
      .catch((error: unknown) => {
        // The entry stays in the stream: the next owner goes on.
        this.#runtime.log.warn({ err: error, eventId: one.event.message.id }, "large fan-out broken off");
        readAgain(source);
      })
      .finally(() => {
        this.#largeWaiting--;
        source.large--;
      });
    return this.#large;
  }
}

/** What stands in the stream may be fanned out in part: it is read again, and looked at as after another owner. */
function readAgain(source: Source): void {
  source.lastId = "0-0";
  source.suspectUntil = undefined;
}

/** Compares stream ids. */
function isAfter(id: string, other: string): boolean {
  const [ms, sequence] = id.split("-").map(Number) as [number, number];
  const [otherMs, otherSequence] = other.split("-").map(Number) as [number, number];
  return ms > otherMs || (ms === otherMs && sequence > otherSequence);
}
