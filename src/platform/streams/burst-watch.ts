import { IdleShare } from "../process/idle-share.ts";
import { ANSWER_TIME_CHANNEL } from "../redis/keys.ts";
import { subscribe } from "../redis/subscribe.ts";
import type { Runtime } from "../runtime.ts";
import { parseAnswerTime } from "./answer-time.ts";

/**
 * Senders may wait so long on the mean while processing is behind. Lower, and it would give way to what the disk alone
 * costs (3 to 5 ms) and never catch up.
 */
const TARGET_MS = 7;

/** With more waiting than this the target grows by the square: what waits has to be processed too. */
const WAITING_FREE = 100_000;

/** Processing keeps up while less waits than came in during this time, or so little. */
const KEEPS_UP_SECONDS = 0.7;
const KEEPS_UP_ENTRIES = 2_000;

/** Share of the machine's processor time that is free: below the first processing gives way, above the second never. */
const IDLE_MIN = 0.08;
const IDLE_AMPLE = 0.25;

/** Taken where nobody can tell what is free: processing gives way only when it is behind. */
const IDLE_UNKNOWN = 0.2;

/** What processing gives up at a report of strain, and takes back at each other one. */
const BACK_OFF = 0.7;
const TAKE_BACK = 1.05;
const TAKE_BACK_PER_SECOND = 50;

/** Processing never stands still. */
const PACE_MIN_PER_SECOND = 500;

/** A limit so far above what is read holds nobody back, and ends. */
const ROOM_RATIO = 2;
const ROOM_PER_SECOND = 5_000;

/** Entries that are worth a read; reading and finishing a few at a time costs more than accepting them did. */
const READ_WORTH = 128;

/** Without a report for so long no sender waits. */
const SILENCE_MS = 500;
const SAMPLE_MS = 100;

/** Weight of the newest report in the rates. */
const READ_WEIGHT = 0.3;
const ARRIVALS_WEIGHT = 0.1;

/** Wait of a reader that may read nothing in this moment. */
export const BURST_WAIT_MS = 10;

/** What a machine shows at one moment. */
export interface Strain {
  /** Mean wait of the senders for their answers. */
  waitedMs: number;
  arrivalsPerSecond: number;
  /** Entries in the streams. */
  waiting: number;
  /** Free share of the processors' time, 0 to 1; undefined where the kernel does not tell. */
  idleShare: number | undefined;
}

/**
 * Entries a second that may be read after a further report. Pure.
 *
 * @param pace.limit as before; Infinity: no limit
 * @param pace.read entries a second that were read lately
 */
export function nextLimit(pace: { limit: number; read: number }, strain: Strain): number {
  if (isStrained(strain)) {
    return Math.max(PACE_MIN_PER_SECOND, Math.min(pace.limit, pace.read) * BACK_OFF);
  }
  const limit = pace.limit * TAKE_BACK + TAKE_BACK_PER_SECOND;
  return limit > ROOM_RATIO * pace.read + ROOM_PER_SECOND ? Number.POSITIVE_INFINITY : limit;
}

/**
 * Senders wait because of processing: no processor time is free, or little is and processing is behind anyway, so
 * that giving way only makes what waits wait longer. While it keeps up it holds its pace.
 */
function isStrained({ waitedMs, arrivalsPerSecond, waiting, idleShare = IDLE_UNKNOWN }: Strain): boolean {
  const targetMs = TARGET_MS * Math.max(1, waiting / WAITING_FREE) ** 2;
  if (waitedMs <= targetMs) return false;
  const keepsUp = waiting < Math.max(KEEPS_UP_ENTRIES, KEEPS_UP_SECONDS * arrivalsPerSecond);
  return idleShare < IDLE_MIN || (!keepsUp && idleShare < IDLE_AMPLE);
}

/**
 * Lets processing step aside on a machine that it shares with edge and Redis: while senders wait for their answers,
 * what has been accepted can wait too.
 */
export class BurstWatch {
  readonly #runtime: Runtime;
  readonly #streams: readonly string[];
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #idle = new IdleShare();
  #idleShare: number | undefined;
  #limit = Number.POSITIVE_INFINITY;
  /** Entries that may be read at once. */
  #tokens = 0;
  /** Entries read since the latest report. */
  #read = 0;
  #readPerSecond = 0;
  #arrivalsPerSecond = 0;
  #waiting = 0;
  #reportedMs = 0;

  constructor(runtime: Runtime, streams: readonly string[]) {
    this.#runtime = runtime;
    this.#streams = streams;
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS);
    const onMessage = (message: string): void => this.#onReport(message);
    subscribe(runtime, ANSWER_TIME_CHANNEL, { onMessage }).catch((error: unknown) =>
      runtime.log.warn({ err: error }, "processing does not hear how long senders wait"),
    );
  }

  /** Entries that may be read now; Infinity while nobody has to wait for processing. */
  get allowance(): number {
    const isFree =
      this.#limit === Number.POSITIVE_INFINITY || performance.now() - this.#reportedMs > SILENCE_MS;
    if (isFree) return Number.POSITIVE_INFINITY;
    return this.#tokens < READ_WORTH ? 0 : this.#tokens;
  }

  /** Counts what was read. */
  spend(entries: number): void {
    this.#read += entries;
    this.#tokens -= entries;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #onReport(message: string): void {
    const { waitedMs, requests } = parseAnswerTime(message);
    const nowMs = performance.now();
    const seconds = Math.min(SILENCE_MS, Math.max(1, nowMs - this.#reportedMs)) / 1000;
    this.#reportedMs = nowMs;
    this.#readPerSecond += READ_WEIGHT * (this.#read / seconds - this.#readPerSecond);
    this.#arrivalsPerSecond += ARRIVALS_WEIGHT * (requests / seconds - this.#arrivalsPerSecond);
    this.#read = 0;
    this.#limit = nextLimit(
      { limit: this.#limit, read: this.#readPerSecond },
      {
        waitedMs,
        arrivalsPerSecond: this.#arrivalsPerSecond,
        waiting: this.#waiting,
        idleShare: this.#idleShare,
      },
    );
    const isFree = this.#limit === Number.POSITIVE_INFINITY;
    const most = 2 * READ_WORTH + this.#limit / 10;
    this.#tokens = isFree ? 0 : Math.min(this.#tokens + this.#limit * seconds, most);
  }

  async #sample(): Promise<void> {
    this.#idleShare = this.#idle.sample();
    const { redis } = this.#runtime;
    try {
      const lengths = await Promise.all(this.#streams.map((key) => redis.xlen(key)));
      this.#waiting = lengths.reduce((sum, length) => sum + length, 0);
    } catch {
      // Redis is away: nothing is read either.
    }
  }
}
