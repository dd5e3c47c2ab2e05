import { floorId } from "../../platform/uuid.ts";
import type { Transaction } from "../context.ts";
import type { QuotaUse, StatsHour } from "./health-schema.ts";

/** A row of circuit_breaker_state. */
export interface CircuitRow {
  integrationId: string;
  state: "CLOSED" | "OPEN" | "HALF_OPEN";
  failureCount: number;
  openedAt: Date | null;
  timeoutSeconds: number;
}

/** The recorded breakers of these integrations; one that never counted a call has none. */
export async function readCircuits(
  tx: Transaction,
  tenantId: string,
  ids: readonly string[],
): Promise<Map<string, CircuitRow>> {
  const rows = await tx<CircuitRow[]>`
    select integration_id as "integrationId", state, failure_count::float8 as "failureCount", opened_at as "openedAt",
      timeout_seconds as "timeoutSeconds"
    from circuit_breaker_state
    where tenant_id = ${tenantId} and integration_id = any(${ids as string[]}::text[]::uuid[])`;
  return new Map(rows.map((row) => [row.integrationId, row]));
}

/** The windows of quotas that are open now. */
export async function readQuotaUse(
  tx: Transaction,
  input: { tenantId: string; id: string; now: Date },
): Promise<QuotaUse[]> {
  const rows = await tx<{ name: string; limit: number; used: number; windowStart: Date; windowEnd: Date }[]>`
    select distinct on (bucket_key) bucket_key as name, max_requests as limit, request_count::float8 as used,
      window_start as "windowStart", window_end as "windowEnd"
    from rate_limit_buckets
    where tenant_id = ${input.tenantId} and integration_id = ${input.id} and window_end > ${input.now}
    order by bucket_key, window_start desc`;
  return rows.map(({ windowStart, windowEnd, ...row }) => ({
    ...row,
    remaining: Math.max(0, row.limit - row.used),
    windowStart: windowStart.toISOString(),
    windowEnd: windowEnd.toISOString(),
  }));
}

/** Calls of an integration in a span of time. */
export interface WindowRow {
  integrationId: string;
  /** Length of the span. */
  seconds: number;
  calls: number;
  successes: number;
  averageMs: number | null;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

/**
 * Calls of integrations over spans of time that end now, from the log. Of each integration the newest `callsMax` calls of
 * the longest span are read, so that a busy one does not make its own health page wait.
 */
export async function readWindows(
  tx: Transaction,
  input: {
    tenantId: string;
    ids: readonly string[];
    nowMs: number;
    seconds: readonly number[];
    callsMax: number;
  },
): Promise<WindowRow[]> {
  const { tenantId, ids, nowMs, seconds, callsMax } = input;
  const fromMs = nowMs - Math.max(...seconds) * 1_000;
  return tx<WindowRow[]>`
    select i.id as "integrationId", w.seconds, count(*)::int as calls,
      (count(*) filter (where l.status = 'SUCCESS'))::int as successes, avg(l.ms)::float8 as "averageMs",
      percentile_cont(0.5) within group (order by l.ms) as "p50Ms",
      percentile_cont(0.95) within group (order by l.ms) as "p95Ms",
      percentile_cont(0.99) within group (order by l.ms) as "p99Ms"
    from unnest(${ids as string[]}::text[]::uuid[]) as i(id)
      cross join lateral (
        select status, response_time_ms as ms, created_at from api_request_logs
        where tenant_id = ${tenantId} and integration_id = i.id and direction = 'OUTBOUND'
          and created_at >= ${new Date(fromMs)} and id >= ${floorId(fromMs)}
        order by id desc limit ${callsMax}
      ) l
      join unnest(${seconds as number[]}::int[]) as w(seconds)
        on l.created_at >= ${new Date(nowMs)}::timestamptz - make_interval(secs => w.seconds)
    group by i.id, w.seconds`;
}

/** Calls of one integration by hour, oldest first; hours without calls are left out. */
export async function readHours(
  tx: Transaction,
  input: { tenantId: string; id: string; fromMs: number; toMs: number },
): Promise<(Omit<StatsHour, "hour"> & { hour: Date })[]> {
  const { tenantId, id, fromMs, toMs } = input;
  return tx<(Omit<StatsHour, "hour"> & { hour: Date })[]>`
    select date_trunc('hour', created_at, 'UTC') as hour, count(*)::int as calls,
      (count(*) filter (where status = 'SUCCESS'))::int as successes,
      (count(*) filter (where status = 'CLIENT_ERROR'))::int as "clientErrors",
      (count(*) filter (where status = 'SERVER_ERROR'))::int as "serverErrors",
      (count(*) filter (where status = 'TIMEOUT'))::int as timeouts,
      (count(*) filter (where retry_of is not null))::int as retries,
      avg(response_time_ms)::float8 as "averageMs",
      percentile_cont(0.95) within group (order by response_time_ms) as "p95Ms",
      coalesce(sum(body_size), 0)::float8 as "bytesSent", coalesce(sum(response_size), 0)::float8 as "bytesReceived"
    from api_request_logs
    where tenant_id = ${tenantId} and integration_id = ${id} and direction = 'OUTBOUND'
      and created_at >= ${new Date(fromMs)} and created_at < ${new Date(toMs)}
      and id >= ${floorId(fromMs)} and id < ${floorId(toMs)}
    group by 1 order by 1`;
}
