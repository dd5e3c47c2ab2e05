import { createFastCounter } from "../../../platform/metrics.ts";
import { senderAddress } from "../../../platform/net/address.ts";
import { ensurePartitions } from "../../../platform/postgres/partitions.ts";
import type { Runtime } from "../../../platform/runtime.ts";
import { ERRORS } from "../../errors.ts";
import { VaultError } from "../../vault/data-key.ts";
import { sealSecret } from "../../vault/seal-secret.ts";
import type { CachedEndpoint } from "../compile-endpoint.ts";
import type { EndpointCache } from "../endpoint-cache.ts";
import {
  type BodyState,
  rawPlace,
  type RawRequest,
  type RefusalSink,
  type RefusedRequest,
} from "./refused-request.ts";
import {
  addRejectionCounts,
  findTenantIds,
  insertRejections,
  type NewRejectionRow,
  type RejectionCount,
} from "./rejection-store.ts";
import { TokenBuckets } from "./token-buckets.ts";

/** Samples a minute of one endpoint and cause: enough to see the fault, few enough for a sender that repeats it. */
const SAMPLES_PER_CAUSE = 10;
/** Samples a minute of one tenant, so that one with many endpoints leaves room for the others. */
const SAMPLES_PER_TENANT = 120;
/** Samples a minute of addresses that name no endpoint, of all tenants together: a scanner makes up any number of them. */
const SAMPLES_UNKNOWN = 60;

/** Names of buckets that are remembered; each takes about 200 bytes. */
const BUCKETS_MAX = 20_000;

/** What may wait for Postgres; further samples are dropped, never their count. */
const WAITING_ROWS_MAX = 500;
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** What one statement may carry. */
const BATCH_ROWS_MAX = 50;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Bytes of a body that are kept; nine of ten providers send less, and what is longer is cut. */
export const SAMPLE_BODY_BYTES_MAX = 256 * 1024;

const FLUSH_EVERY_MS = 250;
const RETRY_AFTER_MS = 5_000;

/** "No partition of relation found for row" has the code of a check that failed. */
const NO_PARTITION = "23514";

/** Faults of what is written (22…, 23…), which trying again does not mend. */
const DATA_FAULT = /^(?:22|23)/;

/** A sample on its way into the table. */
interface Waiting extends Omit<NewRejectionRow, "tenantId" | "rawSealed"> {
  tenantId: string | undefined;
  /** Slug or id in the URL where no endpoint was found. */
  tenantReference: string;
  raw: RawRequest;
  bytes: number;
}

/**
 * Counts every refusal of a known endpoint and keeps few samples: by token buckets of endpoint and cause, of the tenant,
 * and within a bounded buffer. Samples are sealed and written in the background; a refusal costs two look-ups.
 */
export class RejectionSampler implements RefusalSink {
  readonly #runtime: Runtime;
  readonly #endpoints: Pick<EndpointCache, "peek">;
  readonly #isTrustedProxy: (address: string) => boolean;
  readonly #outcomes;
  readonly #perCause = new TokenBuckets(SAMPLES_PER_CAUSE, BUCKETS_MAX);
  readonly #perTenant = new TokenBuckets(SAMPLES_PER_TENANT, BUCKETS_MAX);
  readonly #unknown = new TokenBuckets(SAMPLES_UNKNOWN, 1);
  #counts = new Map<string, RejectionCount>();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<boolean> | undefined;

