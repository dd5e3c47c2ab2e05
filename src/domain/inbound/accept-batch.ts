import { endpointRateKey, inboundKeys, seenKey } from "../../platform/redis/keys.ts";
import {
  type BinaryScriptResult,
  bindBinaryScript,
  type ScriptArgument,
} from "../../platform/redis/binary-script.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import lua from "./accept.lua" with { type: "text" };
import type { CachedEndpoint } from "./endpoint-cache.ts";

/** One verified request on its way into the stream. */
export interface AcceptCommand {
  endpoint: CachedEndpoint;
  /** 16 characters: hash over endpoint and event id. */
  eventKey: string;
  /** Receipt id and body hash, 28 characters; 38 when only 300 s count (see accept.lua). */
  dedupeValue: string;
  /** The message as JSON (`InboundMessage`). */
  meta: string;
  /** The body's bytes, base64 text when they are no UTF-8, "" when they lie in Postgres. */
  body: string | Uint8Array;
}

/** What became of one request. `unknown`: the entry may or may not be there; the sender's retry finds the same id. */
export type AcceptOutcome =
  | { status: "accepted" }
  | { status: "duplicate"; dedupeValue: string }
  | { status: "rate_limited"; retryAfterMs: number }
  | { status: "full" }
  | { status: "unavailable" };

export interface AcceptBatchOptions {
  client: RedisClient;
  /** On a Cluster one call a partition, elsewhere one call for all partitions of the turn. */
  cluster: boolean;
  capacity: number;
  /** False while every partition is so far from its capacity that the script need not look. */
  isNearCapacity: () => boolean;
  dedupeHotSeconds: number;
  /** Replicas that must have the batch before its senders get their 200; 0: none. */
  ackReplicas: number;
  nowMs: () => number;
  /** Told about each call: requests in it, how long the first of them has waited, and the error when it failed. */
  onBatch: (size: number, waitedMs: number, error: Error | undefined) => void;
}

interface Waiting {
  command: AcceptCommand;
  settle: (outcome: AcceptOutcome) => void;
}

const ACCEPTED: AcceptOutcome = { status: "accepted" };
const FULL: AcceptOutcome = { status: "full" };
const UNAVAILABLE: AcceptOutcome = { status: "unavailable" };

/** Requests in one call: Lua unpacks at most 8,000 values, and a longer script holds up everybody on this Redis. */
const BATCH_SIZE_MAX = 512;

/**
 * Calls of one lane that may be under way. What arrives meanwhile waits and makes the next batch larger: with two,
 * one is composed while Redis syncs the other; more only make batches smaller (28 k/s against 22 k/s at 256 connections).
 */
const CALLS_IN_FLIGHT_MAX = 2;

/**
 * Requests that are worth a second call. A call costs edge and Redis as much as ten requests, mostly for waking each
 * other up: one at a time leaves a moderate load its batches.
 */
const SECOND_CALL_SIZE = 32;

/** Time that replicas get to acknowledge; the next batch waits behind it. */
const ACK_TIMEOUT_MS = 50;

/** Requests whose keys one call may touch: a partition on a Cluster, everything elsewhere. */
interface Lane {
  waiting: Waiting[];
  /** When the first of `waiting` came, by `performance.now()`. */
  sinceMs: number;
  scheduled: boolean;
  callsInFlight: number;
}

/**
 * Collects the requests of one turn of the event loop and puts them into their streams with one script, so that Redis
 * parses one command and writes one block of its AOF for all of them.
 */
export class AcceptBatcher {
  readonly #options: AcceptBatchOptions;
  readonly #call: (keys: readonly string[], args: readonly ScriptArgument[]) => Promise<BinaryScriptResult>;
  readonly #lanes = new Map<number, Lane>();
  /** By partition, the generation whose expiry this process has set. */
  #kept: number[] = [];

  constructor(options: AcceptBatchOptions) {
    this.#options = options;
    const acknowledgement = { replicas: options.ackReplicas, timeoutMs: ACK_TIMEOUT_MS };
    this.#call = bindBinaryScript(options.client, { name: "hubAccept", lua }, acknowledgement);
  }

  /** Never rejects: a Redis that is away or slow is the outcome `unavailable`. */
  add(command: AcceptCommand): Promise<AcceptOutcome> {
    const lane = this.#lane(this.#options.cluster ? command.endpoint.partition : 0);
    return new Promise((settle) => {
      if (lane.waiting.length === 0) lane.sinceMs = performance.now();
      lane.waiting.push({ command, settle });
      this.#schedule(lane);
    });
  }

