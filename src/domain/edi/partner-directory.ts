import { subscribeInvalidation } from "../../platform/invalidation.ts";
import { untilListening } from "../../platform/redis/until-listening.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { PARTNER_KIND } from "./announce-partner.ts";
import { acknowledgmentOf } from "./partner-envelope.ts";
import { findPartnerRows, type PartnerRow } from "./partner-store.ts";
import { envelopeKey, type PartnerRecipe } from "./read-x12-message.ts";

/** One tenant's partners, by all that finds them. */
export interface TenantPartners {
  rows: readonly PartnerRow[];
  byId: ReadonlyMap<string, PartnerRow>;
  recipes: readonly PartnerRecipe[];
}

interface Entry {
  partners: TenantPartners;
  expiresAtMs: number;
}

const TTL_MS = 30_000;
const ENTRIES_MAX = 5_000;

/**
 * Trading partners by tenant. Filled from Postgres, invalidated by pub/sub, expiring by time and cleared when the
 * subscriber reconnects. With Postgres away what is known serves on.
 */
export class PartnerDirectory {
  readonly #runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<TenantPartners>>();
  /** Raised by each announcement: what was read before it is used once and not kept. */
  #epoch = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    void untilListening(runtime, "EDI partners", () =>
      subscribeInvalidation(runtime, {
        handlers: { [PARTNER_KIND]: (tenantId) => this.#expire(tenantId) },
        onReconnect: () => this.#expire(),
      }),
    );
  }

  /** @throws when Postgres is away and nothing is known of the tenant */
  of(tenantId: string): TenantPartners | Promise<TenantPartners> {
    const entry = this.#entries.get(tenantId);
    if (entry !== undefined && this.#runtime.clock.nowMs() < entry.expiresAtMs) return entry.partners;
    const place = `${tenantId} ${this.#epoch}`;
    let loading = this.#loading.get(place);
    if (loading === undefined) {
      loading = this.#load(tenantId).finally(() => this.#loading.delete(place));
      this.#loading.set(place, loading);
    }
    return entry === undefined ? loading : loading.catch(() => entry.partners);
  }

  #expire(tenantId?: string): void {
    this.#epoch++;
    for (const [key, entry] of this.#entries) {
      if (tenantId === undefined || key === tenantId) entry.expiresAtMs = Number.NEGATIVE_INFINITY;
    }
  }

  async #load(tenantId: string): Promise<TenantPartners> {
    const epoch = this.#epoch;
    const rows = await findPartnerRows(this.#runtime.sqlSystem, tenantId);
    const partners: TenantPartners = {
      rows,
      byId: new Map(rows.map((row) => [row.id, row])),
      recipes: rows.map(recipeOf),
    };
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.clear();
    const ttlMs = TTL_MS * (0.8 + Math.random() * 0.2);
    const expiresAtMs =
      epoch === this.#epoch ? this.#runtime.clock.nowMs() + ttlMs : Number.NEGATIVE_INFINITY;
    this.#entries.set(tenantId, { partners, expiresAtMs });
    return partners;
  }
}

function recipeOf(row: PartnerRow): PartnerRecipe {
  return {
    partnerId: row.id,
    envelope: envelopeKey({
      sender: { qualifier: row.isaQualifier, id: row.isaId },
      receiver: { qualifier: row.ownIsaQualifier, id: row.ownIsaId },
    }),
    reading: row.settings.reading ?? {},
    acknowledgment: acknowledgmentOf(row),
    ta1: row.settings.interchangeAcknowledgment ?? "requested",
  };
}

const directories = new WeakMap<Runtime, PartnerDirectory>();

/** The process's partners. */
export function partnersOf(runtime: Runtime): PartnerDirectory {
  let directory = directories.get(runtime);
  if (directory === undefined) directories.set(runtime, (directory = new PartnerDirectory(runtime)));
  return directory;
}
