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

/** What is known of arrivals and of what processing can do. */
export interface BurstState {
  inBurst: boolean;
  /** Entries a second that processing has managed lately. */
  capacityPerSecond: number;
}

const SAMPLE_MS = 250;

/** Assumed until work has been seen: too low only makes a first burst begin earlier. */
const CAPACITY_START = 2_000;

/** A burst: more comes in than twice what can be processed, and this much waits already. */
const ENTER_RATIO = 2;
const ENTER_LENGTH = 2_000;
/** It is over when processing could nearly keep up again. */
const LEAVE_RATIO = 1.2;

/** Work goes on meanwhile at this share of the capacity, so that nothing that waits is forgotten. */
const BURST_SHARE = 0.1;

/** A measured capacity fades by this share a sample, so that one lucky moment does not count for ever. */
const FADE = 0.002;

/** Wait of a reader that may read nothing in this moment. */
export const BURST_WAIT_MS = 25;

/** The state after a further sample. Pure. */
export function judgeBurst(state: BurstState, before: StreamTotals, now: StreamTotals): BurstState {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const arrivals = (now.added - before.added) / seconds;
  const ended = (now.added - before.added - (now.length - before.length)) / seconds;
  if (state.inBurst) return { ...state, inBurst: arrivals > LEAVE_RATIO * state.capacityPerSecond };
  const capacityPerSecond = Math.max(CAPACITY_START, state.capacityPerSecond * (1 - FADE), ended);
  return {
    capacityPerSecond,
    inBurst: arrivals > ENTER_RATIO * capacityPerSecond && now.length > ENTER_LENGTH,
  };
}

/**
 * Lets processing step aside on a machine that it shares with edge and Redis: while far more comes in than can be
 * processed anyway, every microsecond of it would only delay the answers.
 */
export class BurstWatch {
  readonly #client: RedisClient;
  readonly #streams: readonly string[];
  readonly #log: Logger;
  readonly #timer: ReturnType<typeof setInterval>;
  #state: BurstState = { inBurst: false, capacityPerSecond: CAPACITY_START };
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
      ? Math.max(1, Math.floor((state.capacityPerSecond * BURST_SHARE * SAMPLE_MS) / 1000))
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
