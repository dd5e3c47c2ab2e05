import { HubError } from "../errors.ts";
import { untilReady } from "../../platform/redis/info.ts";
import { ADMISSION_WAKE_PREFIX } from "../../platform/redis/keys.ts";
import type { RedisClient } from "../../platform/redis/script.ts";
import { subscribe } from "../../platform/redis/subscribe.ts";
import { volatileRuntime } from "../../platform/redis/volatile.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import type {
  AdmissionBlock,
  AdmissionCall,
  AdmissionLease,
  AdmissionScope,
  Admitted,
  CallResult,
  CircuitReading,
  Quota,
  RefusalCode,
  Refused,
} from "./admission-call.ts";
import {
  admissionScripts,
  type AdmissionScripts,
  admitArguments,
  blockArguments,
  type BlockAsk,
  type BlockReply,
  callKeys,
  type CircuitReply,
  finishParts,
  leaveArguments,
  quotaArguments,
  readBlock,
  readCircuit,
  renewArguments,
  scopeKeys,
} from "./admission-scripts.ts";
import { CallBlocks } from "./call-blocks.ts";
import { Waiter } from "./waiter.ts";

/** Longest wait of a call that names none. */
const QUEUE_TIMEOUT_MS = 10_000;
/** The calls of a process that died stop counting after this time; a living one renews them three times as often. */
const LEASE_MS = 5_000;
const READY_TIMEOUT_MS = 1_000;

type Reply =
  | ["go", time: number, isProbe: string, circuit: CircuitReply, ...units: number[]]
  | ["wait", ms: string, arrival: string, position: string, circuit: CircuitReply]
  | ["refused", code: RefusalCode, ms: string, circuit: CircuitReply];

/** What a process hears of admissions besides their own results. */
export interface AdmissionListener {
  /** The record of a circuit has to follow; heard again after some seconds when nobody wrote it. */
  onCircuit(scope: AdmissionScope, circuit: CircuitReading): void;
  /** A call was admitted; `hadToWait` for a place. */
  onAdmitted(call: AdmissionCall, hadToWait: boolean): void;
  /** A call was refused because of the provider's limits. */
  onLimited(call: AdmissionCall): void;
}

/** What an integration has left. */
export interface LimitsReading {
  waiting: number;
  inFlight: number;
  /** Time for which the provider wants no call. */
  heldMs: number;
  quotas: { name: string; limit: number; remaining: number; nextMs: number }[];
}

/**
 * The door of one process to all outside systems: one script admits each call, and what must wait waits here. Who may
 * go, and when, is decided by Redis' clock and for all processes together; a process keeps only its own calls' timers.
 * Where nothing could stop a call, a process is given many of them at once (`CallBlocks`).
 * Without Redis nothing goes out: an uncounted call could exceed a limit.
 */
export class Admission {
  readonly #runtime: Runtime;
  readonly #listener: AdmissionListener;
  readonly #redis: RedisClient;
  readonly #scripts: AdmissionScripts;
  readonly #id = newId();
  readonly #waiters = new Map<string, Waiter>();
  readonly #leases = new Map<string, AdmissionLease>();
  readonly #blocks: CallBlocks;
  #opening: Promise<void> | undefined;

