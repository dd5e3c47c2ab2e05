import type { Runtime } from "../../platform/runtime.ts";
import { readNewestVersions, readVersionSchema } from "./event-type-store.ts";
import { compileSchema, type SchemaFault } from "../../platform/json/compile-schema.ts";

/** Faults of a payload: none when it fits, at most `max`, and the first one only of a large payload. */
type PayloadCheck = (data: unknown, dataSize: number, max: number) => readonly SchemaFault[];

/** What a payload is held to. */
export interface PayloadRule {
  /** Undefined when the type has no schema of any version. */
  version: number | undefined;
  check: PayloadCheck | undefined;
}

interface Newest {
  versions: ReadonlyMap<string, number>;
  expiresAtMs: number;
}

/** One read of a tenant's versions under way. */
interface Reading {
  epoch: number;
  read: Promise<Newest>;
}

const TTL_MS = 30_000;
/** After a read that failed, what is known serves for so long before Postgres is asked again. */
const FAILED_TTL_MS = 1_000;
const TENANTS_MAX = 10_000;
/** Looking for every fault takes memory by their number, which the bytes of a payload bound. */
const ALL_FAULTS_BYTES_MAX = 16 * 1024;
/** A compiled schema takes up to some hundred KB. */
const CHECKS_MAX = 1_000;

/**
 * Schemas of the tenants' event types, compiled. Versions never change, so that only "which one is newest" is asked
 * anew; with Postgres away what is known serves on.
 */
export class EventTypeCatalogue {
  readonly #runtime: Runtime;
  readonly #newest = new Map<string, Newest>();
  readonly #reading = new Map<string, Reading>();
  readonly #checks = new Map<string, PayloadCheck | undefined>();
  #epoch = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /**
   * What payloads of a type are held to.
   *
   * @param version the publisher's own choice; the newest when left out
   * @returns undefined when the tenant has no such version
   * @throws when Postgres is away and nothing is known
   */
  async ruleOf(
    tenantId: string,
    type: string,
    version: number | undefined,
  ): Promise<PayloadRule | undefined> {
    const wanted = version ?? (await this.#versionsOf(tenantId)).get(type);
    if (wanted === undefined) return { version: undefined, check: undefined };
    const key = `${tenantId}/${type}/${wanted}`;
    if (!this.#checks.has(key)) {
      const row = await readVersionSchema(this.#runtime.sqlSystem, tenantId, type, wanted);
      if (row === undefined) return undefined;
      if (this.#checks.size >= CHECKS_MAX) this.#checks.clear();
      this.#checks.set(key, compile(row.schema));
    }
    return { version: wanted, check: this.#checks.get(key) };
  }

  /** Hears that one of a tenant's types changed. */
  invalidate(tenantId: string): void {
    this.#epoch++;
    const known = this.#newest.get(tenantId);
    if (known !== undefined) known.expiresAtMs = 0;
  }

  /** Messages may have been missed. */
  clear(): void {
    this.#epoch++;
    for (const known of this.#newest.values()) known.expiresAtMs = 0;
  }

  async #versionsOf(tenantId: string): Promise<ReadonlyMap<string, number>> {
    const known = this.#newest.get(tenantId);
    if (known !== undefined && this.#runtime.clock.nowMs() < known.expiresAtMs) return known.versions;
    try {
      return (await this.#readOnce(tenantId)).versions;
    } catch (error) {
      if (known === undefined) throw error;
      known.expiresAtMs = this.#runtime.clock.nowMs() + FAILED_TTL_MS;
      return known.versions;
    }
  }

  /** One read at a time for all who ask; who asks after a change gets one that began after it. */
  #readOnce(tenantId: string): Promise<Newest> {
    const running = this.#reading.get(tenantId);
    if (running?.epoch === this.#epoch) return running.read;
    const reading: Reading = { epoch: this.#epoch, read: this.#readNewest(tenantId) };
    this.#reading.set(tenantId, reading);
    const forget = (): void => {
      if (this.#reading.get(tenantId) === reading) this.#reading.delete(tenantId);
    };
    reading.read.then(forget, forget);
    return reading.read;
  }

  async #readNewest(tenantId: string): Promise<Newest> {
    const epoch = this.#epoch;
    const nowMs = this.#runtime.clock.nowMs();
    const rows = await readNewestVersions(this.#runtime.sqlSystem, tenantId);
    const newest: Newest = {
      versions: new Map(rows.map(({ type, version }) => [type, version])),
      expiresAtMs: nowMs + TTL_MS * (0.8 + Math.random() * 0.2),
    };
    // What changed while it was read may be missing from it: then it serves those who asked before, and nobody after.
    if (epoch !== this.#epoch) return newest;
    if (this.#newest.size >= TENANTS_MAX) this.#newest.clear();
    this.#newest.set(tenantId, newest);
    return newest;
  }
}

function compile(schema: Record<string, unknown> | null): PayloadCheck | undefined {
  if (schema === null) return undefined;
  const compiled = compileSchema(schema);
  // It compiled when it was saved; a schema that does not any more must not refuse every event of its type.
  if (!compiled.ok) return undefined;
  return (data, dataSize, max) => {
    const first = compiled.check(data);
    if (first === undefined) return [];
    return max > 1 && dataSize <= ALL_FAULTS_BYTES_MAX ? compiled.findAll(data, max) : [first];
  };
}
