import { plainArrayText } from "../../platform/postgres/array-text.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { FinishedDelivery } from "./delivery-work.ts";

interface Count {
  sent: number;
  delivered: number;
  failed: number;
  lastTriggeredMs: number;
  lastSuccessMs: number;
  lastFailureMs: number;
}

/** A row is touched at most this often, so that a busy subscription does not become a queue for its own row. */
const FLUSH_EVERY_MS = 1_000;

/**
 * Totals of subscriptions: `total_sent` counts deliveries by their first attempt, `total_delivered` and `total_failed` how
 * they ended. Gathered and added once a second; a crash loses the last second of them, the ledger in Redis is the exact
 * count.
 */
export class SubscriptionCounters {
  readonly #runtime: Runtime;
  #counts = new Map<string, Count>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Adds a written batch. */
  count(finished: readonly FinishedDelivery[]): void {
    const nowMs = this.#runtime.clock.nowMs();
    for (const { delivery, attempt, leaves } of finished) {
      if (attempt === undefined) continue;
      const count = this.#countOf(delivery.subscriptionId);
      count.lastTriggeredMs = nowMs;
      if (delivery.attempts === 0) count.sent++;
      if (attempt.next.status === "DELIVERED") count.lastSuccessMs = nowMs;
      else count.lastFailureMs = nowMs;
      if ("outcome" in leaves && leaves.outcome === "delivered") count.delivered++;
      if ("outcome" in leaves && leaves.outcome === "failed") count.failed++;
    }
    if (this.#counts.size > 0) this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }

  /** Writes what was gathered; kept for the next time when Postgres is away. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = [...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
    if (counts.length === 0) return;
    this.#counts = new Map();
    const plain = (pick: (count: Count) => number): string =>
      plainArrayText(counts.map(([, count]) => pick(count)));
    try {
      await this.#runtime.sqlSystem`
        update webhook_subscriptions s set
          total_sent = s.total_sent + given.sent, total_delivered = s.total_delivered + given.delivered,
          total_failed = s.total_failed + given.failed,
          last_triggered_at = greatest(s.last_triggered_at, to_timestamp(nullif(given.triggered_ms, 0) / 1000.0)),
          last_success_at = greatest(s.last_success_at, to_timestamp(nullif(given.success_ms, 0) / 1000.0)),
          last_failure_at = greatest(s.last_failure_at, to_timestamp(nullif(given.failure_ms, 0) / 1000.0))
        from unnest(
          ${plainArrayText(counts.map(([id]) => id))}::text::uuid[],
          ${plain(({ sent }) => sent)}::text::bigint[],
          ${plain(({ delivered }) => delivered)}::text::bigint[],
          ${plain(({ failed }) => failed)}::text::bigint[],
          ${plain(({ lastTriggeredMs }) => lastTriggeredMs)}::text::float8[],
          ${plain(({ lastSuccessMs }) => lastSuccessMs)}::text::float8[],
          ${plain(({ lastFailureMs }) => lastFailureMs)}::text::float8[]
        ) as given(id, sent, delivered, failed, triggered_ms, success_ms, failure_ms)
        where s.id = given.id`;
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "subscription totals not written");
      for (const [id, lost] of counts) this.#merge(id, lost);
      if (!this.#runtime.shutdown.started)
        this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
    }
  }

  #countOf(subscriptionId: string): Count {
    let count = this.#counts.get(subscriptionId);
    if (count === undefined) {
      count = { sent: 0, delivered: 0, failed: 0, lastTriggeredMs: 0, lastSuccessMs: 0, lastFailureMs: 0 };
      this.#counts.set(subscriptionId, count);
    }
    return count;
  }

  #merge(id: string, lost: Count): void {
    const count = this.#countOf(id);
    count.sent += lost.sent;
    count.delivered += lost.delivered;
    count.failed += lost.failed;
    count.lastTriggeredMs = Math.max(count.lastTriggeredMs, lost.lastTriggeredMs);
    count.lastSuccessMs = Math.max(count.lastSuccessMs, lost.lastSuccessMs);
    count.lastFailureMs = Math.max(count.lastFailureMs, lost.lastFailureMs);
  }
}
