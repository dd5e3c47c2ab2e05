import type {
  AdmissionBlock,
  AdmissionCall,
  AdmissionLease,
  Admitted,
  CallResult,
  Quota,
} from "./admission-call.ts";
import type { BlockAsk } from "./admission-scripts.ts";
import { callKeys } from "./admission-scripts.ts";

/** Life of a block: so long after Redis knows better, at most, calls go out that it would not let go. */
const BLOCK_MS = 50;
/** Fewer calls in that time than this are admitted one by one. */
const CALLS_MIN = 8;
/** Largest part of a quota in one block, and so what a process that is killed leaves unused. */
const LIMIT_SHARE = 0.01;
/** The next block is asked for when so little of the last one is left. */
const LEFT_SHARE = 1 / 3;
const LEFT_MS = 20;
/** The rate of calls is taken over this time. */
const PACE_MS = 40;
/**
 * After a pause the rate is taken over this time at the least, as soon as there are calls enough for a block. Until a
 * block comes each call waits for Redis' disk: at 2,000 a second 40 ms of them were the slowest hundredth of four seconds.
 */
const FIRST_PACE_MS = 10;
/** No block is asked for after a refusal, or after the end of one before its time. */
const QUIET_MS = 250;
/** The same after an answer that told what is left: of such a provider each call is counted as it goes. */
const REPORTED_QUIET_MS = 60_000;
/** Only what is counted in sub-windows can be counted ahead (see quotas.lua), and a block is to be short beside the window. */
const LOG_LIMIT_MAX = 1_000;
const WINDOW_MIN_MS = 1_000;
/** Integrations and quotas that are kept in view; beyond it those without a block are forgotten. */
const SOURCES_MAX = 1_000;

/** What the blocks of one process need of Redis. */
export interface BlockDoor {
  /** @returns undefined when none is given */
  ask(call: AdmissionCall, ask: BlockAsk): Promise<AdmissionBlock | undefined>;
  /** Puts calls that outlast their block among those in flight. */
  list(leases: readonly AdmissionLease[]): void;
}

/** Calls of one integration that meet the same quotas. */
interface Source {
  /** Tells it from others of this process. */
  number: number;
  keys: readonly string[];
  /** Any of them. */
  call: AdmissionCall;
  callsMax: number;
  sinceMs: number;
  counted: number;
  callsPerMs: number;
  held: HeldBlock | undefined;
  isAsking: boolean;
  /** Raised when blocks end before their time: what was asked for before it is not used. */
  round: number;
  quietUntilMs: number;
  unused: { countedAtMs: number; calls: number }[];
  /** By Redis' clock. */
  succeededAtMs: number | undefined;
  running: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Times without a note are by `performance.now()`. */
interface HeldBlock {
  given: AdmissionBlock;
  left: number;
  askedMs: number;
  answeredMs: number;
  untilMs: number;
}

/**
 * Calls that one process lets out without asking Redis for each: blocks of them, admitted in advance where that changes
 * nothing (see `block.lua`: circuit closed without a failure, nothing waiting, half of every quota free, no limit of
 * calls at once, nothing shared). Their units are counted before they go, so no limit is ever exceeded.
 *
 * What ends a block: its end 50 ms after it was asked for, by this process's monotonic clock; at once a failure, a pause
 * or a report that this process itself hears of; and those that others hear of, or a circuit opened by hand, by a message
 * that takes as long as one of Redis. So at most 50 ms of another process's calls follow the failure that opens a
 * circuit, and none of the process's own that counts it, apart from those that were under way.
 */
export class CallBlocks {
  readonly #door: BlockDoor;
  readonly #sources = new Map<string, Source[]>();
  readonly #running = new Map<AdmissionLease, Source>();
  #count = 0;
  #last = 0;

  constructor(door: BlockDoor) {
    this.#door = door;
  }

  /** Admits a call by itself. @returns undefined when Redis has to decide */
  take(call: AdmissionCall): Admitted | undefined {
    const callsMax = callsMaxOf(call);
    if (callsMax < CALLS_MIN) return undefined;
    const source = this.#sourceOf(call, callsMax);
    const nowMs = performance.now();
    notePace(source, nowMs);
    const { held } = source;
    if (held === undefined || held.left === 0 || nowMs >= held.untilMs) {
      this.#askWhenDue(source, nowMs);
      return undefined;
    }
    held.left--;
    if (held.left < held.given.calls * LEFT_SHARE || nowMs > held.untilMs - LEFT_MS)
      this.#askWhenDue(source, nowMs);
    const admitted = admit(call, held, nowMs);
    this.#running.set(admitted.lease, source);
    source.running++;
    return admitted;
  }

