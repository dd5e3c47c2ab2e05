import { createFastCounter, createFastHistogram, createGauge, SIZE_BOUNDS } from "../../platform/metrics.ts";
import { ensurePartitionsFor, isMissingPartition } from "../../platform/postgres/partitions.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { type ApiLogRow, appendApiLogs } from "./append-api-logs.ts";

/** Rows wait at most this long for others. */
const FLUSH_EVERY_MS = 20;

/** So many do not wait any longer: in a batch of 20 a row costs Postgres a third more, in larger ones hardly less. */
const FLUSH_ROWS = 100;

/** Rows of one statement; putting more of them together would hold up the calls of this process. */
const BATCH_ROWS_MAX = 200;

/** Bytes of one statement, apart from its last row: Postgres holds it several times. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Rows and bytes that may wait while Postgres is away; what comes then is shed and counted, never awaited. */
const BACKLOG_ROWS_MAX = 50_000;
const BACKLOG_BYTES_MAX = 128 * 1024 * 1024;

/** Bytes that a row takes besides its bodies, for the bound above. */
const ROW_BYTES_ASSUMED = 2048;

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5000;

/** Faults of a row and not of the connection: data (22…) and constraints (23…). */
const ROW_FAULT = /^(?:22|23)/;

/** Takes log rows without making the caller wait. */
export interface ApiLogWriter {
  /** Adds a redacted row; sheds it when the backlog is full. */
  add(row: ApiLogRow): void;
  /** Writes what is waiting; resolves when it is committed or has failed for good. */
  flush(): Promise<void>;
}

/**
 * The one writer of a process for log rows of calls out and of deliveries. Inbound rows are written by the inbound
 * finisher, in the transaction of their receipts. Flushes at shutdown.
 */
export function createApiLogWriter(runtime: Runtime): ApiLogWriter {
  const writer = new BatchWriter(runtime);
  runtime.shutdown.add("api log writer", () => writer.close());
  return writer;
}

const writers = new WeakMap<Runtime, ApiLogWriter>();

/** The process's one writer for calls out, made on first use. */
export function apiLogWriterOf(runtime: Runtime): ApiLogWriter {
  let writer = writers.get(runtime);
  if (writer === undefined) writers.set(runtime, (writer = createApiLogWriter(runtime)));
  return writer;
}

