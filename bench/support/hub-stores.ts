import { connectPostgres, type Sql } from "../../src/platform/postgres/client.ts";
import { deriveRoleUrls } from "../../src/platform/postgres/roles.ts";
import { connectRedis } from "../../src/platform/redis/client.ts";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import type { RedisClient } from "../../src/platform/redis/script.ts";
import { createLogger } from "../../src/platform/log.ts";
import { loadConfig } from "../../src/platform/config.ts";
import type { HubServices } from "./hub-under-test.ts";

/** The inbound books of a hub, summed over its partitions and tenants. */
export interface InboundBooks {
  /** Entered the streams since the hub's first start. */
  accepted: number;
  /** Reached an end: processed, filtered, duplicate, dead or cancelled. */
  ended: number;
  inStream: number;
  waiting: number;
}

/** Direct view of a hub's Redis and Postgres, for counting what is really there. */
export interface HubStores {
  redis: RedisClient;
  books(): Promise<InboundBooks>;
  /** Receipts in Postgres, and distinct events among them. */
  receipts(): Promise<{ rows: number; distinctEvents: number }>;
  /** Receipts of all endpoints whose paths begin so, by status. */
  outcomes(pathStart: string): Promise<Record<string, number>>;
  /** Settings that decide about durability, as the servers report them. */
  settings(): Promise<Record<string, string>>;
  /** Removes receipts, log rows and remembered ids, so that a long run fits on the disk. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

const ENDED_WORDS = new Set(["processed", "filtered", "duplicate", "dead", "cancelled"]);

const REDIS_SETTINGS = [
  "appendonly",
  "appendfsync",
  "no-appendfsync-on-rewrite",
  "maxmemory",
  "maxmemory-policy",
];

const POSTGRES_SETTINGS = [
  "server_version",
  "fsync",
  "full_page_writes",
  "synchronous_commit",
  "wal_sync_method",
  "wal_compression",
  "shared_buffers",
  "max_wal_size",
  "checkpoint_timeout",
];

export function openStores(services: HubServices): HubStores {
  const config = loadConfig({});
  const log = createLogger("error", "bench");
  const redis = connectRedis(services.redisUrl, "control", (error) => log.error({ err: error }, "redis"));
  const open = (url: string, purpose: "app" | "system"): Sql =>
    connectPostgres({ url, purpose, max: 1, statementTimeoutMs: 120_000, log });
  const system = open(deriveRoleUrls(services.databaseUrl, services.encryptionKey).systemUrl, "system");
  const owner = open(services.databaseUrl, "system");
  const partitions = Array.from({ length: config.streamPartitions }, (_, index) => index);
  return {
    redis,
    books: async () => {
      const perPartition = await Promise.all(partitions.map((partition) => readBooks(redis, partition)));
      return perPartition.reduce((sum, books) => ({
        accepted: sum.accepted + books.accepted,
        ended: sum.ended + books.ended,
        inStream: sum.inStream + books.inStream,
        waiting: sum.waiting + books.waiting,
      }));
    },
    receipts: async () => {
      const [row] = await system<{ rows: number; distinct_events: number }[]>`
        select count(*)::float8 as rows, count(distinct (endpoint_id, event_key))::float8 as distinct_events
        from webhook_receipts`;
      return { rows: row!.rows, distinctEvents: row!.distinct_events };
    },
    outcomes: async (pathStart) => {
      const rows = await system<{ status: string; count: number }[]>`
        select status, count(*)::float8 as count
        from webhook_receipts
        where endpoint_id in (select id from webhook_endpoints where starts_with(endpoint_path, ${pathStart}))
        group by status`;
      return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
    },
    settings: async () => ({ ...(await redisSettings(redis)), ...(await postgresSettings(system)) }),
    clear: async () => {
      await owner`truncate webhook_receipts, api_request_logs, large_bodies`;
      for (const key of await keysLike(redis, "{p*}:in:seen:*")) await redis.unlink(key);
    },
    close: async () => {
      redis.disconnect();
      await Promise.all([system.end({ timeout: 5 }), owner.end({ timeout: 5 })]);
    },
  };
}

async function readBooks(redis: RedisClient, partition: number): Promise<InboundBooks> {
  const keys = inboundKeys(partition);
  const [ledger, inStream, retry, held] = await Promise.all([
    redis.hgetall(keys.ledger),
    redis.xlen(keys.stream),
    redis.zcard(keys.retry),
    redis.scard(keys.held),
  ]);
  const books: InboundBooks = { accepted: 0, ended: 0, inStream, waiting: retry + held };
  for (const [field, count] of Object.entries(ledger)) {
    const word = field.slice(field.lastIndexOf("/") + 1);
    if (word === "accepted") books.accepted += Number(count);
    else if (ENDED_WORDS.has(word)) books.ended += Number(count);
  }
  return books;
}

async function redisSettings(redis: RedisClient): Promise<Record<string, string>> {
  const settings: Record<string, string> = {};
  const info = await redis.info("server");
  settings["redis version"] = /(?:redis|valkey)_version:(\S+)/.exec(info)?.[1] ?? "unknown";
  for (const name of REDIS_SETTINGS) {
    const [, value] = (await redis.config("GET", name)) as [string, string];
    settings[`redis ${name}`] = value;
  }
  return settings;
}

async function postgresSettings(sql: Sql): Promise<Record<string, string>> {
  const rows = await sql<{ name: string; value: string }[]>`
    select name, current_setting(name) as value from pg_settings where name in ${sql(POSTGRES_SETTINGS)}`;
  return Object.fromEntries(rows.map(({ name, value }) => [`postgres ${name}`, value]));
}

async function keysLike(redis: RedisClient, pattern: string): Promise<string[]> {
  if (!("scan" in redis)) return [];
  const keys: string[] = [];
  let cursor = "0";
  do {
    const [next, found] = await redis.scan(cursor, "MATCH", pattern, "COUNT", 1000);
    keys.push(...found);
    cursor = next;
  } while (cursor !== "0");
  return keys;
}

/** Nothing at all processed for this long: the workers are not slow, they are gone. */
const STALL_MS = 30_000;

/**
 * Waits until every accepted entry has left the streams.
 *
 * @returns seconds that it took
 * @throws Error when entries are still there after `timeoutMs`, or none was processed for 30 s
 */
export async function waitForDrain(stores: HubStores, timeoutMs: number): Promise<number> {
  const startedMs = performance.now();
  let ended = -1;
  let progressMs = startedMs;
  for (;;) {
    const books = await stores.books();
    const nowMs = performance.now();
    if (books.inStream === 0) return (nowMs - startedMs) / 1000;
    if (books.ended !== ended) progressMs = nowMs;
    ended = books.ended;
    if (nowMs - startedMs > timeoutMs || nowMs - progressMs > STALL_MS) {
      const waitedSeconds = Math.round((nowMs - startedMs) / 1000);
      throw new Error(`The workers do not catch up: ${books.inStream} entries wait after ${waitedSeconds} s`);
    }
    await Bun.sleep(250);
  }
}