  constructor(runtime: Runtime, listener: AdmissionListener) {
    this.#runtime = volatileRuntime(runtime);
    this.#listener = listener;
    this.#redis = this.#runtime.openRedis("ingest");
    this.#scripts = admissionScripts(this.#redis);
    this.#blocks = new CallBlocks({
      ask: (call, ask) => this.#askBlock(call, ask),
      list: (leases) => void this.#renew(leases),
    });
    const renewing = setInterval(() => void this.#renewAll(), LEASE_MS / 3);
    renewing.unref();
    runtime.shutdown.add("admission", async () => {
      clearInterval(renewing);
      await this.#blocks.endAll();
    });
  }

  /** Calls of this process that wait for their turn. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Waits until a call may go out, or tells why it may not. What was admitted must be ended by `finish`.
   *
   * @param signal when it fires the place is given up, and its reason is thrown
   * @throws HubError `unavailable` (503) without Redis
   */
  async admit(call: AdmissionCall, signal?: AbortSignal): Promise<Admitted | Refused> {
    const advance = signal?.aborted === true ? undefined : this.#blocks.take(call);
    if (advance !== undefined) {
      this.#leases.set(call.callId, advance.lease);
      this.#listener.onAdmitted(call, false);
      return advance;
    }
    await this.#open();
    const startedMs = performance.now();
    const patienceMs = Math.min(call.queueTimeoutMs ?? QUEUE_TIMEOUT_MS, call.deadlineMs);
    const waiter = new Waiter(signal);
    this.#waiters.set(call.callId, waiter);
    let arrival = "";
    try {
      for (;;) {
        signal?.throwIfAborted();
        const queuedMs = performance.now() - startedMs;
        const reply = await this.#ask(call, arrival, patienceMs - queuedMs);
        if (reply[0] === "go") return this.#admitted(call, reply, arrival === "" ? 0 : queuedMs);
        if (reply[0] === "refused") return this.#refused(call, reply, arrival !== "", queuedMs);
        arrival = reply[2];
        const leftMs = patienceMs - (performance.now() - startedMs);
        const waitMs = Number(reply[1]);
        if (leftMs <= 0) {
          await this.#leave(call);
          return this.#refused(call, ["refused", "queue_timeout", reply[1], reply[4]], true, patienceMs);
        }
        await waiter.sleep(Math.min(waitMs, leftMs));
      }
    } catch (error) {
      // A place that could not be given up lasts until it was to ask again.
      if (arrival !== "") await this.#leave(call).catch(() => undefined);
      throw error;
    } finally {
      this.#waiters.delete(call.callId);
    }
  }

  /**
   * Ends an admitted call. Never throws: when Redis is away its lease ends by itself, and the circuit does not hear of it.
   *
   * @returns the circuit after it, or undefined when Redis could not be told
   */
  async finish(lease: AdmissionLease, result: CallResult): Promise<CircuitReading | undefined> {
    const { call } = lease;
    this.#leases.delete(call.callId);
    const mustTell = lease.block === undefined || this.#blocks.finish(lease, result);
    this.#blocks.hear(call, result);
    if (!mustTell) return lease.block?.circuit;
    const nowMs = this.#runtime.clock.nowMs();
    const { keys, args } = finishParts(lease, { member: this.#member(call), result, nowMs });
    try {
      const reply = await this.#scripts.finish(keys, args);
      return this.#heard(call, reply as CircuitReply);
    } catch (error) {
      this.#runtime.log.warn({ err: error, callId: call.callId }, "the end of a call was not counted");
      return undefined;
    }
  }

  /** What an integration has left at the moment. @throws when Redis is away */
  async look(scope: AdmissionScope, quotas: readonly Quota[]): Promise<LimitsReading> {
    await this.#open();
    const keys = callKeys({ ...scope, quotas });
    const reply = (await this.#scripts.look(keys, quotas.flatMap(quotaArguments))) as string[];
    const [waiting, inFlight, heldMs, ...numbers] = reply.map(Number);
    return {
      waiting: waiting!,
      inFlight: inFlight!,
      heldMs: heldMs!,
      quotas: quotas.map(({ name }, index) => ({
        name,
        limit: numbers[index * 3]!,
        remaining: numbers[index * 3 + 1]!,
        nextMs: numbers[index * 3 + 2]!,
      })),
    };
  }

  async #ask(call: AdmissionCall, arrival: string, patienceMs: number): Promise<Reply> {
    const ask = { member: this.#member(call), arrival, leaseMs: LEASE_MS, patienceMs };
    try {
      return (await this.#scripts.admit(callKeys(call), admitArguments(call, ask))) as Reply;
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  #admitted(call: AdmissionCall, reply: Extract<Reply, ["go", ...unknown[]]>, queuedMs: number): Admitted {
    const [, time, isProbe, circuit, ...units] = reply;
    const takenUnits = call.quotas.map((_quota, index) => Number(units[index * 2 + 1]));
    const atMs = Number(time);
    const lease: AdmissionLease = { call, admittedAtMs: atMs, countedAtMs: atMs, takenUnits };
    this.#leases.set(call.callId, lease);
    this.#listener.onAdmitted(call, queuedMs > 0);
    return {
      kind: "go",
      lease,
      remaining: Object.fromEntries(call.quotas.map(({ name }, index) => [name, Number(units[index * 2])])),
      circuit: this.#heard(call, circuit),
      isProbe: isProbe === "1",
      queuedMs,
    };
  }

  #refused(
    call: AdmissionCall,
    reply: Extract<Reply, ["refused", ...unknown[]]>,
    hasWaited: boolean,
    queuedMs: number,
  ): Refused {
    const [, given, ms, circuit] = reply;
    const code = given === "rate_limited" && hasWaited ? "queue_timeout" : given;
    if (code !== "circuit_open") this.#listener.onLimited(call);
    return {
      kind: "refused",
      code,
      retryAfterMs: Number(ms),
      circuit: this.#heard(call, circuit),
      queuedMs: hasWaited ? queuedMs : 0,
    };
  }

  #heard(call: AdmissionCall, reply: CircuitReply): CircuitReading {
    const { circuit, mustRecord } = readCircuit(reply);
    // The record in Postgres is that of the provider's first server.
    if (mustRecord && call.route === undefined) this.#listener.onCircuit(call, circuit);
    return circuit;
  }

  async #leave(call: AdmissionCall): Promise<void> {
    await this.#scripts.leave(scopeKeys(call), leaveArguments(call, this.#member(call)));
  }

  async #askBlock(call: AdmissionCall, ask: BlockAsk): Promise<AdmissionBlock | undefined> {
    try {
      const reply = await this.#scripts.block(
        callKeys(call),
        blockArguments(ask, { process: this.#id, quotas: call.quotas }),
      );
      return readBlock(reply as BlockReply);
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "no calls were admitted in advance");
      return undefined;
    }
  }

  /** Those of a block that are still under way get a place of their own by it. */
  #renewAll(): Promise<void> {
    const leases = [...this.#leases.values()];
    const known = leases.filter(({ block }) => block === undefined);
    this.#blocks.list(leases.filter(({ block }) => block !== undefined));
    return this.#renew(known);
  }

  /** Calls of one integration in one script each; what is not renewed in time no longer counts. */
  async #renew(all: readonly AdmissionLease[]): Promise<void> {
    const groups = Map.groupBy(all, ({ call }) => `${call.integrationId}/${call.route ?? ""}`);
    // All at once: a call that ends meanwhile must end behind its renewal.
    const renewed = [...groups.values()].map((leases) => {
      const { call } = leases[0]!;
      const members = leases.map((lease) => this.#member(lease.call));
      return this.#scripts.renew(scopeKeys(call), renewArguments(call, LEASE_MS, members));
    });
    for (const result of await Promise.allSettled(renewed))
      if (result.status === "rejected")
        this.#runtime.log.warn({ err: result.reason }, "leases of calls were not renewed");
  }

  #member(call: AdmissionCall): string {
    return `${this.#id}/${call.callId}`;
  }

  #open(): Promise<void> {
    this.#opening ??= this.#connect().catch((error: unknown) => {
      this.#opening = undefined;
      throw this.#unavailable(error);
    });
    return this.#opening;
  }

  async #connect(): Promise<void> {
    await untilReady(this.#redis, READY_TIMEOUT_MS);
    await subscribe(this.#runtime, ADMISSION_WAKE_PREFIX + this.#id, {
      onMessage: (message) => {
        this.#waiters.get(message)?.wake();
        this.#blocks.end(message);
      },
      onGap: () => {
        for (const waiter of this.#waiters.values()) waiter.wake();
      },
    });
  }

  #unavailable(error: unknown): HubError {
    if (error instanceof HubError) return error;
    this.#runtime.log.warn({ err: error }, "no call can be admitted");
    return new HubError("unavailable", "The limits of the provider cannot be checked at the moment.", {
      retryAfterSeconds: 1,
    });
  }
}
