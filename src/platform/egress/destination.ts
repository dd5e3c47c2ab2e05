import type { EgressPolicy, Refusal, Target } from "./address-policy.ts";
import { ConnectError, Connection } from "./connection.ts";

/** Time for all connection attempts of one exchange, TLS included. */
const CONNECT_MS = 10_000;
/** Time for one address while another one is left to try. */
const CONNECT_ONE_MS = 2_500;
/** A destination that nobody called for so long is forgotten. */
const FORGET_MS = 60_000;

/** One scheme, host and port under one policy, with the connections that are kept to it. */
export class Destination {
  readonly target: Target;
  readonly policy: EgressPolicy;
  lastUsedMs = 0;
  /** What the policy said of the addresses that the name had last. */
  judged: { addresses: readonly string[]; refusal: Refusal | undefined } | undefined;
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  /** Address that was connected to last: tried first. */
  #proven = "";

  constructor(target: Target, policy: EgressPolicy) {
    this.target = target;
    this.policy = policy;
  }

  /**
   * A kept connection to one of these addresses, the latest used first. Others are closed: the name points elsewhere
   * now.
   *
   * @param idleMaxMs one that was idle for longer is not taken
   */
  takeIdle(
    addresses: readonly string[],
    nowMs: number,
    idleMaxMs = Number.POSITIVE_INFINITY,
  ): Connection | undefined {
    for (;;) {
      const latest = this.#idle.at(-1);
      if (latest !== undefined && nowMs - latest.idleSinceMs > idleMaxMs) return undefined;
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      const fresh = nowMs - connection.idleSinceMs < connection.idleMaxMs;
      if (connection.isOpen && fresh && addresses.includes(connection.address)) return connection;
      connection.destroy();
    }
  }

  putIdle(connection: Connection, nowMs: number): void {
    connection.idleSinceMs = nowMs;
    this.#idle.push(connection);
  }

  /**
   * Connects to one address after the other.
   *
   * @param onPending told how to give up, for each attempt
   * @throws ConnectError of the last attempt
   */
  async connect(
    addresses: readonly string[],
    options: {
      certificates: readonly string[] | undefined;
      onTls(): void;
      onPending(giveUp: () => void): void;
      isOver(): boolean;
    },
  ): Promise<Connection> {
    const deadline = performance.now() + CONNECT_MS;
    const ordered = addresses.includes(this.#proven)
      ? [this.#proven, ...addresses.filter((address) => address !== this.#proven)]
      : addresses;
    let failure = new ConnectError("connect", "connection_failed", "There is no address to connect to");
    for (const [index, address] of ordered.entries()) {
      const left = deadline - performance.now();
      if (left <= 0 || options.isOver()) break;
      const limitMs = index < ordered.length - 1 ? Math.min(CONNECT_ONE_MS, left) : left;
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next address is for when this one fails
        const connection = await this.#connectTo(address, limitMs, options);
        this.#proven = address;
        return connection;
      } catch (error) {
        failure = error as ConnectError;
      }
    }
    throw failure;
  }

  #connectTo(
    address: string,
    limitMs: number,
    options: {
      certificates: readonly string[] | undefined;
      onTls(): void;
      onPending(giveUp: () => void): void;
    },
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection = new Connection({
        target: this.target,
        address,
        onTls: options.onTls,
        resolve(opened) {
          clearTimeout(timer);
          resolve(opened);
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#open.add(connection);
      connection.onGone = () => {
        this.#open.delete(connection);
        const index = this.#idle.indexOf(connection);
        if (index >= 0) this.#idle.splice(index, 1);
      };
      const timer = setTimeout(() => {
        connection.fail("connection_timeout", `No connection within ${Math.round(limitMs)} ms`);
      }, limitMs);
      options.onPending(() => connection.destroy());
      connection.connect(options.certificates);
    });
  }

  /** Closes what was idle for too long. @returns true when the destination itself can be forgotten */
  sweep(nowMs: number): boolean {
    const expired = this.#idle.filter(({ idleSinceMs, idleMaxMs }) => nowMs - idleSinceMs >= idleMaxMs);
    for (const connection of expired) connection.destroy();
    return this.#open.size === 0 && nowMs - this.lastUsedMs > FORGET_MS;
  }

  get idle(): readonly Connection[] {
    return this.#idle;
  }

  close(): void {
    for (const connection of this.#open) connection.destroy();
  }
}