  /**
   * Ends a call of a block.
   *
   * @returns true when Redis has to hear of it now
   */
  finish(lease: AdmissionLease, result: CallResult): boolean {
    const source = this.#running.get(lease);
    if (source === undefined) return false;
    this.#forget(lease, source);
    if (isNews(result)) return true;
    if (result.isSent === false) source.unused.push({ countedAtMs: lease.countedAtMs, calls: 1 });
    if (result.outcome !== "success") return false;
    const nowMs = performance.now();
    const { held } = source;
    // Later its circuit may count failures, which a success ends.
    if (held === undefined || nowMs >= held.untilMs) return true;
    // Not dated too late, or it would end a row of failures that came after it.
    source.succeededAtMs = Math.floor(held.given.givenAtMs + nowMs - held.answeredMs);
    return false;
  }

  /** How a call ended that was admitted in whatever way: what a block was given on may not hold any more. */
  hear(call: AdmissionCall, result: CallResult): void {
    if (isNews(result))
      this.end(callKeys(call)[0]!, (result.reports?.length ?? 0) > 0 ? REPORTED_QUIET_MS : QUIET_MS);
  }

  /**
   * Ends the blocks of an integration before their time.
   *
   * @param state the key of its state
   * @param quietMs for which none is asked for
   */
  end(state: string, quietMs = QUIET_MS): void {
    for (const source of this.#sources.get(state) ?? []) {
      source.round++;
      source.quietUntilMs = Math.max(source.quietUntilMs, performance.now() + quietMs);
      putDown(source);
      this.#lapse(source);
    }
  }

  /** Ends all blocks, and gives back what is left of them. */
  async endAll(): Promise<void> {
    const sources = [...this.#sources.values()].flat();
    for (const source of sources) {
      source.round++;
      source.quietUntilMs = Number.POSITIVE_INFINITY;
    }
    await Promise.all(sources.map((source) => this.#release(source)));
  }

  #sourceOf(call: AdmissionCall, callsMax: number): Source {
    const keys = callKeys(call);
    const state = keys[0]!;
    const known = this.#sources.get(state);
    const found = known?.find((source) => source.keys === keys);
    if (found !== undefined) return found;
    if (this.#count >= SOURCES_MAX) this.#forgetIdle();
    const source: Source = {
      number: ++this.#last,
      keys,
      call,
      callsMax,
      sinceMs: performance.now(),
      counted: 0,
      callsPerMs: 0,
      held: undefined,
      isAsking: false,
      round: 0,
      quietUntilMs: 0,
      unused: [],
      succeededAtMs: undefined,
      running: 0,
      timer: undefined,
    };
    this.#sources.set(state, [...(known ?? []), source]);
    this.#count++;
    return source;
  }

  #forgetIdle(): void {
    for (const [state, sources] of this.#sources) {
      const busy = sources.filter(({ held, isAsking }) => held !== undefined || isAsking);
      if (busy.length === 0) this.#sources.delete(state);
      else this.#sources.set(state, busy);
      this.#count -= sources.length - busy.length;
    }
  }

  #askWhenDue(source: Source, nowMs: number): void {
    if (source.isAsking || nowMs < source.quietUntilMs) return;
    const calls = Math.min(source.callsMax, Math.ceil(source.callsPerMs * BLOCK_MS));
    if (calls >= CALLS_MIN) void this.#ask(source, calls, nowMs);
  }

  async #ask(source: Source, calls: number, askedMs: number): Promise<void> {
    source.isAsking = true;
    const { round } = source;
    const given = await this.#tell(source, calls);
    source.isAsking = false;
    if (given === undefined) {
      source.quietUntilMs = Math.max(source.quietUntilMs, performance.now() + QUIET_MS);
      if (source.held === undefined || performance.now() >= source.held.untilMs) this.#lapse(source);
      return;
    }
    if (round !== source.round) {
      source.unused.push({ countedAtMs: given.endsAtMs, calls: given.calls });
      this.#lapse(source);
      return;
    }
    putDown(source);
    const lifeMs = given.endsAtMs - given.givenAtMs;
    source.held = {
      given,
      left: given.calls,
      askedMs,
      answeredMs: performance.now(),
      untilMs: askedMs + lifeMs,
    };
    clearTimeout(source.timer);
    source.timer = setTimeout(() => this.#lapse(source), lifeMs + 1);
    source.timer.unref();
  }

  /** Unless another block may follow, which is told what became of this one. */
  #lapse(source: Source): void {
    if (!source.isAsking) void this.#release(source);
  }

