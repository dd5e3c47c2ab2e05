import postgres from "postgres";
import type { Logger } from "../log.ts";

export type Sql = postgres.Sql;

export interface ConnectPostgresOptions {
  /** postgres:// URL with the role's own login; `?prepare=false` for PgBouncer in transaction mode. */
  url: string;
  purpose: "app" | "system";
  /** Connections of the pool. A slow statement delays what is piped behind it, so pools are kept apart by purpose. */
  max: number;
  statementTimeoutMs: number;
  log: Logger;
}

/**
 * The server ends a statement after its own timeout and says so. A connection on which it still says nothing is half
 * open: the peer is gone and nobody was told. Without this its callers would wait for a quarter of an hour.
 */
const ANSWER_GRACE_SECONDS = 5;

/** Of our own, by our patch of the driver (patches/): ends a connection that leaves a statement without an answer. */
interface PatchedOptions extends postgres.Options<Record<string, never>> {
  /** Seconds. */
  answer_timeout: number;
}

/**
 * Pause before a lost connection is made again, in seconds. The driver's own grows to 20 s over all connections of the
 * pool, and a statement that is bound to a connection waits as long although the server is back.
 */
function backoffSeconds(retries: number): number {
  return (0.5 + Math.random() / 2) * Math.min(0.02 * 2 ** Math.min(retries, 10), 1);
}

/** A transaction left open by a lost process would hold its locks for ever. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;

/**
 * Opens a pool; connections are made on first use and made again after a loss.
 *
 * What a store has to know of this client: bigint and count() arrive as strings (cast to float8 where 2^53 is enough);
 * JSON goes in by `sql.json(value)`, because a string parameter would be stored as a JSON string; an array of bytes goes
 * in as text with `::text::bytea[]`, because a pool's first statement would be sent with the wrong type; a statement in
 * flight when the connection is lost has an unknown outcome, so writes are idempotent.
 */
export function connectPostgres(options: ConnectPostgresOptions): Sql {
  const { log, purpose } = options;
  const settings: PatchedOptions = {
    max: options.max,
    connect_timeout: 10,
    idle_timeout: 60,
    backoff: backoffSeconds,
    answer_timeout: options.statementTimeoutMs / 1000 + ANSWER_GRACE_SECONDS,
    // Array parameters of unnest() need the server's array types; without fetching them each one fails.
    fetch_types: true,
    connection: {
      application_name: `hub-${purpose}`,
      statement_timeout: options.statementTimeoutMs,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    },
    onnotice: (notice) => log.debug({ purpose, notice: notice["message"] }, "postgres notice"),
  };
  return postgres(options.url, settings);
}
