import { readFileSync } from "node:fs";
import type { Logger } from "../log.ts";
import type { RedisClient } from "../redis/script.ts";

/** Totals over a topic's streams at one moment. */
export interface StreamTotals {
  atMs: number;
  /** Entries ever added. */
  added: number;
  /** Entries there now. */
  length: number;
  /** Time that this process has waited for a CPU in all; undefined where the kernel does not tell. */
  waitedMs: number | undefined;
}

/**
 * `probe`: processing pauses for one sample, to see whether senders were waiting for the machine.
 * `burst`: it steps aside.
 */
export interface BurstState {
  mode: "calm" | "probe" | "burst";
  /** Entries a second that processing has managed while webhooks came in; fades slowly. */
  pacePerSecond: number;
  /** Entries a second that came in before the latest probe. */
  arrivalsPerSecond: number;
  nextProbeMs: number;
  probeEveryMs: number;
}

/** Long enough to see several of the finisher's batches. */
const SAMPLE_MS = 250;

/** Below this rate of arrivals there is nothing to step aside for. */
const ARRIVALS_MIN_PER_SECOND = 2_000;

/** A fifth more comes in than is processed, and this much waits already: a burst. */
const BEHIND_RATIO = 1.2;
const BEHIND_LENGTH = 1_000;

/**
 * Share of the time for which this process waits for a CPU; above it, others may be waiting for this one. A machine
 * that keeps up shows 0.3 to 0.45, one with senders in lockstep 0.5 to 0.8.
 */
const WAIT_SHARE = 0.5;

/** So much more comes in while processing pauses: the senders were waiting for it. */
const PROBE_RATIO = 1.3;
const PROBE_EVERY_MS = 1_000;
const PROBE_EVERY_MAX_MS = 15_000;

/** So much more than before the latest probe is worth a probe of its own. */
const PROBE_AGAIN_RATIO = 1.3;

/** A pace fades by this share a sample, so that one lucky moment does not count for ever. */
const PACE_FADE = 0.0025;

/** With so much waiting, processing takes its share again, whatever comes in. */
const LENGTH_MAX = 1_000_000;

/** Work goes on in a burst at this share of its pace. */
const BURST_SHARE = 0.25;

/** Wait of a reader that may read nothing in this moment. */
export const BURST_WAIT_MS = 25;

/** The state before anything was seen. */
export const CALM: BurstState = {
  mode: "calm",
  pacePerSecond: 0,
  arrivalsPerSecond: 0,
  nextProbeMs: 0,
  probeEveryMs: PROBE_EVERY_MS,
};

/** The state after a further sample. Pure. */
export function judgeBurst(state: BurstState, before: StreamTotals, now: StreamTotals): BurstState {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const arrivals = (now.added - before.added) / seconds;
  const ended = (now.added - before.added - (now.length - before.length)) / seconds;
  if (now.length > LENGTH_MAX) return { ...state, mode: "calm" };
  switch (state.mode) {
    case "burst":
      return arrivals > state.pacePerSecond
        ? state
        : calmAgain(state, now.atMs + PROBE_EVERY_MS, PROBE_EVERY_MS);
    case "probe": {
      // What could be processed is processed: then more may come in because of a pause, but nobody has to wait for it.
      if (arrivals > PROBE_RATIO * state.arrivalsPerSecond && arrivals > state.pacePerSecond) {
        return { ...state, mode: "burst" };
      }
      return calmAgain(
        state,
        now.atMs + state.probeEveryMs,
        Math.min(PROBE_EVERY_MAX_MS, 2 * state.probeEveryMs),
      );
    }
    case "calm": {
      const faded = state.pacePerSecond * (1 - PACE_FADE);
      // Alone with a backlog it is faster than it can be beside the accepting.
      const seenPace = arrivals > ended / 2 ? ended : 0;
      const pacePerSecond = Math.max(ARRIVALS_MIN_PER_SECOND, faded, seenPace);
      const seen = { ...state, pacePerSecond };
      if (arrivals < ARRIVALS_MIN_PER_SECOND) return seen;
      const isBehind =
        arrivals > BEHIND_RATIO * ended && now.length > BEHIND_LENGTH && arrivals > pacePerSecond;
      if (isBehind) return { ...seen, mode: "burst" };
      const isDue = now.atMs >= state.nextProbeMs || arrivals > PROBE_AGAIN_RATIO * state.arrivalsPerSecond;
      return isDue && waitShare(before, now) > WAIT_SHARE
        ? { ...seen, mode: "probe", arrivalsPerSecond: arrivals }
        : seen;
    }
  }
}

/** Share of the time between two samples for which this process waited for a CPU; 1 where nobody knows. */
function waitShare(before: StreamTotals, now: StreamTotals): number {
  if (before.waitedMs === undefined || now.waitedMs === undefined) return 1;
  return (now.waitedMs - before.waitedMs) / Math.max(1, now.atMs - before.atMs);
}

function calmAgain(state: BurstState, nextProbeMs: number, probeEveryMs: number): BurstState {
  return { ...state, mode: "calm", nextProbeMs, probeEveryMs };
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
  #state = CALM;
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
    if ((state.mode === "burst") !== (this.#state.mode === "burst")) {
      const { mode, pacePerSecond } = state;
      this.#log.info({ mode, pacePerSecond, waiting: now.length }, "a burst of webhooks begins or ends");
    }
    this.#state = state;
    this.#left = this.#share();
  }

  /** Entries that may be read until the next sample. */
  #share(): number {
    const { mode, pacePerSecond } = this.#state;

    if (mode === "calm") return Number.POSITIVE_INFINITY;
    return mode === "probe" ? 0 : Math.floor((pacePerSecond * BURST_SHARE * SAMPLE_MS) / 1000);
  }

  async #totals(): Promise<StreamTotals> {
    const infos = (await Promise.all(
      this.#streams.map((key) => this.#client.xinfo("STREAM", key)),
    )) as unknown[][];
    const sum = (name: string): number =>
      infos.reduce((total, fields) => total + Number(fields[fields.indexOf(name) + 1]), 0);
    return {
      atMs: performance.now(),
      added: sum("entries-added"),
      length: sum("length"),
      waitedMs: cpuWaitMs(),
    };
  }
}

/** Time for which the main thread stood in the run queue; its first number is time on a CPU (kernel: sched-stats). */
function cpuWaitMs(): number | undefined {
  try {
    const [, waitedNs] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "latin1").split(" ");
    return Number(waitedNs) / 1e6;
  } catch {
    return undefined;
  }
}
