import type { LaneHealth, LaneState } from "./lane-health.ts";
import {
  afterFailure,
  afterSuccess,
  afterSuspicion,
  isForgettable,
  laneState,
  newLaneHealth,
} from "./lane-health.ts";

/** Lanes beyond which those with nothing to remember are looked for. */
const SWEEP_ABOVE = 1024;

export interface Lane<Job, Owner> {
  readonly key: string;
  health: LaneHealth;
  waiting: Job[];
  /** Jobs at `owner` that are not answered. */
  outstanding: number;
  /** The one child that this key occupies. */
  owner: Owner | undefined;
  /** Its last job took long: the next one is sent alone, and nothing is sent behind it. */
  heavy: boolean;
  list: Lane<Job, Owner>[] | undefined;
}

/**
 * What waits, by key, in turn. A lane with waiting jobs stands in exactly one list: `ready` (any child may take it),
 * `slow` (only the child on slow duty), or its owner's.
 */
export class Lanes<Job, Owner extends { owned: Lane<Job, Owner>[] }> {
  readonly ready: Lane<Job, Owner>[] = [];
  readonly slow: Lane<Job, Owner>[] = [];
  readonly #byKey = new Map<string, Lane<Job, Owner>>();
  readonly #nowMs: () => number;
  #sweepAbove = SWEEP_ABOVE;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  lane(key: string): Lane<Job, Owner> {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const lane: Lane<Job, Owner> = {
      key,
      health: newLaneHealth(),
      waiting: [],
      outstanding: 0,
      owner: undefined,
      heavy: false,
      list: undefined,
    };
    this.#byKey.set(key, lane);
    if (this.#byKey.size > this.#sweepAbove) this.#sweep();
    return lane;
  }

  state(lane: Lane<Job, Owner>): LaneState {
    return laneState(lane.health, this.#nowMs());
  }

  /** Takes the next job of the lane for `owner`; the lane goes behind the others of that owner. */
  take(lane: Lane<Job, Owner>, owner: Owner): Job | undefined {
    const job = lane.waiting.shift();
    if (job !== undefined) {
      lane.owner = owner;
      lane.outstanding++;
    }
    this.place(lane);
    return job;
  }

  /** A job is answered, or `putBack` in front of its lane. */
  release(lane: Lane<Job, Owner>, putBack?: Job): void {
    lane.outstanding--;
    if (lane.outstanding === 0) lane.owner = undefined;
    if (putBack !== undefined) lane.waiting.unshift(putBack);
    this.place(lane);
  }

  failed(lane: Lane<Job, Owner>): void {
    lane.health = afterFailure(lane.health, this.#nowMs());
  }

  suspected(lane: Lane<Job, Owner>): void {
    lane.health = afterSuspicion(lane.health, this.#nowMs());
  }

  succeeded(lane: Lane<Job, Owner>): void {
    if (lane.health.failuresInRow > 0) lane.health = afterSuccess(lane.health);
  }

  /** Puts the lane at the end of the list where it belongs now. */
  place(lane: Lane<Job, Owner>): void {
    if (lane.list !== undefined) {
      lane.list.splice(lane.list.indexOf(lane), 1);
      lane.list = undefined;
    }
    if (lane.waiting.length > 0) {
      lane.list = lane.owner?.owned ?? (this.state(lane) === "normal" ? this.ready : this.slow);
      lane.list.push(lane);
    } else if (lane.outstanding === 0 && isForgettable(lane.health, this.#nowMs())) {
      this.#byKey.delete(lane.key);
    }
  }

  /** Removes and returns everything that waits in `lane`, or in all lanes. */
  drain(lane?: Lane<Job, Owner>): Job[] {
    const lanes = lane === undefined ? [...this.#byKey.values()] : [lane];
    return lanes.flatMap((drained) => {
      const jobs = drained.waiting;
      drained.waiting = [];
      this.place(drained);
      return jobs;
    });
  }

  counts(): { waiting: number; slowKeys: number; pausedKeys: number } {
    const lanes = [...this.#byKey.values()];
    const states = lanes.map((lane) => this.state(lane));
    return {
      waiting: lanes.reduce((sum, lane) => sum + lane.waiting.length, 0),
      slowKeys: states.filter((state) => state === "slow" || state === "probe").length,
      pausedKeys: states.filter((state) => state === "paused").length,
    };
  }

  #sweep(): void {
    for (const lane of this.#byKey.values()) {
      if (
        lane.outstanding === 0 &&
        lane.waiting.length === 0 &&
        lane.health.failuresInRow + lane.health.slowUntilMs > 0
      ) {
        this.place(lane);
      }
    }
    this.#sweepAbove = Math.max(SWEEP_ABOVE, this.#byKey.size * 2);
  }
}
