import { subscribeInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { BreakerSettings } from "./breaker-state.ts";
import { effectiveSettings } from "./effective-settings.ts";
import { findThresholds } from "./store.ts";

interface Entry {
  settings: BreakerSettings;
  expiresAtMs: number;
}

const TTL_MS = 30_000;
const ENTRIES_MAX = 100_000;

/**
 * Circuit settings by integration: filled from Postgres, invalidated by pub/sub, expiring by time, and cleared when the
 * subscriber reconnects. With Postgres away the last known ones serve on, and the environment's where none is known.
 */
export class CircuitSettingsCache {
  readonly #runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  /** Raised by each invalidation: a load that began before it is not kept. */
  #epoch = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Hears of changed settings. */
  async follow(): Promise<void> {
    await subscribeInvalidation(this.#runtime, {
      handlers: { circuit: (integrationId) => this.#forget(this.#entries.get(integrationId)) },
      onReconnect: () => {
        for (const entry of this.#entries.values()) this.#forget(entry);
      },
    });
  }

  /** Without waiting where the settings are known. */
  get(integrationId: string): BreakerSettings | Promise<BreakerSettings> {
    const entry = this.#entries.get(integrationId);
    if (entry !== undefined && this.#runtime.clock.nowMs() < entry.expiresAtMs) return entry.settings;
    return this.#load(integrationId, entry);
  }

  #forget(entry: Entry | undefined): void {
    this.#epoch++;
    if (entry !== undefined) entry.expiresAtMs = 0;
  }

  async #load(integrationId: string, stale: Entry | undefined): Promise<BreakerSettings> {
    const { config, clock, log, sqlSystem } = this.#runtime;
    const epoch = this.#epoch;
    try {
      const settings = effectiveSettings(config, await findThresholds(sqlSystem, integrationId));
      if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear();
      const ttlMs = TTL_MS * (0.8 + Math.random() * 0.2);
      if (epoch === this.#epoch)
        this.#entries.set(integrationId, { settings, expiresAtMs: clock.nowMs() + ttlMs });
      return settings;
    } catch (error) {
      log.warn({ err: error, integrationId }, "circuit settings were not read");
      return stale?.settings ?? effectiveSettings(config, undefined);
    }
  }
}
