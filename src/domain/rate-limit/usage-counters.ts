import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { AdmissionCall } from "./admission-call.ts";

interface Count {
  integrationId: string;
  hourMs: number;
  calls: number;
  maxRequests: number;
  isExceeded: boolean;
}

/** A row is touched at most this often by one process. */
const FLUSH_EVERY_MS = 1_000;
const HOUR_MS = 3_600_000;
/** `bucket_key` of the one row of an integration and hour. */
const BUCKET_KEY = "calls";

/**
 * Calls per integration and hour (specification, "Rate Limiting"): how many were admitted, how many an hour allows, and
 * whether a call had to wait or was refused. Gathered and added once a second; a crash loses the last second.
 */
export class UsageCounters {
  readonly #runtime: Runtime;
  #counts = new Map<string, Count>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  count(
    call: Pick<AdmissionCall, "integrationId" | "quotas">,
    by: { calls: number; isExceeded: boolean },
  ): void {
    const hourMs = Math.floor(this.#runtime.clock.nowMs() / HOUR_MS) * HOUR_MS;
    const key = `${call.integrationId}/${hourMs}`;
    let count = this.#counts.get(key);
    if (count === undefined) {
      const { integrationId, quotas } = call;
      count = { integrationId, hourMs, calls: 0, maxRequests: hourlyLimit(quotas), isExceeded: false };
      this.#counts.set(key, count);
      this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
    }
    count.calls += by.calls;
    count.isExceeded ||= by.isExceeded;
  }

  /** Writes what was gathered; kept for the next time when Postgres is away. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // In one order, so that two processes do not wait for each other's rows.
    const counts = [...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
    if (counts.length === 0) return;
    this.#counts = new Map();
    const plain = (pick: (count: Count) => string | number): string => plainArrayText(counts.map(pick));
    try {
      await this.#runtime.sqlSystem`
        insert into rate_limit_buckets as b
          (tenant_id, integration_id, bucket_key, window_start, window_end, request_count, max_requests, is_exceeded)
        select i.tenant_id, i.id, ${BUCKET_KEY}, to_timestamp(given.hour_ms / 1000.0),
          to_timestamp((given.hour_ms + ${HOUR_MS}::float8) / 1000.0), given.calls, given.max_requests, given.exceeded
        from unnest(
          ${plain(({ integrationId }) => integrationId)}::text::uuid[],
          ${plain(({ hourMs }) => hourMs)}::text::float8[],
          ${plain(({ calls }) => calls)}::text::bigint[],
          ${plain(({ maxRequests }) => maxRequests)}::text::integer[],
          ${plain(({ isExceeded }) => String(isExceeded))}::text::boolean[]
        ) as given(id, hour_ms, calls, max_requests, exceeded)
        join integrations i on i.id = given.id
        order by i.id
        on conflict (integration_id, bucket_key, window_start) do update set
          request_count = b.request_count + excluded.request_count, max_requests = excluded.max_requests,
          is_exceeded = b.is_exceeded or excluded.is_exceeded`;
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "usage was not written");
      for (const lost of counts) this.#merge(lost);
      if (!this.#runtime.shutdown.started)
        this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
    }
  }

  #merge(lost: Count): void {
    const key = `${lost.integrationId}/${lost.hourMs}`;
    const count = this.#counts.get(key);
    if (count === undefined) {
      this.#counts.set(key, lost);
      return;
    }
    count.calls += lost.calls;
    count.isExceeded ||= lost.isExceeded;
  }
}

const INTEGER_MAX = 2 ** 31 - 1;

/** Most calls that the quotas allow in an hour. */
function hourlyLimit(quotas: AdmissionCall["quotas"]): number {
  const limits = quotas.map(({ limit, windowMs }) => limit * Math.max(1, Math.floor(HOUR_MS / windowMs)));
  return Math.min(INTEGER_MAX, ...limits);
}