class BatchWriter implements ApiLogWriter {
  readonly #runtime: Runtime;
  readonly #outcomes;
  readonly #sizes;
  #waiting: ApiLogRow[] = [];
  #waitingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  /** Rows at the front that are written without waiting for company. */
  #due = 0;
  #closing = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#outcomes = createFastCounter(runtime.metrics, {
      name: "hub_api_log_rows_total",
      help: "Log rows by what became of them",
      label: "outcome",
      values: ["written", "reduced", "lost", "shed"],
    });
    this.#sizes = createFastHistogram(runtime.metrics, {
      name: "hub_api_log_batch_rows",
      help: "Log rows in one statement",
      bounds: SIZE_BOUNDS,
    });
    createGauge(runtime.metrics, {
      name: "hub_api_log_lag_seconds",
      help: "Age of the oldest log row that is not written yet",
      aggregator: "max",
      read: () => [{ value: this.#lagSeconds() }],
    });
  }

  add(row: ApiLogRow): void {
    const bytes = bytesOf(row);
    if (this.#waiting.length >= BACKLOG_ROWS_MAX || this.#waitingBytes + bytes > BACKLOG_BYTES_MAX) {
      this.#outcomes.inc("shed");
      return;
    }
    this.#waiting.push(row);
    this.#waitingBytes += bytes;
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
    if (this.#waiting.length >= FLUSH_ROWS && this.#running === undefined) void this.flush();
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = this.#waiting.length;
    if (this.#due > 0) this.#running ??= this.#drain();
    return this.#running ?? Promise.resolve();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.flush();
    await this.flush();
  }

  /** Only with rows that are due: it ends by itself, behind at least one write. */
  async #drain(): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (this.#due > 0 || this.#waiting.length >= FLUSH_ROWS) {
      const batch = this.#nextBatch();
      try {
        await this.#write(batch);
        this.#sizes.observe(batch.length);
        retryMs = RETRY_MIN_MS;
      } catch (error) {
        if (this.#closing && retryMs > RETRY_MIN_MS) {
          this.#outcomes.inc("lost", this.#waiting.length);
          this.#runtime.log.error({ err: error, rows: this.#waiting.length }, "log rows lost at shutdown");
          this.#waiting = [];
          this.#waitingBytes = 0;
          this.#due = 0;
          break;
        }
        this.#runtime.log.warn({ err: error, waiting: this.#waiting.length }, "log rows not written yet");
        await Bun.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
        continue;
      }
      this.#waiting.splice(0, batch.length);
      this.#due = Math.max(0, this.#due - batch.length);
      for (const row of batch) this.#waitingBytes -= bytesOf(row);
    }
    this.#running = undefined;
  }

  #nextBatch(): readonly ApiLogRow[] {
    let [count, bytes] = [0, 0];
    while (count < Math.min(this.#waiting.length, BATCH_ROWS_MAX) && bytes < BATCH_BYTES_MAX)
      bytes += bytesOf(this.#waiting[count++]!);
    return this.#waiting.slice(0, count);
  }

  /** Writes a batch; one bad row costs itself only. @throws when Postgres cannot take any row */
  async #write(rows: readonly ApiLogRow[]): Promise<void> {
    const { sqlSystem, config, clock, log } = this.#runtime;
    try {
      await appendApiLogs(sqlSystem, rows, config.logBodyMaxBytes);
      this.#outcomes.inc("written", rows.length);
      return;
    } catch (error) {
      const code = codeOf(error);
      if (!ROW_FAULT.test(code)) throw error;
      if (isMissingPartition(error)) {
        log.error({ err: error }, "day partition of log rows is missing");
        const times = rows.map(({ id }) => timeOfId(id));
        if (await ensurePartitionsFor(sqlSystem, times, clock.nowMs())) return await this.#write(rows);
      }
      if (rows.length === 1) return await this.#writeReduced(rows[0]!, code);
    }
    const middle = rows.length >> 1;
    await this.#write(rows.slice(0, middle));
    await this.#write(rows.slice(middle));
  }

  /** A row that Postgres refuses is written without what came from outside, so that the call itself stays on record. */
  async #writeReduced(row: ApiLogRow, code: string): Promise<void> {
    const reduced: ApiLogRow = {
      id: row.id,
      tenantId: row.tenantId,
      integrationId: null,
      endpointId: null,
      direction: row.direction,
      method: row.method,
      url: row.url,
      path: null,
      queryParams: null,
      headers: null,
      body: null,
      bodySize: null,
      responseStatus: row.responseStatus,
      responseHeaders: null,
      responseBody: null,
      responseSize: null,
      responseTimeMs: row.responseTimeMs,
      correlationId: row.correlationId,
      userId: null,
      sourceIp: null,
      status: row.status,
      errorMessage: `This row could not be stored as a whole (${code}).`,
      retryOf: null,
    };
    try {
      await appendApiLogs(this.#runtime.sqlSystem, [reduced], 0);
      this.#outcomes.inc("reduced");
    } catch (error) {
      if (!ROW_FAULT.test(codeOf(error))) throw error;
      this.#outcomes.inc("lost");
      this.#runtime.log.error({ err: error, logId: row.id }, "log row lost");
    }
  }

  #lagSeconds(): number {
    const oldest = this.#waiting[0];
    return oldest === undefined ? 0 : Math.max(0, this.#runtime.clock.nowMs() - timeOfId(oldest.id)) / 1000;
  }
}

function bytesOf(row: ApiLogRow): number {
  return ROW_BYTES_ASSUMED + (row.body?.byteLength ?? 0) + (row.responseBody?.byteLength ?? 0);
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
