import { isDeepStrictEqual } from "node:util";
import { subscribeInvalidation } from "../../platform/invalidation.ts";
import { untilListening } from "../../platform/redis/until-listening.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { TRANSFORMATION_KIND } from "./announce-transformation.ts";
import { compilePipeline } from "./document-pipeline.ts";
import type { Pipeline } from "./pipeline.ts";
import { type LoadedTemplate, loadTemplate, recipeOf } from "./load-template.ts";
import { jsonataPoolOf } from "./runtime-pool.ts";
import type { StoredTemplate } from "./schema.ts";
import { newHealth, type VersionHealth } from "./template-health.ts";

/** A version in use by one tenant. */
export interface ReadyTemplate extends LoadedTemplate {
  /** Whose documents it maps. */
  forTenantId: string;
  /** Turns in threads and processes are taken by this key. */
  laneKey: string;
  pipeline: Pipeline;
  health: VersionHealth;
}

interface Entry {
  template: ReadyTemplate | null;
  expiresAtMs: number;
}

const TTL_MS = 30_000;
const NEGATIVE_TTL_MS = 5_000;
/** An entry this long past its end is still used while it is renewed, so that no document waits for Postgres. */
const RENEW_GRACE_MS = 5_000;
const ENTRIES_MAX = 5_000;

/**
 * Versions of templates, compiled. Filled from Postgres, invalidated by pub/sub, expiring by time and cleared when the
 * subscriber reconnects. With Postgres away what is known serves on.
 */
export class TemplateCache {
  readonly #runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<ReadyTemplate | null>>();
  /** Failures in a row outlive an entry that is loaded anew. */
  readonly #health = new Map<string, VersionHealth>();
  /** Raised by each invalidation: what was read before it is used once and not kept. */
  #epoch = 0;
  #loads = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    void untilListening(runtime, "transformations", () =>
      subscribeInvalidation(runtime, {
        handlers: { [TRANSFORMATION_KIND]: (tenantId) => this.invalidate(tenantId) },
        onReconnect: () => this.clear(),
      }),
    );
  }

  /**
   * The version that a tenant's endpoint, subscription or call names; null when there is none.
   *
   * @throws when Postgres is away and nothing is known of it
   */
  find(
    tenantId: string,
    { template, version }: StoredTemplate,
  ): ReadyTemplate | null | Promise<ReadyTemplate | null> {
    const number = version === "latest" ? undefined : version;
    const key = `${tenantId}/${template}@${number ?? "latest"}`;
    const entry = this.#entries.get(key);
    const nowMs = this.#runtime.clock.nowMs();
    if (entry !== undefined) {
      if (nowMs < entry.expiresAtMs) return entry.template;
      if (nowMs < entry.expiresAtMs + RENEW_GRACE_MS && entry.template !== null) {
        this.#load(key, tenantId, template, number).catch(() => undefined);
        return entry.template;
      }
    }
    return this.#load(key, tenantId, template, number).catch((error: unknown) => {
      if (entry === undefined || entry.template === null) throw error;
      return entry.template;
    });
  }

  /** Hears of a change. @param tenantId "" for the system's templates, which every tenant may use */
  invalidate(tenantId: string): void {
    this.#epoch++;
    for (const [key, entry] of this.#entries)
      if (tenantId === "" || key.startsWith(`${tenantId}/`)) entry.expiresAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Messages may have been missed: everything is asked anew, and serves on while Postgres is away. */
  clear(): void {
    this.invalidate("");
  }

  #load(
    key: string,
    tenantId: string,
    name: string,
    version: number | undefined,
  ): Promise<ReadyTemplate | null> {
    // A read that began before a change was announced may have missed it.
    const place = `${key} ${this.#epoch}`;
    const running = this.#loading.get(place);
    if (running !== undefined) return running;
    const loading = this.#loadOnce(key, tenantId, name, version).finally(() => this.#loading.delete(place));
    this.#loading.set(place, loading);
    return loading;
  }

  async #loadOnce(
    key: string,
    tenantId: string,
    name: string,
    version: number | undefined,
  ): Promise<ReadyTemplate | null> {
    const epoch = this.#epoch;
    const loaded = await loadTemplate(this.#runtime.sqlSystem, tenantId, name, version);
    const template =
      loaded === undefined ? null : this.#ready(tenantId, loaded, this.#entries.get(key)?.template);
    const isFresh = epoch === this.#epoch;
    const ttlMs = template === null ? NEGATIVE_TTL_MS : TTL_MS * (0.8 + Math.random() * 0.2);
    if (this.#entries.size >= ENTRIES_MAX) {
      this.#entries.clear();
      this.#health.clear();
    }
    this.#entries.set(key, {
      template,
      expiresAtMs: isFresh ? this.#runtime.clock.nowMs() + ttlMs : Number.NEGATIVE_INFINITY,
    });
    return template;
  }

  #ready(tenantId: string, loaded: LoadedTemplate, known: ReadyTemplate | null | undefined): ReadyTemplate {
    const laneKey = `template ${tenantId} ${loaded.templateId}@${loaded.version}`;
    let health = this.#health.get(laneKey);
    if (health === undefined) this.#health.set(laneKey, (health = newHealth()));
    const isSame = known?.templateId === loaded.templateId && known.version === loaded.version;
    // A version never changes, but the newest of those that it calls may.
    if (isSame && isDeepStrictEqual(known.subMappings, loaded.subMappings))
      return { ...known, ...loaded, subMappings: known.subMappings };
    const recipe = recipeOf(loaded, loaded.subMappings, `${laneKey} ${++this.#loads}`);
    const pool = jsonataPoolOf(this.#runtime);
    const pipeline = compilePipeline(recipe, {
      evaluateJsonata: (expression, input) => pool.evaluate({ key: laneKey, expression, input }),
    });
    return { ...loaded, forTenantId: tenantId, laneKey, pipeline, health };
  }
}

const caches = new WeakMap<Runtime, TemplateCache>();

/** The process's templates. */
export function templatesOf(runtime: Runtime): TemplateCache {
  let cache = caches.get(runtime);
  if (cache === undefined) caches.set(runtime, (cache = new TemplateCache(runtime)));
  return cache;
}
