import { systemClock } from "../../platform/clock.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import type { Frame } from "../../platform/sandbox/frames.ts";
import { assertSandboxTools } from "../../platform/sandbox/killable-child.ts";
import type { JsonataPoolStats } from "./jsonata-pool-stats.ts";
import type { Job } from "./jsonata-slot.ts";
import { Slot } from "./jsonata-slot.ts";
import { Lanes } from "./lanes.ts";
import { EXPRESSION_MAX_BYTES, FAILURES, FRAME, INPUT_MAX_BYTES } from "./protocol.ts";
import type { TransformOutcome, Verdict } from "./transform-outcome.ts";
import { CLOSED, CODE_OF_FAILURE, failure, outcomeOf, pausedVerdict, textOf } from "./transform-outcome.ts";

export interface JsonataPoolOptions {
  /** Child processes at most, 2 or more: keys that misbehave may fill one of them. Started when first needed. */
  processes: number;
  /** Memory of one child beyond the loaded program; 64 MiB or more. */
  memoryLimitBytes: number;
  /** Time for one evaluation, from its start in the child. */
  deadlineMs: number;
  /** Jobs of one key that may wait. */
  queueMaxPerKey: number;
  log: Logger;
  /** For pauses and slow lanes; deadlines are real time. */
  clock?: Clock;
}

export interface TransformJob {
  /** Endpoint or subscription id: keys take turns, and one key occupies at most one child. */
  key: string;
  expression: string;
  /** A string is JSON text as received; anything else is written as JSON. */
  input: unknown;
  deadlineMs?: number;
}

/** `position` is an offset in the expression, in characters; -1 when it is not known. */
export type ExpressionCheck = { ok: true } | { ok: false; message: string; position: number };

export interface JsonataPool {
  /** Never rejects: every end is an outcome. */
  evaluate(job: TransformJob): Promise<TransformOutcome>;
  /** Compiles in a child, for the saving of an expression. Never rejects. */
  checkExpression(expression: string): Promise<ExpressionCheck>;
  stats(): JsonataPoolStats;
  /** Kills the children; what waits ends as `transform_busy`. */
  close(): Promise<void>;
}

/** Jobs of one turn of the event loop that are not held back until its end: a child begins while the others come in. */
const EAGER_JOBS = 8;
/** Input sent ahead: a pipe that is full of large documents would only hold memory. */
const AHEAD_MAX_BYTES = 256 * 1024;

const TICK_MS = 5;
/** When our own event loop was held up this long, answers may lie unread: nobody is judged in that turn. */
const LATE_TICK_MS = 50;

/** When all children are at one job for this long, one of these jobs waits until another child is done. */
const HELD_MS = 50;

const CHECK_DEADLINE_MS = 1_000;
const BOOT_FAILURES_MAX = 3;
const MEMORY_LIMIT_MIN_BYTES = 64 * 1024 * 1024;

/**
 * A pool of child processes for JSONata expressions that tenants wrote: a hung or greedy one is killed, and delays only
 * its own key.
 *
 * @throws Error when this machine lacks `prlimit` or `setpriv`, RangeError for options out of range
 */
export function createJsonataPool(options: JsonataPoolOptions): JsonataPool {
  assertSandboxTools();
  if (!(options.processes >= 2))
    throw new RangeError("Cannot create the pool: 2 or more processes are needed");
  if (!(options.memoryLimitBytes >= MEMORY_LIMIT_MIN_BYTES)) {
    throw new RangeError(`Cannot create the pool: memoryLimitBytes is below ${MEMORY_LIMIT_MIN_BYTES}`);
  }
  return new Pool(options);
}

class Pool implements JsonataPool {
  readonly #options: JsonataPoolOptions;
  readonly #lanes: Lanes<Job, Slot>;
  readonly #slots: Slot[];
  /** The one child that runs keys which failed lately; filled again with others afterwards. */
  #slowDuty: Slot | undefined;
  #nextId = 1;
  #live = 0;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #lastTickMs = 0;
  #pumping = false;
  /** Calls of `#pumpSoon` that wait for the end of the turn. */
  #heldBack = 0;
  #closed = false;
  readonly #counts = { evaluated: 0, timedOut: 0, outOfMemory: 0 };