  #lane(index: number): Lane {
    let lane = this.#lanes.get(index);
    if (lane === undefined)
      this.#lanes.set(index, (lane = { waiting: [], sinceMs: 0, scheduled: false, callsInFlight: 0 }));
    return lane;
  }

  #schedule(lane: Lane): void {
    if (lane.scheduled || lane.waiting.length === 0 || lane.callsInFlight >= CALLS_IN_FLIGHT_MAX) return;
    if (lane.callsInFlight > 0 && lane.waiting.length < SECOND_CALL_SIZE) return;
    lane.scheduled = true;
    setImmediate(() => {
      lane.scheduled = false;
      const batch = lane.waiting.splice(0, BATCH_SIZE_MAX);
      lane.callsInFlight++;
      const { sinceMs } = lane;
      lane.sinceMs = performance.now();
      void this.#send(lane, sinceMs, groupByPartition(batch)).finally(() => {
        lane.callsInFlight--;
        this.#schedule(lane);
      });
      this.#schedule(lane);
    });
  }

  async #send(lane: Lane, sinceMs: number, byPartition: Map<number, Waiting[]>): Promise<void> {
    const ordered = [...byPartition.values()].flat();
    try {
      const { keys, args } = this.#compose(byPartition);
      const { reply, replicas } = await this.#call(keys, args);
      this.#options.onBatch(ordered.length, performance.now() - sinceMs, undefined);
      const safe = replicas >= this.#options.ackReplicas;
      for (let index = 0; index < ordered.length; index++) {
        ordered[index]!.settle(outcomeOf((reply as (number | string)[])[index]!, safe));
      }
    } catch (error) {
      this.#options.onBatch(ordered.length, performance.now() - sinceMs, error as Error);
      this.#kept = [];
      for (const { settle } of ordered) settle(UNAVAILABLE);
      // Those who waited behind it would wait as long again for the same silence.
      for (const { settle } of lane.waiting.splice(0)) settle(UNAVAILABLE);
    }
  }

  #compose(byPartition: Map<number, Waiting[]>): { keys: string[]; args: ScriptArgument[] } {
    const { capacity, dedupeHotSeconds, nowMs, isNearCapacity } = this.#options;
    const generation = Math.floor(nowMs() / 1000 / dedupeHotSeconds);
    const keys: string[] = [];
    const rateKeys: string[] = [];
    const endpointArgs: ScriptArgument[] = [];
    const requestArgs: ScriptArgument[] = [];
    const endpointIndex = new Map<CachedEndpoint, number>();
    const rateKeyBase = byPartition.size * 3 + 1;
    let ledger = "";
    for (const [partition, requests] of byPartition) {
      const names = inboundKeys(partition);
      ledger = names.ledger;
      keys.push(names.stream, seenKey(partition, generation), seenKey(partition, generation - 1));
      requestArgs.push(this.#keepSeconds(partition, generation), requests.length);
      for (const { command } of requests) {
        const { endpoint } = command;
        let index = endpointIndex.get(endpoint);
        if (index === undefined) {
          index = endpointIndex.size + 1;
          endpointIndex.set(endpoint, index);
          const limit = endpoint.rateLimit;
          if (limit) rateKeys.push(endpointRateKey(partition, endpoint.id));
          endpointArgs.push(
            endpoint.tenantId,
            limit ? rateKeyBase + rateKeys.length : 0,
            limit?.emissionMicros ?? 0,
            limit?.burstMicros ?? 0,
          );
        }
        requestArgs.push(index, command.eventKey, command.dedupeValue, command.meta, command.body);
      }
    }
    keys.push(ledger, ...rateKeys);
    const checkedCapacity = isNearCapacity() ? capacity : 0;
    return {
      keys,
      args: [byPartition.size, endpointIndex.size, checkedCapacity, ...endpointArgs, ...requestArgs],
    };
  }

  /** The life of a generation's hash is set once by each process, and again after an error: Redis may have lost it. */
  #keepSeconds(partition: number, generation: number): number {
    if (this.#kept[partition] === generation) return 0;
    this.#kept[partition] = generation;
    return 2 * this.#options.dedupeHotSeconds;
  }
}

function groupByPartition(waiting: readonly Waiting[]): Map<number, Waiting[]> {
  const groups = new Map<number, Waiting[]>();
  for (const one of waiting) {
    const group = groups.get(one.command.endpoint.partition);
    if (group) group.push(one);
    else groups.set(one.command.endpoint.partition, [one]);
  }
  return groups;
}

/** `safe` is false when too few replicas have the batch: then nobody gets a 200, a duplicate's first entry included. */
function outcomeOf(reply: number | string, safe: boolean): AcceptOutcome {
  if (reply === 1) return safe ? ACCEPTED : UNAVAILABLE;
  const text = String(reply);
  if (text[0] === "d") return safe ? { status: "duplicate", dedupeValue: text.slice(1) } : UNAVAILABLE;
  if (text[0] === "l") return { status: "rate_limited", retryAfterMs: Number(text.slice(1)) };
  return text[0] === "f" ? FULL : UNAVAILABLE;
}
