import {
  bindBinaryScript,
  type BinaryScriptResult,
  type ScriptArgument,
} from "../../platform/redis/binary-script.ts";
import { eventKeys, eventSeenKey } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import lua from "./publish.lua" with { type: "text" };

/** One checked event on its way into its stream. */
export interface PublishCommand {
  tenantId: string;
  partition: number;
  /** 16 characters: hash over tenant and event id. */
  seenField: string;
  /** When it was accepted and a hash of its content (see seen-value.ts). */
  seenValue: string;
  /** The message as JSON (`EventMessage`). */
  meta: string;
  /** JSON text of `data`; "" when it lies in Postgres. */
  data: string;
}

/** For each event of a request: undefined when it was accepted, else the seen value of its first acceptance. */
export type PublishOutcome =
  | { status: "accepted"; first: (string | undefined)[] }
  | { status: "full" }
  /** The entries may or may not be there; a repeated request finds those that are. */
  | { status: "unavailable" };

export interface PublishBatchOptions {
  client: RedisClient;
  /** On a Cluster one call a partition, elsewhere one call for all partitions of the turn. */
  cluster: boolean;
  capacity: number;
  /** False while every partition is so far from its capacity that the script need not look. */
  isNearCapacity: () => boolean;
  dedupeHotSeconds: number;
  /** Replicas that must have the batch before it counts; 0: none. */
  ackReplicas: number;
  nowMs: () => number;
}

/** A request's events that go into one lane. */
interface Waiting {
  commands: readonly PublishCommand[];
  settle: (outcome: PublishOutcome) => void;
}

interface Lane {
  waiting: Waiting[];
  scheduled: boolean;
  callsInFlight: number;
}

/** Events and characters of one call, unless a single request has more: a longer script holds up everybody on this Redis. */
const CALL_EVENTS_MAX = 512;
const CALL_CHARS_MAX = 2 * 1024 * 1024;
/** One is composed while Redis syncs the other; more only make the batches smaller. Both go over one connection, in order. */
const CALLS_IN_FLIGHT_MAX = 2;
/** Time that replicas get to acknowledge. */
const ACK_TIMEOUT_MS = 50;

const FULL: PublishOutcome = { status: "full" };
const UNAVAILABLE: PublishOutcome = { status: "unavailable" };

/**
 * Collects the requests of one turn of the event loop and puts their events into the streams with one script. Events of
 * one ordering key keep the order of `add`.
 */
export class PublishBatcher {
  readonly #options: PublishBatchOptions;
  readonly #call: (keys: readonly string[], args: readonly ScriptArgument[]) => Promise<BinaryScriptResult>;
  readonly #lanes = new Map<number, Lane>();
  /** By partition, the generation whose expiry this process has set. */
  #kept: number[] = [];

  constructor(options: PublishBatchOptions) {
    this.#options = options;
    const acknowledgement = { replicas: options.ackReplicas, timeoutMs: ACK_TIMEOUT_MS };
    this.#call = bindBinaryScript(options.client, { name: "hubPublish", lua }, acknowledgement);
  }

