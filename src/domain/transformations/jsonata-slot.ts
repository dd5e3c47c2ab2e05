import { fileURLToPath } from "node:url";
import type { Frame } from "../../platform/sandbox/frames.ts";
import type { KillableChild } from "../../platform/sandbox/killable-child.ts";
import { spawnKillableChild } from "../../platform/sandbox/killable-child.ts";
import type { Lane } from "./lanes.ts";
import { EXPRESSION_SLOTS, FRAME } from "./protocol.ts";
import type { Verdict } from "./transform-outcome.ts";

const ENTRY = fileURLToPath(new URL("./jsonata-child.ts", import.meta.url));

/** An evaluation of this length makes its key heavy: ordinary mappings take well below one millisecond. */
const HEAVY_MS = 5;

/** A child may be at one job for this long before the jobs behind it go elsewhere. */
const TAKE_BACK_MS = 25;

/** Share of the deadline after which JSONata's own guard stops, so that most endless expressions cost no process. */
const GUARD_SHARE = 0.8;

/** Jobs sent ahead to a child, so that it does not idle while answers travel: for so long, and so many. */
const AHEAD_MS = 2.5;
const AHEAD_MIN = 8;
const AHEAD_MAX = 64;

/** Weight of the last answer in the mean time of a job. */
const MEAN_WEIGHT = 1 / 16;

/** Start-up of a child, 30 ms when idle; a machine in trouble gets this long. */
const BOOT_TIMEOUT_MS = 10_000;

/** Pause before starting again after a child that did not come up, doubled each time. */
const BOOT_RETRY_MS = 100;
const BOOT_RETRY_MAX_MS = 5_000;

export interface Job {
  readonly id: number;
  readonly kind: "evaluate" | "check";
  readonly expression: string;
  /** JSON text; empty for a check. */
  readonly input: string;
  readonly deadlineMs: number;
  readonly lane: Lane<Job, Slot>;
  readonly settle: (answer: Frame | Verdict) => void;
  /** Its child died under it once already; the next death is its own fault. */
  retried: boolean;
}

interface Entry {
  readonly job: Job;
  /** Given to another child meanwhile; the answer of this one is dropped. */
  takenBack: boolean;
}

export interface SlotEvents {
  onReady: (slot: Slot) => void;
  onAnswer: (slot: Slot, job: Job, answer: Frame, takenBack: boolean) => void;
  /** Died without our doing; `head` is what it was at. */
  onCrash: (slot: Slot, head: Job | undefined, rest: Job[]) => void;
  onBootFailure: (slot: Slot) => void;
  /** Gone after our kill: another can be started. */
  onGone: (slot: Slot) => void;
}

/** Place of one child: starts it, keeps what it was sent in order, knows what it is at and for how long. */
export class Slot {
  /** Lanes with waiting jobs that this slot holds. */
  readonly owned: Lane<Job, Slot>[] = [];
  /** To run alone, first thing, on the next child. */
  reserved: Job | undefined;
  /** Jobs answered by the present child. */
  served = 0;
  bootFailures = 0;
  starts = 0;
  #state: "off" | "starting" | "ready" | "dying" = "off";
  #child: KillableChild | undefined;
  #queue: Entry[] = [];
  #expressions = new Map<string, number>();
  #headSinceMs = 0;
  /** Of a job, as the child did them lately. */
  #meanMs = 0;
  #notBeforeMs = 0;
  readonly #memoryLimitBytes: number;
  readonly #events: SlotEvents;

  constructor(memoryLimitBytes: number, events: SlotEvents) {
    this.#memoryLimitBytes = memoryLimitBytes;
    this.#events = events;
  }

  get state(): "off" | "starting" | "ready" | "dying" {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Jobs sent and not answered. */
  get depth(): number {
    return this.#queue.length;
  }

  /** Starts the child unless one is there or the last ones failed a moment ago. */
  start(): void {
    if (this.#state !== "off" || performance.now() < this.#notBeforeMs) return;
    this.#state = "starting";
    this.#headSinceMs = performance.now();
    this.#expressions.clear();
    this.served = 0;
    this.#meanMs = AHEAD_MS / AHEAD_MIN;
    this.starts++;
    this.#child = spawnKillableChild({
      entry: ENTRY,
      memoryLimitBytes: this.#memoryLimitBytes,
      onReady: () => {
        this.#state = "ready";
        this.bootFailures = 0;
        this.#events.onReady(this);
      },
      onFrame: (frame) => this.#answered(frame),
      onExit: () => this.#exited(),
    });
  }

