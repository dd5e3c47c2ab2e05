import { competeForLease, type Lease } from "../lease.ts";
import { membersKey } from "../redis/keys.ts";
import { bindScript } from "../redis/script.ts";
import type { Runtime } from "../runtime.ts";
import { newId } from "../uuid.ts";
import lua from "./members.lua" with { type: "text" };

/** Work on one partition while this process owns it. */
export interface PartitionSession {
  /** Ends the work in order: nothing new is begun, what is under way is finished. Called once, before the lease goes. */
  drain(): Promise<void>;
}

export interface PartitionOwnersOptions {
  /** The processes of one kind share the partitions out among themselves. */
  kind: string;
  /** Key of a partition's lease. */
  ownerKey: (partition: number) => string;
  /**
   * Begins the work on a partition; what it starts has to end when `lease.ended` is aborted. Its scripts carry
   * `lease.token` and are refused once another process holds the lease.
   */
  onOwned(partition: number, lease: Lease): PartitionSession;
}

/** The others wait so long for the partitions of a process that died. */
const LEASE_TTL_MS = 5_000;
const MEMBER_TTL_MS = 5_000;
const TICK_MS = 1_000;

interface Claim {
  release: () => Promise<void>;
  session: PartitionSession | undefined;
}

/**
 * Owns partitions exclusively, as many as its share among the live processes of its kind: partition p belongs to member
 * p mod n in the order of their ids. A process that joins gets its share after the others have finished what they have
 * under way; one that dies leaves its own to the others.
 */
export class PartitionOwners {
  readonly #runtime: Runtime;
  readonly #options: PartitionOwnersOptions;
  readonly #id = newId();
  readonly #claims = new Map<number, Claim>();
  readonly #releasing = new Set<Promise<void>>();
  readonly #announce: (ttlMs: number) => Promise<string[]>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(runtime: Runtime, options: PartitionOwnersOptions) {
    this.#runtime = runtime;
    this.#options = options;
    const call = bindScript(runtime.redis, { name: "hubMembers", lua });
    const key = membersKey(options.kind);
    this.#announce = (ttlMs) => call([key], [this.#id, ttlMs]) as Promise<string[]>;
  }

  /** Joins the members and begins to own. */
  async start(): Promise<void> {
    await this.#tick();
  }

  /** Finishes what is under way, gives every partition back and leaves the members. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    for (const partition of this.#claims.keys()) this.#release(partition);
    await Promise.all(this.#releasing);
    await this.#announce(0).catch(() => undefined);
  }

  async #tick(): Promise<void> {
    try {
      this.#share(await this.#announce(MEMBER_TTL_MS));
    } catch (error) {
      // The leases judge who owns what; the shares stay as they are until Redis answers.
      this.#runtime.log.warn({ err: error, kind: this.#options.kind }, "members not read");
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#tick();
    }, TICK_MS);
    this.#timer.unref();
  }

  #share(members: readonly string[]): void {
    if (this.#stopped) return;
    const rank = members.indexOf(this.#id);
    for (let partition = 0; partition < this.#runtime.config.streamPartitions; partition++) {
      const isMine = rank >= 0 && partition % members.length === rank;
      if (isMine && !this.#claims.has(partition)) this.#claim(partition);
      else if (!isMine && rank >= 0 && this.#claims.has(partition)) this.#release(partition);
    }
  }

  #claim(partition: number): void {
    const claim: Claim = { release: async () => undefined, session: undefined };
    this.#claims.set(partition, claim);
    claim.release = competeForLease(this.#runtime, {
      key: this.#options.ownerKey(partition),
      ttlMs: LEASE_TTL_MS,
      onHeld: (lease) => {
        claim.session = this.#options.onOwned(partition, lease);
      },
    });
  }

  #release(partition: number): void {
    const claim = this.#claims.get(partition)!;
    this.#claims.delete(partition);
    const work = (async () => {
      await claim.session?.drain();
      await claim.release();
    })().catch((error: unknown) =>
      this.#runtime.log.warn({ err: error, partition }, "partition not released"),
    );
    this.#releasing.add(work);
    void work.finally(() => this.#releasing.delete(work));
  }
}