  /** Takes the events of one request; never rejects. Outside a Cluster they are taken all or none. */
  async add(commands: readonly PublishCommand[]): Promise<PublishOutcome> {
    if (!this.#options.cluster) return this.#enqueue(0, commands);
    const groups = Map.groupBy(commands, ({ partition }) => partition);
    const outcomes = await Promise.all(
      [...groups].map(([partition, group]) => this.#enqueue(partition, group)),
    );
    const failed =
      outcomes.find(({ status }) => status === "unavailable") ??
      outcomes.find(({ status }) => status === "full");
    if (failed !== undefined) return failed;
    const first = new Map<PublishCommand, string | undefined>();
    [...groups.values()].forEach((group, index) => {
      const outcome = outcomes[index]!;
      if (outcome.status === "accepted")
        group.forEach((command, at) => first.set(command, outcome.first[at]));
    });
    return { status: "accepted", first: commands.map((command) => first.get(command)) };
  }

  #enqueue(index: number, commands: readonly PublishCommand[]): Promise<PublishOutcome> {
    let lane = this.#lanes.get(index);
    if (lane === undefined) {
      lane = { waiting: [], scheduled: false, callsInFlight: 0 };
      this.#lanes.set(index, lane);
    }
    const { waiting } = lane;
    return new Promise((settle) => {
      waiting.push({ commands, settle });
      this.#schedule(lane);
    });
  }

  #schedule(lane: Lane): void {
    if (lane.scheduled || lane.callsInFlight >= CALLS_IN_FLIGHT_MAX || lane.waiting.length === 0) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      const batch = takeBatch(lane.waiting);
      lane.callsInFlight++;
      void this.#send(lane, batch).finally(() => {
        lane.callsInFlight--;
        this.#schedule(lane);
      });
      this.#schedule(lane);
    });
  }

  async #send(lane: Lane, batch: readonly Waiting[]): Promise<void> {
    try {
      const { keys, args } = this.#compose(batch);
      const { reply, replicas } = await this.#call(keys, args);
      const answers = reply as ("f" | (1 | string)[])[];
      const isSafe = replicas >= this.#options.ackReplicas;
      for (const [index, { settle }] of batch.entries()) {
        const answer = answers[index]!;
        if (answer === "f") settle(FULL);
        else if (!isSafe) settle(UNAVAILABLE);
        else
          settle({ status: "accepted", first: answer.map((one) => (one === 1 ? undefined : String(one))) });
      }
    } catch {
      this.#kept = [];
      for (const { settle } of batch) settle(UNAVAILABLE);
      // Those who waited behind it would wait as long again for the same silence.
      for (const { settle } of lane.waiting.splice(0)) settle(UNAVAILABLE);
    }
  }

  #compose(batch: readonly Waiting[]): { keys: string[]; args: ScriptArgument[] } {
    const { capacity, dedupeHotSeconds, nowMs, isNearCapacity } = this.#options;
    const generation = Math.floor(nowMs() / 1000 / dedupeHotSeconds);
    const keys: string[] = [];
    const keepSeconds: number[] = [];
    const indexOf = new Map<number, number>();
    const args: ScriptArgument[] = [];
    for (const { commands } of batch) {
      args.push(commands.length);
      for (const { partition, tenantId, seenField, seenValue, meta, data } of commands) {
        let index = indexOf.get(partition);
        if (index === undefined) {
          index = indexOf.size + 1;
          indexOf.set(partition, index);
          const { stream, ledger } = eventKeys(partition);
          keys.push(
            stream,
            ledger,
            eventSeenKey(partition, generation),
            eventSeenKey(partition, generation - 1),
          );
          keepSeconds.push(this.#keepSeconds(partition, generation));
        }
        args.push(index, `${tenantId}/accepted`, seenField, seenValue, meta, data);
      }
    }
    return {
      keys,
      args: [indexOf.size, isNearCapacity() ? capacity : 0, batch.length, ...keepSeconds, ...args],
    };
  }

  /** The life of a generation's hash is set once by each process, and again after an error: Redis may have lost it. */
  #keepSeconds(partition: number, generation: number): number {
    if (this.#kept[partition] === generation) return 0;
    this.#kept[partition] = generation;
    return 2 * this.#options.dedupeHotSeconds;
  }
}

/** Takes as many requests as one call holds, at least one. */
function takeBatch(waiting: Waiting[]): Waiting[] {
  let count = 0;
  let events = 0;
  let chars = 0;
  for (const { commands } of waiting) {
    events += commands.length;
    for (const { meta, data } of commands) chars += meta.length + data.length;
    if (count > 0 && (events > CALL_EVENTS_MAX || chars > CALL_CHARS_MAX)) break;
    count++;
  }
  return waiting.splice(0, count);
}
