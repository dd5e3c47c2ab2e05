import type { HeldEntry } from "../../platform/streams/stream-entry.ts";

/** Largest share of the queue that one endpoint may have in work. */
const SHARE = 0.25;

/** An endpoint is slow when the oldest of its entries in work has been there for so long. */
const SLOW_MS = 500;

/** Wait of entries that give way: at least this long … */
const DEFER_MIN_MS = 5_000;
/** … later by this much for each one, so that they do not all come back at once to be sent away again … */
const DEFER_STEP_MS = 10;
/** … and never longer than this, so that an endpoint that recovers has its backlog back within a minute. */
const DEFER_MAX_MS = 60_000;

interface Lane {
  /** Entries in work, in the order of their start, with its time. */
  running: Map<HeldEntry, number>;
  waiting: HeldEntry[];
  /** Due time of the last entry that gave way. */
  lastDueMs: number;
}

/** An entry that gives way, and when it is to come back. */
export interface DeferredEntry {
  entry: HeldEntry;
  dueMs: number;
}

export interface EndpointShareOptions {
  /** WEBHOOK_QUEUE_SIZE. */
  queueSize: number;
  nowMs: () => number;
  /** Begins to process these. */
  start(entries: HeldEntry[]): void;
  /** Sends these away for a while. */
  defer(entries: DeferredEntry[]): void;
}

/**
 * Shares this process's queue among endpoints by what each has in work. An endpoint gets at most a quarter of it, and
 * at most as much as is free, so that several slow ones leave room too. What exceeds that waits here while the endpoint is
 * quick, and gives way to others once it is slow.
 */
export class EndpointShare {
  readonly #options: EndpointShareOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #laneOf = new Map<HeldEntry, Lane>();
  #runningCount = 0;
  #pumping = false;

  constructor(options: EndpointShareOptions) {
    this.#options = options;
  }

  /** Starts what may be started; the rest waits or gives way. */
  admit(entries: readonly HeldEntry[]): void {
    const start: HeldEntry[] = [];
    for (const entry of entries) {
      const lane = this.#lane(endpointIdOf(entry));
      if (lane.waiting.length === 0 && this.#mayStart(lane)) start.push(this.#begin(lane, entry));
      else lane.waiting.push(entry);
    }
    if (start.length > 0) this.#options.start(start);
  }

  /** True from the entry's start until it leaves. */
  isInWork(entry: HeldEntry): boolean {
    return this.#laneOf.has(entry);
  }

  /** The entry is processed; what is left of its way costs its endpoint nothing. */
  leave(entry: HeldEntry): void {
    const lane = this.#laneOf.get(entry);
    if (lane === undefined) return;
    this.#laneOf.delete(entry);
    lane.running.delete(entry);
    this.#runningCount--;
    if (lane.waiting.length === 0 || this.#pumping) return;
    this.#pumping = true;
    // Once a turn of the event loop: entries that end together make room for a batch.
    setImmediate(() => this.#pump());
  }

  /** Sends away what waits for slow endpoints; to be called several times a second. */
  tick(): void {
    const nowMs = this.#options.nowMs();
    const deferred: DeferredEntry[] = [];
    for (const [endpointId, lane] of this.#lanes) {
      if (lane.waiting.length > 0 && isSlow(lane)) {
        for (const entry of lane.waiting.splice(0)) deferred.push({ entry, dueMs: nextDueMs(lane, nowMs) });
      }
      if (lane.running.size === 0 && lane.waiting.length === 0 && lane.lastDueMs <= nowMs) {
        this.#lanes.delete(endpointId);
      }
    }
    if (deferred.length > 0) this.#options.defer(deferred);
    this.#pump();
  }

  #pump(): void {
    this.#pumping = false;
    const start: HeldEntry[] = [];
    for (const lane of this.#lanes.values()) {
      let taken = 0;
      while (taken < lane.waiting.length && this.#mayStart(lane)) {
        start.push(this.#begin(lane, lane.waiting[taken]!));
        taken++;
      }
      if (taken > 0) lane.waiting.splice(0, taken);
    }
    if (start.length > 0) this.#options.start(start);
  }

  #mayStart(lane: Lane): boolean {
    const { queueSize } = this.#options;
    const free = queueSize - this.#runningCount;
    return lane.running.size < Math.max(1, Math.min(Math.floor(queueSize * SHARE), free));
  }

  #begin(lane: Lane, entry: HeldEntry): HeldEntry {
    lane.running.set(entry, performance.now());
    this.#laneOf.set(entry, lane);
    this.#runningCount++;
    return entry;
  }

  #lane(endpointId: string): Lane {
    let lane = this.#lanes.get(endpointId);
    if (lane === undefined) {
      lane = { running: new Map(), waiting: [], lastDueMs: 0 };
      this.#lanes.set(endpointId, lane);
    }
    return lane;
  }
}

function isSlow(lane: Lane): boolean {
  for (const sinceMs of lane.running.values()) return performance.now() - sinceMs > SLOW_MS;
  return false;
}

function nextDueMs(lane: Lane, nowMs: number): number {
  const dueMs = Math.max(nowMs + DEFER_MIN_MS, lane.lastDueMs + DEFER_STEP_MS);
  lane.lastDueMs = Math.min(dueMs, nowMs + DEFER_MAX_MS);
  return lane.lastDueMs;
}

/** Read from the text, because an entry is parsed only when its turn comes. */
function endpointIdOf(entry: HeldEntry): string {
  const meta = entry.fields[1] ?? "";
  const at = meta.indexOf('"endpointId":"');
  return at < 0 ? "" : meta.slice(at + 14, at + 50);
}