  /** The block is over and no other one follows: what is left of it is given back, and its calls stand by themselves. */
  async #release(source: Source): Promise<void> {
    clearTimeout(source.timer);
    putDown(source);
    const outlasting: AdmissionLease[] = [];
    if (source.running > 0)
      for (const [lease, of] of this.#running) if (of === source) outlasting.push(lease);
    this.list(outlasting);
    if (source.unused.length > 0 || source.succeededAtMs !== undefined) await this.#tell(source, 0);
  }

  /** Puts calls among those in flight; from there on they end as any other. */
  list(leases: readonly AdmissionLease[]): void {
    if (leases.length === 0) return;
    for (const lease of leases) {
      const source = this.#running.get(lease);
      if (source === undefined) continue;
      this.#forget(lease, source);
      lease.block = undefined;
    }
    this.#door.list(leases);
  }

  #forget(lease: AdmissionLease, source: Source): void {
    this.#running.delete(lease);
    source.running--;
  }

  /** What could not be told stays counted. */
  #tell(source: Source, calls: number): Promise<AdmissionBlock | undefined> {
    const { call, unused, succeededAtMs, running } = source;
    source.unused = [];
    source.succeededAtMs = undefined;
    return this.#door.ask(call, {
      source: source.number,
      calls,
      callsMin: CALLS_MIN,
      lifeMs: BLOCK_MS,
      running,
      succeededAtMs,
      unused,
    });
  }
}

/** What others have to hear of at once. */
function isNews({ outcome, retryAfterMs, reports }: CallResult): boolean {
  return outcome === "failure" || (retryAfterMs ?? 0) > 0 || (reports?.length ?? 0) > 0;
}

const sizes = new WeakMap<readonly Quota[], number>();

/** Calls that one block may have; 0 when they are not admitted in advance. */
function callsMaxOf(call: AdmissionCall): number {
  if (call.concurrency !== undefined || call.sharedConcurrency !== undefined || call.route !== undefined)
    return 0;
  let size = sizes.get(call.quotas);
  if (size === undefined) {
    const met = call.quotas.filter(({ weight }) => weight > 0);
    const isApart = call.quotas.every(
      ({ scope, limit, windowMs }) =>
        scope !== "provider" && limit > LOG_LIMIT_MAX && windowMs >= WINDOW_MIN_MS,
    );
    size = isApart
      ? Math.floor(Math.min(10_000, ...met.map(({ limit, weight }) => (limit * LIMIT_SHARE) / weight)))
      : 0;
    sizes.set(call.quotas, size);
  }
  return size;
}

function notePace(source: Source, nowMs: number): void {
  source.counted++;
  const spanMs = nowMs - source.sinceMs;
  if (spanMs < PACE_MS) {
    if (source.counted >= CALLS_MIN)
      source.callsPerMs = Math.max(source.callsPerMs, source.counted / Math.max(spanMs, FIRST_PACE_MS));
    return;
  }
  source.callsPerMs = source.counted / spanMs;
  source.counted = 0;
  source.sinceMs = nowMs;
}

function putDown(source: Source): void {
  const { held } = source;
  source.held = undefined;
  if (held !== undefined && held.left > 0)
    source.unused.push({ countedAtMs: held.given.endsAtMs, calls: held.left });
}

/** The time since the question was sent is no shorter than that since Redis answered it, so no call is dated too early. */
function admit(call: AdmissionCall, { given, left, askedMs }: HeldBlock, nowMs: number): Admitted {
  const remaining: Record<string, number> = {};
  for (let index = 0; index < call.quotas.length; index++) {
    const { name, weight } = call.quotas[index]!;
    remaining[name] = Math.max(0, given.free[index]! - (given.calls - left) * weight);
  }
  return {
    kind: "go",
    lease: {
      call,
      admittedAtMs: Math.floor(given.givenAtMs + nowMs - askedMs),
      countedAtMs: given.endsAtMs,
      block: given,
      takenUnits: given.taken,
    },
    remaining,
    circuit: given.circuit,
    isProbe: false,
    queuedMs: 0,
  };
}
