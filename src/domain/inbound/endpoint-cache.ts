import { withinTime } from "../../platform/process/within-time.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { compileEndpoint, type CachedEndpoint } from "./compile-endpoint.ts";
import { findEndpointRow, findEndpointRowById, type EndpointRow } from "./endpoint-store.ts";

export type { CachedEndpoint } from "./compile-endpoint.ts";

/** Postgres could not be asked: an unknown endpoint is then 503, never 404. */
export class EndpointUnavailableError extends Error {
  constructor(cause: unknown) {
    super("Cannot look up the endpoint", { cause });
    this.name = "EndpointUnavailableError";
  }
}

interface Entry {
  endpoint: CachedEndpoint | null;
  expiresAtMs: number;
}

const TTL_MS = 30_000;
const NEGATIVE_TTL_MS = 5_000;
/** An entry this long past its end is still used while it is renewed, so that no request waits for Postgres. */
const RENEW_GRACE_MS = 5_000;
/** Longest wait for Postgres before a stale entry is used or the sender gets 503. */
const LOAD_TIMEOUT_MS = 1_000;
/** Bounds what random paths of a scanner can fill. */
const ENTRIES_MAX = 100_000;

/**
 * Endpoints by `<tenant>/<path>` and by id, compiled for use. Filled from Postgres, invalidated by pub/sub, expiring
 * by time and cleared when the subscriber reconnects, because pub/sub loses messages.
 */
export class EndpointCache {
  readonly #runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<CachedEndpoint | null>>();
  /** Raised by each invalidation: a load that began before it must not be kept. */
  #epoch = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * The endpoint of a URL, without waiting where the cache is warm.
   *
   * @param key `<tenant slug or id>/<endpoint path>`
   * @returns the endpoint, null when there is none, or a promise of either that rejects with EndpointUnavailableError
   */
  byPath(key: string): CachedEndpoint | null | Promise<CachedEndpoint | null> {
    return this.#get(key, () => {
      const slash = key.indexOf("/");
      return findEndpointRow(this.#runtime.sqlSystem, key.slice(0, slash), key.slice(slash + 1));
    });
  }

  /** What is known of a URL without asking, however old; undefined: nothing. */
  peek(key: string): CachedEndpoint | null | undefined {
    return this.#entries.get(key)?.endpoint;
  }

  /** The endpoint with this id, also when it is disabled; null when it was deleted. */
  byId(id: string): CachedEndpoint | null | Promise<CachedEndpoint | null> {
    return this.#get(`#${id}`, () => findEndpointRowById(this.#runtime.sqlSystem, id));
  }

  /** Forgets one endpoint, and every "there is none", because the change may have made one. */
  invalidate(id: string): void {
    this.#epoch++;
    for (const [key, entry] of this.#entries) {
      if (entry.endpoint === null || entry.endpoint.id === id) this.#entries.delete(key);
    }
  }

  /** Marks everything as to be asked anew; kept as stale in case Postgres is away. */
  clear(): void {
    this.#epoch++;
    for (const entry of this.#entries.values()) entry.expiresAtMs = 0;
  }

  #get(
    key: string,
    load: () => Promise<EndpointRow | undefined>,
  ): CachedEndpoint | null | Promise<CachedEndpoint | null> {
    const entry = this.#entries.get(key);
    const nowMs = this.#runtime.clock.nowMs();
    if (entry !== undefined) {
      if (nowMs < entry.expiresAtMs) return entry.endpoint;
      if (nowMs < entry.expiresAtMs + RENEW_GRACE_MS && entry.endpoint !== null) {
        this.#load(key, load).catch(() => undefined);
        return entry.endpoint;
      }
    }
    return withinTime(this.#load(key, load), LOAD_TIMEOUT_MS).catch((error: unknown) => {
      if (entry !== undefined && entry.endpoint !== null) return entry.endpoint;
      throw new EndpointUnavailableError(error);
    });
  }

  #load(key: string, load: () => Promise<EndpointRow | undefined>): Promise<CachedEndpoint | null> {
    const running = this.#loading.get(key);
    if (running) return running;
    const loading = this.#loadOnce(key, load).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  async #loadOnce(key: string, load: () => Promise<EndpointRow | undefined>): Promise<CachedEndpoint | null> {
    const epoch = this.#epoch;
    const row = await load();
    const endpoint = row === undefined ? null : await compileEndpoint(this.#runtime, row);
    if (epoch !== this.#epoch) return endpoint;
    const nowMs = this.#runtime.clock.nowMs();
    const ttlMs = endpoint === null ? NEGATIVE_TTL_MS : TTL_MS * (0.8 + Math.random() * 0.2);
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear();
    this.#entries.set(key, {
      endpoint,
      expiresAtMs: Math.min(nowMs + ttlMs, endpoint?.secretsChangeAtMs ?? Infinity),
    });
    return endpoint;
  }
}
