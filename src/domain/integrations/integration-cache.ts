import { subscribeInvalidation } from "../../platform/invalidation.ts";
import { withinTime } from "../../platform/process/within-time.ts";
import { untilListening } from "../../platform/redis/until-listening.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { chooseAuth } from "../providers/choose-auth.ts";
import { INTEGRATION_KIND, INTEGRATION_TOKENS_KIND } from "./announce-integration.ts";
import { applyOverrides } from "./apply-overrides.ts";
import type { Credentials, LoadedIntegration } from "./loaded-integration.ts";
import { effectiveLimits } from "./present-integration.ts";
import { openFields, openPart } from "./secret-fields.ts";
import { findIntegrationRow, type IntegrationRow } from "./store.ts";
import { openTokens } from "./token-store.ts";

interface Entry {
  integration: LoadedIntegration | null;
  expiresAtMs: number;
  credentials?: Promise<Credentials>;
}

const TTL_MS = 30_000;
const NEGATIVE_TTL_MS = 5_000;
/** Longest wait for Postgres before what is known serves on, or the caller gets 503. */
const LOAD_TIMEOUT_MS = 1_000;
const ENTRIES_MAX = 10_000;

/**
 * Integrations by id with their opened secrets. Filled from Postgres, invalidated by pub/sub, expiring by time, and asked
 * anew when the subscriber reconnects. With Postgres away what is known serves on.
 */
export class IntegrationCache {
  readonly #runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, { epoch: number; entry: Promise<Entry> }>();
  /** Raised by each invalidation: a load that began before it is not kept. */
  #epoch = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * The integration with this id, whoever owns it; null when there is none.
   *
   * @throws when Postgres is away and nothing is known of it
   */
  find(id: string): LoadedIntegration | null | Promise<LoadedIntegration | null> {
    const known = this.#fresh(id);
    return known === undefined ? this.#ask(id).then(({ integration }) => integration) : known.integration;
  }

  /**
   * Its opened secrets, opened once for each version of it.
   *
   * @throws VaultError when one cannot be opened
   */
  async credentials(integration: LoadedIntegration): Promise<Credentials> {
    const entry = this.#entries.get(integration.id);
    if (entry?.integration !== integration) return openAll(this.#runtime, integration.row);
    entry.credentials ??= openAll(this.#runtime, integration.row).catch((error: unknown) => {
      delete entry.credentials;
      throw error;
    });
    return entry.credentials;
  }

  /** Hears of a change. */
  invalidate(id: string): void {
    this.#epoch++;
    const entry = this.#entries.get(id);
    if (entry?.integration === null) this.#entries.delete(id);
    else if (entry !== undefined) entry.expiresAtMs = 0;
  }

  /** Messages may have been missed: everything is asked anew. */
  clear(): void {
    this.#epoch++;
    for (const entry of this.#entries.values()) entry.expiresAtMs = 0;
  }

  #fresh(id: string): Entry | undefined {
    const entry = this.#entries.get(id);
    return entry !== undefined && this.#runtime.clock.nowMs() < entry.expiresAtMs ? entry : undefined;
  }

  async #ask(id: string): Promise<Entry> {
    try {
      return await withinTime(this.#load(id), LOAD_TIMEOUT_MS);
    } catch (error) {
      const stale = this.#entries.get(id);
      if (stale?.integration) return stale;
      throw error;
    }
  }

  #load(id: string): Promise<Entry> {
    const running = this.#loading.get(id);
    // A load that began before the last change may bring what was before it.
    if (running?.epoch === this.#epoch) return running.entry;
    const epoch = this.#epoch;
    const entry = this.#read(id, epoch).finally(() => {
      if (this.#loading.get(id)?.entry === entry) this.#loading.delete(id);
    });
    this.#loading.set(id, { epoch, entry });
    return entry;
  }

  async #read(id: string, epoch: number): Promise<Entry> {
    const row = await findIntegrationRow(this.#runtime.sqlSystem, id);
    const integration = row === undefined ? null : loadedOf(this.#runtime, row);
    const ttlMs = integration === null ? NEGATIVE_TTL_MS : TTL_MS * (0.8 + Math.random() * 0.2);
    const entry: Entry = { integration, expiresAtMs: this.#runtime.clock.nowMs() + ttlMs };
    if (epoch !== this.#epoch) return entry;
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear();
    this.#entries.set(id, entry);
    return entry;
  }
}

/** A row as calls use it. */
export function loadedOf(runtime: Runtime, row: IntegrationRow): LoadedIntegration {
  const manifest = applyOverrides(row.manifest, row.overrides);
  const config = openPart(row.config);
  return {
    id: row.id,
    tenantId: row.tenantId,
    providerId: row.providerId,
    providerCode: row.providerCode,
    name: row.name,
    manifest,
    auth: chooseAuth(manifest, config),
    environment: row.environment,
    status: row.status,
    isEnabled: row.status === "ACTIVE",
    config,
    ...effectiveLimits(runtime.config, row),
    retryEnabled: row.retryEnabled,
    version: row.configVersion,
    row,
  };
}

async function openAll(runtime: Runtime, row: IntegrationRow): Promise<Credentials> {
  const fields = await openFields(runtime, runtime.sqlSystem, row);
  return { ...fields, ...(await openTokens(runtime, runtime.sqlSystem, row)).values };
}

const caches = new WeakMap<Runtime, IntegrationCache>();

/** The process's one cache, listening from its first use on. */
export function integrationCacheOf(runtime: Runtime): IntegrationCache {
  let cache = caches.get(runtime);
  if (cache === undefined) {
    const opened = new IntegrationCache(runtime);
    caches.set(runtime, (cache = opened));
    void untilListening(runtime, "integrations", () =>
      subscribeInvalidation(runtime, {
        handlers: {
          [INTEGRATION_KIND]: (id) => opened.invalidate(id),
          [INTEGRATION_TOKENS_KIND]: (id) => opened.invalidate(id),
        },
        onReconnect: () => opened.clear(),
      }),
    );
  }
  return cache;
}
