import type { Logger } from "../log.ts";
import { workerLeaseKey } from "../redis/keys.ts";
import { bindScript, type RedisClient } from "../redis/script.ts";
import releaseLua from "./release-slot.lua" with { type: "text" };
import renewLua from "./renew-slot.lua" with { type: "text" };

/** Time after which a silent worker's name is free, and what it had pending is taken over. */
const LEASE_MS = 5_000;
/** Three renewals fit into a lease, so that one lost answer costs nothing. */
const RENEW_MS = 1_500;
/** A holder stops believing in its lease this much earlier than Redis does: its clock starts before the answer. */
const SAFETY_MS = 500;
/** Names in use at once: far above WORKER_PROCESSES of any one deployment. */
const SLOTS_MAX = 4096;

/** The consumer name of one worker process, held by lease. */
export interface ConsumerSlot {
  /** Name in every consumer group: `w<slot>`. */
  readonly consumer: string;
  /** False from the moment when another process could hold the name. */
  held(): boolean;
  /** True once the name is gone for good: take another slot. */
  lost(): boolean;
  /** Stops renewing and frees the name; pending entries stay for whoever takes over. */
  release(): Promise<void>;
}

/** The consumer name that belongs to a slot, and back. */
export function consumerOfSlot(slot: number): string {
  return `w${slot}`;
}

/** @returns undefined when the name is none of ours */
export function slotOfConsumer(consumer: string): number | undefined {
  const match = /^w(\d{1,4})$/.exec(consumer);
  return match ? Number(match[1]) : undefined;
}

/**
 * Takes the lowest free consumer slot. Names are used again and again, so that restarts leave no graveyard of
 * consumers behind.
 *
 * @param client any client that waits for Redis; the lease is renewed on it every 1.5 s
 * @throws Error when all slots are taken or Redis refuses
 */
export async function acquireConsumerSlot(client: RedisClient, log: Logger): Promise<ConsumerSlot> {
  const token = crypto.randomUUID();
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const askedAt = performance.now();
    if ((await client.set(workerLeaseKey(slot), token, "PX", LEASE_MS, "NX")) === "OK") {
      return new LeasedSlot(client, slot, token, askedAt, log);
    }
  }
  throw new Error(`Cannot take a consumer slot: all ${SLOTS_MAX} are held`);
}

class LeasedSlot implements ConsumerSlot {
  readonly consumer: string;
  readonly #key: string;
  readonly #token: string;
  readonly #log: Logger;
  readonly #renewScript: (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;
  readonly #releaseScript: (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;
  readonly #timer: ReturnType<typeof setInterval>;
  #validUntil: number;
  #lost = false;

  constructor(client: RedisClient, slot: number, token: string, askedAt: number, log: Logger) {
    this.consumer = consumerOfSlot(slot);
    this.#key = workerLeaseKey(slot);
    this.#token = token;
    this.#log = log;
    this.#validUntil = askedAt + LEASE_MS - SAFETY_MS;
    this.#renewScript = bindScript(client, { name: "hubRenewSlot", lua: renewLua });
    this.#releaseScript = bindScript(client, { name: "hubReleaseSlot", lua: releaseLua });
    this.#timer = setInterval(() => void this.#renew(), RENEW_MS);
  }

  held(): boolean {
    return !this.#lost && performance.now() < this.#validUntil;
  }

  lost(): boolean {
    return this.#lost;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    this.#lost = true;
    await this.#releaseScript([this.#key], [this.#token]).catch((error: unknown) => {
      this.#log.warn(
        { err: error, consumer: this.consumer },
        "consumer slot not released; its lease will run out",
      );
    });
  }

  async #renew(): Promise<void> {
    const askedAt = performance.now();
    try {
      if ((await this.#renewScript([this.#key], [this.#token, LEASE_MS])) === 1) {
        this.#validUntil = askedAt + LEASE_MS - SAFETY_MS;
        return;
      }
      if (!this.#lost) this.#log.warn({ consumer: this.consumer }, "consumer slot lost to another worker");
      this.#lost = true;
      clearInterval(this.#timer);
    } catch (error) {
      this.#log.warn({ err: error, consumer: this.consumer }, "consumer slot not renewed");
    }
  }
}
