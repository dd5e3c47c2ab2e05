import type { Runtime } from "../../platform/runtime.ts";
import type { FinishedReceipt } from "./finished-receipt.ts";

interface Count {
  received: number;
  processed: number;
  failed: number;
  lastReceivedMs: number;
}

/** A row is touched at most this often, so that a busy endpoint does not become a queue for its own row. */
const FLUSH_EVERY_MS = 1_000;

/**
 * Totals of endpoints (`total_received` and so on), gathered and added once a second. A crash loses the last second of
 * them; the ledger in Redis is the exact count.
 */
export class EndpointCounters {
  readonly #runtime: Runtime;
  #counts = new Map<string, Count>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Adds a written batch. */
  count(receipts: readonly FinishedReceipt[]): void {
    for (const { receipt, isNew, isStored, status, entry } of receipts) {
      if (isStored) continue;
      let count = this.#counts.get(receipt.endpointId);
      if (count === undefined) {
        this.#counts.set(
          receipt.endpointId,
          (count = { received: 0, processed: 0, failed: 0, lastReceivedMs: 0 }),
        );
      }
      if (isNew) {
        count.received++;
        count.lastReceivedMs = Math.max(count.lastReceivedMs, Number(entry.id.split("-", 1)[0]));
      }
      if (status === "PROCESSED") count.processed++;
      if (status === "DEAD") count.failed++;
    }
    if (this.#counts.size > 0) this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }

  /** Writes what was gathered; kept for the next time when Postgres is away. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counts = [...this.#counts];
    if (counts.length === 0) return;
    this.#counts = new Map();
    try {
      await this.#runtime.sqlSystem`
        update webhook_endpoints e set
          total_received = e.total_received + given.received, total_processed = e.total_processed + given.processed,
          total_failed = e.total_failed + given.failed,
          last_received_at = greatest(e.last_received_at, to_timestamp(nullif(given.last_ms, 0) / 1000.0))
        from unnest(
          ${counts.map(([id]) => id)}::text[]::uuid[],
          ${counts.map(([, count]) => count.received)}::bigint[],
          ${counts.map(([, count]) => count.processed)}::bigint[],
          ${counts.map(([, count]) => count.failed)}::bigint[],
          ${counts.map(([, count]) => count.lastReceivedMs)}::float8[]
        ) as given(id, received, processed, failed, last_ms)
        where e.id = given.id`;
    } catch (error) {
      this.#runtime.log.warn({ err: error }, "endpoint totals not written");
      this.#merge(counts);
    }
  }

  #merge(counts: readonly [string, Count][]): void {
    for (const [id, lost] of counts) {
      const count = this.#counts.get(id);
      if (count === undefined) this.#counts.set(id, lost);
      else {
        count.received += lost.received;
        count.processed += lost.processed;
        count.failed += lost.failed;
        count.lastReceivedMs = Math.max(count.lastReceivedMs, lost.lastReceivedMs);
      }
    }
    if (!this.#runtime.shutdown.started) this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }
}