  constructor(options: JsonataPoolOptions) {
    this.#options = options;
    const clock = options.clock ?? systemClock;
    this.#lanes = new Lanes(() => clock.nowMs());
    const events = {
      onReady: (slot: Slot) => this.#ready(slot),
      onAnswer: (slot: Slot, job: Job, answer: Frame, takenBack: boolean) =>
        this.#answered(slot, job, answer, takenBack),
      onCrash: (slot: Slot, head: Job | undefined, rest: Job[]) => this.#crashed(slot, head, rest),
      onBootFailure: (slot: Slot) => this.#bootFailed(slot),
      onGone: () => this.#pumpSoon(),
    };
    this.#slots = Array.from({ length: options.processes }, () => new Slot(options.memoryLimitBytes, events));
  }

  async evaluate(job: TransformJob): Promise<TransformOutcome> {
    if (Buffer.byteLength(job.expression) > EXPRESSION_MAX_BYTES) {
      return failure("transform_failed", `The expression is longer than ${EXPRESSION_MAX_BYTES} bytes`);
    }
    const input = typeof job.input === "string" ? job.input : JSON.stringify(job.input ?? null);
    if (Buffer.byteLength(input) > INPUT_MAX_BYTES) {
      return failure("transform_input_too_large", `The document is larger than ${INPUT_MAX_BYTES} bytes`);
    }
    const deadlineMs = job.deadlineMs ?? this.#options.deadlineMs;
    return outcomeOf(await this.#enqueue("evaluate", job.key, job.expression, input, deadlineMs));
  }

  async checkExpression(expression: string): Promise<ExpressionCheck> {
    // A key of its own: one person's impossible expression does not keep another from saving.
    const key = `check ${this.#nextId}`;
    const answer = await this.#enqueue("check", key, expression, "", CHECK_DEADLINE_MS);
    if ("code" in answer) return { ok: false, message: answer.message, position: -1 };
    return answer.kind === FRAME.done ? { ok: true } : { ok: false, ...textOf(answer) };
  }

  stats(): JsonataPoolStats {
    const pids = this.#slots.flatMap((slot) => slot.pid ?? []);
    const starts = this.#slots.reduce((sum, slot) => sum + slot.starts, 0);
    return { children: pids.length, pids, starts, ...this.#counts, ...this.#lanes.counts() };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    const jobs = this.#lanes.drain();
    for (const slot of this.#slots) {
      const { head, rest } = slot.kill();
      jobs.push(...(head === undefined ? [] : [head]), ...rest);
      if (slot.reserved !== undefined) jobs.push(slot.reserved);
      slot.reserved = undefined;
    }
    for (const job of jobs) this.#settle(job, CLOSED);
  }

  #enqueue(
    kind: Job["kind"],
    key: string,
    expression: string,
    input: string,
    deadlineMs: number,
  ): Promise<Frame | Verdict> {
    if (this.#closed) return Promise.resolve(CLOSED);
    const lane = this.#lanes.lane(key);
    const state = this.#lanes.state(lane);
    // After a pause one try decides; what comes meanwhile is still refused.
    const isProbing = state === "probe" && lane.outstanding + lane.waiting.length > 0;
    if (state === "paused" || isProbing) return Promise.resolve(pausedVerdict());
    if (lane.waiting.length >= this.#options.queueMaxPerKey) {
      const message = `${lane.waiting.length} documents of this endpoint are waiting for their transformation`;
      return Promise.resolve({ code: "transform_busy", message });
    }
    return new Promise((settle) => {
      const id = this.#nextId;
      this.#nextId = (this.#nextId % 0xffff_fff0) + 1;
      lane.waiting.push({ id, kind, expression, input, deadlineMs, lane, settle, retried: false });
      this.#live++;
      if (lane.list === undefined) this.#lanes.place(lane);
      this.#ticker ??= this.#startTicker();
      this.#pumpSoon();
    });
  }

  /** One distribution for all that happens in this turn of the event loop, and one for each `EAGER_JOBS` in it. */
  #pumpSoon(): void {
    if (this.#closed) return;
    if (this.#pumping) {
      if (++this.#heldBack % EAGER_JOBS === 0) this.#pump();
      return;
    }
    this.#heldBack = 1;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      if (!this.#closed) this.#pump();
    });
  }

  #pump(): void {
    this.#assignSlowDuty();
    // Idle children first: nobody waits behind another's job while one is free.
    for (const slot of this.#slots.toSorted((one, other) => one.depth - other.depth)) this.#fill(slot);
    const others = this.#slots.filter((slot) => slot !== this.#slowDuty);
    if (this.#lanes.ready.length === 0 || others.some((slot) => slot.state === "starting")) return;
    others.find((slot) => slot.state === "off")?.start();
  }

  #assignSlowDuty(): void {
    if (this.#slowDuty !== undefined || this.#lanes.slow.length === 0) return;
    const nowMs = performance.now();
    // A child that is held already, so that slow keys never hold a second one.
    this.#slowDuty = this.#slots.find((slot) => slot.heldMs(nowMs) > HELD_MS);
    if (this.#slowDuty !== undefined) return;
    const idle = this.#slots.find((slot) => slot.state === "ready" && slot.depth === 0);
    this.#slowDuty = idle ?? this.#slots.find((slot) => slot.state === "off") ?? this.#slots.at(-1);
  }

  #fill(slot: Slot): void {
    if (slot.reserved !== undefined) return slot.start();
    if (slot === this.#slowDuty) return this.#fillSlow(slot);
    const { depthMax } = slot;
    if (!slot.open || slot.depth > depthMax / 2) return;
    const batch: Job[] = [];
    let bytes = 0;
    while (slot.depth + batch.length < depthMax && bytes < AHEAD_MAX_BYTES) {
      // Lanes that no child serves come first; those of this child again when nobody else waits.
      const lane = this.#lanes.ready[0] ?? slot.owned[0];
      if (lane?.heavy && slot.depth + batch.length > 0) break;
      const job = lane && this.#lanes.take(lane, slot);
      if (job === undefined) break;
      batch.push(job);
      if (job.lane.heavy) break;
      bytes += job.input.length;
    }
    slot.send(batch);
  }

  /** One job at a time, once what it had before is done. */
  #fillSlow(slot: Slot): void {
    if (slot.depth > 0) return;
    const lane = this.#lanes.slow[0];
    if (lane === undefined) {
      this.#slowDuty = undefined;
      return;
    }
    slot.start();
    const job = slot.state === "ready" ? this.#lanes.take(lane, slot) : undefined;
    if (job !== undefined) slot.send([job]);
  }

  #ready(slot: Slot): void {
    const { reserved } = slot;
    slot.reserved = undefined;
    if (reserved !== undefined) slot.send([reserved]);
    this.#pumpSoon();
  }

  #answered(slot: Slot, job: Job, answer: Frame, takenBack: boolean): void {
    const failed = answer.kind === FRAME.failed ? FAILURES[answer.b] : undefined;
    if (takenBack) {
      if (failed === "memory") this.#putBack(slot.kill());
    } else if (failed === "memory" && slot.served > 1 && !job.retried) {
      // Earlier documents may have left the memory full: judged again in a fresh child.
      this.#putBack(slot.kill());
      this.#retryAlone(slot, job);
    } else {
      if (failed === "timeout" || failed === "memory") {
        this.#blame(job, failed);
        if (failed === "memory" || slot.has(job.lane)) this.#putBack(slot.kill());
      } else {
        this.#lanes.succeeded(job.lane);
      }
      this.#counts.evaluated++;
      this.#release(job);
      this.#settle(job, answer);
    }
    if (slot === this.#slowDuty && slot.depth === 0) this.#slowDuty = undefined;
    this.#pumpSoon();
  }

  #crashed(slot: Slot, head: Job | undefined, rest: Job[]): void {
    this.#putBack({ head: undefined, rest });
    if (head !== undefined) {
      this.#options.log.warn({ key: head.lane.key }, "a transformation's process died");
      if (head.retried) {
        this.#convict(
          head,
          "memory",
          "The transformation's process died twice; it most likely ran out of memory",
        );
      } else {
        this.#retryAlone(slot, head);
      }
    }
    this.#pumpSoon();
  }

  #bootFailed(slot: Slot): void {
    this.#options.log.error({ failures: slot.bootFailures }, "a transformation process did not start");
    if (slot.bootFailures < BOOT_FAILURES_MAX) return;
    const jobs = this.#lanes.drain();
    if (slot.reserved !== undefined) {
      this.#lanes.release(slot.reserved.lane);
      jobs.push(slot.reserved);
      slot.reserved = undefined;
    }
    if (slot === this.#slowDuty) this.#slowDuty = undefined;
    for (const job of jobs) {
      this.#settle(job, { code: "transform_busy", message: "Transformation processes do not start" });
    }
  }

  #retryAlone(slot: Slot, job: Job): void {
    job.retried = true;
    slot.reserved = job;
  }

  /** Ends a job by its own fault, without an answer. */
  #convict(job: Job, failed: "timeout" | "memory", message: string): void {
    this.#blame(job, failed);
    this.#release(job);
    this.#settle(job, { code: CODE_OF_FAILURE[failed], message });
  }

  #blame(job: Job, failed: "timeout" | "memory"): void {
    this.#counts[failed === "timeout" ? "timedOut" : "outOfMemory"]++;
    this.#lanes.failed(job.lane);
    this.#options.log.warn({ key: job.lane.key, failed }, "a transformation was stopped");
  }

  /** Gives the lane free; what else waits in a lane that is paused now is refused. */
  #release(job: Job): void {
    this.#lanes.release(job.lane);
    if (this.#lanes.state(job.lane) !== "paused") return;
    for (const waiting of this.#lanes.drain(job.lane)) this.#settle(waiting, pausedVerdict());
  }

  #putBack(left: { head: Job | undefined; rest: Job[] }): void {
    const jobs = left.head === undefined ? left.rest : [left.head, ...left.rest];
    for (const job of jobs.reverse()) this.#lanes.release(job.lane, job);
  }

  #settle(job: Job, answer: Frame | Verdict): void {
    this.#live--;
    job.settle(answer);
    if (this.#live > 0) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  #startTicker(): ReturnType<typeof setInterval> {
    this.#lastTickMs = performance.now();
    return setInterval(() => this.#tick(), TICK_MS);
  }

  /** Deadlines of all children; nothing here costs more than a comparison while all goes well. */
  #tick(): void {
    const nowMs = performance.now();
    const late = nowMs - this.#lastTickMs > LATE_TICK_MS;
    this.#lastTickMs = nowMs;
    if (late) return;
    for (const slot of this.#slots) {
      const state = slot.inspect(nowMs);
      if (state === "overdue") this.#stop(slot);
      else if (state === "stuck") this.#putBack({ head: undefined, rest: slot.takeBack() });
    }
    this.#keepOneFree(nowMs);
    this.#pumpSoon();
  }

  /**
   * Keys that nothing is known of may hold all children at once. The one that began last gives its child free and waits
   * for the child that slow keys share, where it has its whole deadline; keys known for long jobs are let be.
   */
  #keepOneFree(nowMs: number): void {
    if (!this.#slots.every((slot) => slot.heldMs(nowMs) > HELD_MS)) return;
    const [newest] = this.#slots
      .filter((slot) => slot !== this.#slowDuty && slot.reserved === undefined && !slot.isAtHeavy)
      .toSorted((one, other) => one.heldMs(nowMs) - other.heldMs(nowMs));
    if (newest === undefined) return;
    const left = newest.kill();
    if (left.head !== undefined) {
      this.#lanes.suspected(left.head.lane);
      this.#options.log.info({ key: left.head.lane.key }, "a transformation gives its process free");
    }
    this.#putBack(left);
  }

  #stop(slot: Slot): void {
    const starting = slot.state === "starting";
    const { head, rest } = slot.kill();
    this.#putBack({ head: undefined, rest });
    if (starting) this.#bootFailed(slot);
    if (head !== undefined) {
      this.#convict(head, "timeout", `The transformation did not end within ${head.deadlineMs} ms`);
    }
    if (slot === this.#slowDuty) this.#slowDuty = undefined;
  }
}
