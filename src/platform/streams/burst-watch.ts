import type { Logger } from "../log.ts";
import type { RedisClient } from "../redis/script.ts";

/** Totals over a topic's streams at one moment. */
export interface StreamTotals {
  atMs: number;
  /** Entries ever added. */
  added: number;
  /** Entries there now. */
  length: number;
}

/** Whether processing steps aside, and the pace in entries a second that it had when it began to. */
export interface BurstState {
  inBurst: boolean;
  pacePerSecond: number;
}

/** Long enough to see several of the finisher's batches. */
const SAMPLE_MS = 500;

/** A burst: at least so much comes in, a fifth more than is processed, and this much waits already. */
const ENTER_ARRIVALS_PER_SECOND = 2_000;
const ENTER_RATIO = 1.2;
const ENTER_LENGTH = 2_000;

/** With so much waiting, processing takes its share again, whatever comes in. */
const LENGTH_MAX = 1_000_000;

/** Work goes on meanwhile at this share of its pace. */
const BURST_SHARE = 0.25;

/** Wait of a reader that may read nothing in this moment. */
export const BURST_WAIT_MS = 25;

/** The state after a further sample. Pure. */
export function judgeBurst(state: BurstState, before: StreamTotals, now: StreamTotals): BurstState {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const arrivals = (now.added - before.added) / seconds;
  const ended = (now.added - before.added - (now.length - before.length)) / seconds;
  if (now.length > LENGTH_MAX) return { ...state, inBurst: false };
  if (state.inBurst) return { ...state, inBurst: arrivals > state.pacePerSecond };
  const inBurst =
    arrivals > ENTER_ARRIVALS_PER_SECOND && arrivals > ENTER_RATIO * ended && now.length > ENTER_LENGTH;
  return { inBurst, pacePerSecond: Math.max(ENTER_ARRIVALS_PER_SECOND, ended) };
}

/**
 * Lets processing step aside on a machine that it shares with edge and Redis: while more comes in than can be processed
 * anyway, every microsecond of it only delays the answers.
 */
export class BurstWatch {
  readonly #client: RedisClient;
  readonly #streams: readonly string[];
  readonly #log: Logger;
  readonly #timer: ReturnType<typeof setInterval>;
  #state: BurstState = { inBurst: false, pacePerSecond: 0 };
  #last: StreamTotals | undefined;
  #left = Number.POSITIVE_INFINITY;

  constructor(client: RedisClient, streams: readonly string[], log: Logger) {
    this.#client = client;
    this.#streams = streams;
    this.#log = log;
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS);
  }

  /** Entries that may be read until the next sample; Infinity outside a burst. */
  get allowance(): number {
    return this.#left;
  }

  /** Counts what was read. */
  spend(entries: number): void {
    this.#left -= entries;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sample(): Promise<void> {
    try {
      const totals = await this.#totals();
      if (this.#last !== undefined) this.#judge(this.#last, totals);
      this.#last = totals;
    } catch {
      // Without figures nobody steps aside.
      this.#last = undefined;
      this.#left = Number.POSITIVE_INFINITY;
    }
  }

  #judge(before: StreamTotals, now: StreamTotals): void {
    const state = judgeBurst(this.#state, before, now);
    if (state.inBurst !== this.#state.inBurst) {
      this.#log.info(
        { ...state, waiting: now.length },
        state.inBurst ? "a burst goes first" : "the burst is over",
      );
    }
    this.#state = state;
    this.#left = state.inBurst
      ? Math.max(1, Math.floor((state.pacePerSecond * BURST_SHARE * SAMPLE_MS) / 1000))
      : Number.POSITIVE_INFINITY;
  }

  async #totals(): Promise<StreamTotals> {
    const infos = (await Promise.all(
      this.#streams.map((key) => this.#client.xinfo("STREAM", key)),
    )) as unknown[][];
    const sum = (name: string): number =>
      infos.reduce((total, fields) => total + Number(fields[fields.indexOf(name) + 1]), 0);
    return { atMs: performance.now(), added: sum("entries-added"), length: sum("length") };
  }
}