  send(jobs: readonly Job[]): void {
    if (jobs.length === 0) return;
    if (this.#queue.length === 0) this.#headSinceMs = performance.now();
    const frames: Frame[] = [];
    for (const job of jobs) {
      this.#queue.push({ job, takenBack: false });
      if (job.kind === "check") {
        frames.push({ kind: FRAME.check, a: job.id, b: 0, c: 0, text: job.expression });
        continue;
      }
      const number = this.#numberOf(job.expression, frames);
      const guardMs = Math.max(1, Math.floor(job.deadlineMs * GUARD_SHARE));
      frames.push({ kind: FRAME.evaluate, a: job.id, b: number, c: guardMs, text: job.input });
    }
    this.#child?.send(frames);
  }

  /** Jobs that it is given at most: work of milliseconds, however short a job is. */
  get depthMax(): number {
    return Math.min(AHEAD_MAX, Math.max(AHEAD_MIN, Math.floor(AHEAD_MS / this.#meanMs)));
  }

  /** Whether a job sent now would be begun within milliseconds. */
  get open(): boolean {
    return this.#state === "ready" && this.#queue.every((entry) => !entry.takenBack && !entry.job.lane.heavy);
  }

  /**
   * `overdue`: to be killed. `stuck`: what waits behind the present job is to go elsewhere. A job that was taken back
   * and is then slow here too is not worth its deadline, because its answer is not wanted any more.
   */
  inspect(nowMs: number): "fine" | "stuck" | "overdue" {
    const sinceMs = nowMs - this.#headSinceMs;
    if (this.#state === "starting") return sinceMs > BOOT_TIMEOUT_MS ? "overdue" : "fine";
    const head = this.#queue[0];
    if (this.#state !== "ready" || head === undefined || sinceMs <= TAKE_BACK_MS) return "fine";
    return head.takenBack || sinceMs > head.job.deadlineMs ? "overdue" : "stuck";
  }

  /** Time for which it has been at its present job, milliseconds; 0 where it is at none that is wanted. */
  heldMs(nowMs: number): number {
    const head = this.#queue[0];
    return this.#state !== "ready" || head === undefined || head.takenBack ? 0 : nowMs - this.#headSinceMs;
  }

  /** Whether the present job's key is known for jobs that take long. */
  get isAtHeavy(): boolean {
    return this.#queue[0]?.job.lane.heavy === true;
  }

  /** Takes back what waits behind the job that it is at. */
  takeBack(): Job[] {
    const behind = this.#queue.slice(1).filter((entry) => !entry.takenBack);
    for (const entry of behind) entry.takenBack = true;
    return behind.map((entry) => entry.job);
  }

  has(lane: Lane<Job, Slot>): boolean {
    return this.#queue.some((entry) => entry.job.lane === lane && !entry.takenBack);
  }

  /** Kills the child. Returns what it was at (unless given to another meanwhile) and what waited behind. */
  kill(): { head: Job | undefined; rest: Job[] } {
    const left = this.#unanswered();
    if (this.#state === "starting") this.#bootFailed();
    if (this.#state !== "off") this.#state = "dying";
    this.#child?.kill();
    return left;
  }

  #unanswered(): { head: Job | undefined; rest: Job[] } {
    const [first, ...behind] = this.#queue;
    this.#queue = [];
    return {
      head: first === undefined || first.takenBack ? undefined : first.job,
      rest: behind.filter((entry) => !entry.takenBack).map((entry) => entry.job),
    };
  }

  #numberOf(expression: string, frames: Frame[]): number {
    const known = this.#expressions.get(expression);
    let number = known;
    if (number === undefined) {
      const oldest = this.#expressions.entries().next().value;
      number = this.#expressions.size < EXPRESSION_SLOTS ? this.#expressions.size : (oldest?.[1] ?? 0);
      if (this.#expressions.size >= EXPRESSION_SLOTS && oldest) this.#expressions.delete(oldest[0]);
      frames.push({ kind: FRAME.define, a: number, b: 0, c: 0, text: expression });
    } else {
      this.#expressions.delete(expression);
    }
    // Last in the map is last used.
    this.#expressions.set(expression, number);
    return number;
  }

  #answered(frame: Frame): void {
    const entry = this.#queue.shift();
    const nowMs = performance.now();
    const tookMs = nowMs - this.#headSinceMs;
    if (entry !== undefined) entry.job.lane.heavy = tookMs > HEAVY_MS;
    this.#meanMs += (tookMs - this.#meanMs) * MEAN_WEIGHT;
    this.#headSinceMs = nowMs;
    this.served++;
    if (entry !== undefined) this.#events.onAnswer(this, entry.job, frame, entry.takenBack);
  }

  #bootFailed(): void {
    const pauseMs = Math.min(BOOT_RETRY_MAX_MS, BOOT_RETRY_MS * 2 ** this.bootFailures);
    this.bootFailures++;
    this.#notBeforeMs = performance.now() + pauseMs;
  }

  #exited(): void {
    const state = this.#state;
    this.#state = "off";
    this.#child = undefined;
    if (state === "starting") {
      this.#bootFailed();
      this.#events.onBootFailure(this);
    } else if (state === "ready") {
      const { head, rest } = this.#unanswered();
      this.#events.onCrash(this, head, rest);
    } else {
      this.#events.onGone(this);
    }
  }
}
