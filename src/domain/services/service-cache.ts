import type { Runtime } from "../../platform/runtime.ts";
import { findService, type ServiceRow } from "./store.ts";

interface Entry {
  service: ServiceRow | null;
  expiresAtMs: number;
}

const TTL_MS = 30_000;
const NEGATIVE_TTL_MS = 5_000;
/** Tenants times services of one deployment stay far below this; it bounds what odd names can fill. */
const ENTRIES_MAX = 50_000;

/**
 * Target services by tenant and name, for the worker. Entries expire, because pub/sub loses messages, and serve on while
 * Postgres is away.
 */
export class ServiceCache {
  readonly #runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<ServiceRow | null>>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** @returns null when there is no such service; rejects when Postgres is away and nothing is known */
  get(tenantId: string, name: string): ServiceRow | null | Promise<ServiceRow | null> {
    const key = `${tenantId}/${name}`;
    const entry = this.#entries.get(key);
    if (entry !== undefined && this.#runtime.clock.nowMs() < entry.expiresAtMs) return entry.service;
    const loading = this.#loading.get(key) ?? this.#load(key, tenantId, name);
    return entry === undefined ? loading : loading.catch(() => entry.service);
  }

  /** Forgets a name for every tenant: a platform's row counts for all. */
  invalidate(name: string): void {
    for (const key of this.#entries.keys()) if (key.endsWith(`/${name}`)) this.#entries.delete(key);
  }

  clear(): void {
    for (const entry of this.#entries.values()) entry.expiresAtMs = 0;
  }

  #load(key: string, tenantId: string, name: string): Promise<ServiceRow | null> {
    const loading = findService(this.#runtime.sqlSystem, tenantId, name)
      .then((row) => {
        const service = row ?? null;
        const ttlMs = service === null ? NEGATIVE_TTL_MS : TTL_MS * (0.8 + Math.random() * 0.2);
        if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear();
        this.#entries.set(key, { service, expiresAtMs: this.#runtime.clock.nowMs() + ttlMs });
        return service;
      })
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }
}