  constructor(
    runtime: Runtime,
    options: {
      endpoints: Pick<EndpointCache, "peek">;
      isTrustedProxy: (address: string) => boolean;
    },
  ) {
    this.#runtime = runtime;
    this.#endpoints = options.endpoints;
    this.#isTrustedProxy = options.isTrustedProxy;
    this.#outcomes = createFastCounter(runtime.metrics, {
      name: "hub_rejection_samples_total",
      help: "Refused inbound requests by what became of their sample",
      label: "outcome",
      values: ["stored", "limited", "dropped", "no_tenant", "lost"],
    });
    runtime.shutdown.add("rejection samples", async () => {
      // What came while it ran is not in it.
      await this.#running;
      await this.flush();
    });
  }

  add(refused: RefusedRequest): void {
    const endpoint =
      refused.endpoint === undefined ? this.#endpoints.peek(refused.request.endpointKey) : refused.endpoint;
    // Nobody knows yet whether there is such an endpoint: it could not be looked up.
    if (endpoint === undefined) return;
    const nowMs = this.#runtime.clock.nowMs();
    if (endpoint !== null) this.#count(endpoint, refused.cause, nowMs);
    if (this.#isSampled(endpoint, refused, nowMs)) this.#keep(endpoint, refused, nowMs);
    else this.#outcomes.inc("limited");
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }

  /** Writes what is waiting; what Postgres does not take is kept for the next time. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined;
    });
    const written = await this.#running;
    if (this.#runtime.shutdown.started || (this.#waiting.length === 0 && this.#counts.size === 0)) return;
    this.#timer ??= setTimeout(() => void this.flush(), written ? FLUSH_EVERY_MS : RETRY_AFTER_MS);
  }

  #count(endpoint: CachedEndpoint, cause: string, nowMs: number): void {
    const name = `${endpoint.id} ${cause}`;
    const count = this.#counts.get(name);
    if (count === undefined) {
      const { id: endpointId, tenantId } = endpoint;
      this.#counts.set(name, { endpointId, tenantId, cause, count: 1, lastAtMs: nowMs });
    } else {
      count.count++;
      count.lastAtMs = nowMs;
    }
  }

  #isSampled(endpoint: CachedEndpoint | null, { cause, request }: RefusedRequest, nowMs: number): boolean {
    if (endpoint !== null) {
      return (
        this.#perCause.tryTake(`${endpoint.id} ${cause}`, nowMs) &&
        this.#perTenant.tryTake(endpoint.tenantId, nowMs)
      );
    }
    return (
      this.#unknown.tryTake("", nowMs) &&
      this.#perCause.tryTake(`${tenantReference(request.endpointKey)}/`, nowMs)
    );
  }

  #keep(endpoint: CachedEndpoint | null, refused: RefusedRequest, nowMs: number): void {
    const { request, code } = refused;
    const headers = [...request.headers] as [string, string][];
    const kept = keptBody(refused.body, this.#runtime.config.logRequestBodies);
    const bytes = (kept.body?.length ?? 0) + request.target.length + sizeOf(headers);
    if (this.#waiting.length >= WAITING_ROWS_MAX || this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      this.#outcomes.inc("dropped");
      return;
    }
    const query = request.target.indexOf("?");
    const forwardedFor = request.headers.get("x-forwarded-for");
    this.#waitingBytes += bytes;
    this.#waiting.push({
      id: refused.id,
      tenantId: endpoint?.tenantId,
      tenantReference: tenantReference(request.endpointKey),
      endpointId: endpoint?.id ?? null,
      code,
      cause: refused.cause,
      responseStatus: ERRORS[code].status,
      method: request.method,
      path: query < 0 ? request.target : request.target.slice(0, query),
      bodySize: refused.body?.byteLength ?? declaredLength(request.headers),
      bodyState: kept.state,
      sourceIp: senderAddress(request.socketAddress(), forwardedFor, this.#isTrustedProxy),
      correlationId: refused.requestId,
      raw: {
        method: request.method,
        target: request.target,
        headers,
        body: kept.body,
        receivedAtMs: nowMs,
        scheme:
          endpoint === null ? null : { name: endpoint.recipe.schemeName, settings: endpoint.recipe.settings },
      },
      bytes,
    });
  }

  /** False when Postgres did not take something that is kept. */
  async #write(): Promise<boolean> {
    return (await this.#writeCounts()) && (await this.#writeSamples());
  }

  async #writeCounts(): Promise<boolean> {
    const counts = this.#counts;
    if (counts.size === 0) return true;
    this.#counts = new Map();
    try {
      await addRejectionCounts(this.#runtime.sqlSystem, [...counts.values()]);
      return true;
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "counts of refusals not written yet");
      for (const [name, lost] of counts) {
        const count = this.#counts.get(name);
        if (count === undefined) this.#counts.set(name, lost);
        else count.count += lost.count;
      }
      return false;
    }
  }

  async #writeSamples(): Promise<boolean> {
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        // oxlint-disable-next-line no-await-in-loop -- one statement at a time
        const stored = await this.#writeBatch(batch);
        this.#outcomes.inc("stored", stored);
      } catch (error) {
        this.#runtime.log.warn({ err: error, rows: batch.length }, "samples of refusals not written");
        if (!DATA_FAULT.test(codeOf(error))) return false;
        this.#outcomes.inc("lost", batch.length);
      }
      this.#waiting.splice(0, batch.length);
      for (const { bytes } of batch) this.#waitingBytes -= bytes;
    }
    return true;
  }

  #nextBatch(): readonly Waiting[] {
    let bytes = 0;
    let rows = 0;
    while (rows < Math.min(BATCH_ROWS_MAX, this.#waiting.length)) {
      bytes += this.#waiting[rows]!.bytes;
      if (rows > 0 && bytes > BATCH_BYTES_MAX) break;
      rows++;
    }
    return this.#waiting.slice(0, rows);
  }

  /** @returns how many of them belong to a tenant */
  async #writeBatch(batch: readonly Waiting[]): Promise<number> {
    const { sqlSystem } = this.#runtime;
    const unknown = batch.filter(({ tenantId }) => tenantId === undefined);
    const tenants =
      unknown.length === 0
        ? new Map<string, string>()
        : await findTenantIds(sqlSystem, [...new Set(unknown.map((one) => one.tenantReference))]);
    const rows: NewRejectionRow[] = [];
    for (const sample of batch) {
      const tenantId = sample.tenantId ?? tenants.get(sample.tenantReference);
      if (tenantId === undefined) {
        this.#outcomes.inc("no_tenant");
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- the tenant's key is in memory after its first sample
      const row = await this.#sealed(sample, tenantId);
      if (row === undefined) this.#outcomes.inc("lost");
      else rows.push(row);
    }
    if (rows.length === 0) return 0;
    try {
      await insertRejections(sqlSystem, rows);
    } catch (error) {
      if (codeOf(error) !== NO_PARTITION || (await ensurePartitions(sqlSystem)) === 0) throw error;
      await insertRejections(sqlSystem, rows);
    }
    return rows.length;
  }

  /** Undefined when the vault has no key for the tenant: one tenant's fault must not hold up the others' samples. */
  async #sealed(sample: Waiting, tenantId: string): Promise<NewRejectionRow | undefined> {
    const place = rawPlace(tenantId, sample.id);
    try {
      const rawSealed = await sealSecret(
        this.#runtime,
        this.#runtime.sqlSystem,
        place,
        JSON.stringify(sample.raw),
      );
      return { ...sample, tenantId, rawSealed };
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      this.#runtime.log.warn({ err: error }, "sample of a refusal not sealed");
      return undefined;
    }
  }
}

function tenantReference(endpointKey: string): string {
  return endpointKey.slice(0, endpointKey.indexOf("/"));
}

function keptBody(
  body: Uint8Array | undefined,
  isLogged: boolean,
): { body: string | null; state: BodyState } {
  if (body === undefined) return { body: null, state: "not_read" };
  if (!isLogged && body.byteLength > 0) return { body: null, state: "not_kept" };
  const kept = body.subarray(0, SAMPLE_BODY_BYTES_MAX);
  return {
    body: Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength).toString("base64"),
    state: kept.byteLength === body.byteLength ? "complete" : "truncated",
  };
}

/** Largest value of the integer column. */
const INTEGER_MAX = 2 ** 31 - 1;

function declaredLength(headers: Headers): number | null {
  const text = headers.get("content-length");
  return text !== null && /^\d{1,15}$/.test(text) ? Math.min(Number(text), INTEGER_MAX) : null;
}

function sizeOf(headers: readonly (readonly [string, string])[]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
