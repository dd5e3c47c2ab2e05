import { Registry } from "prom-client";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { type KeyRing, parseKeyRing } from "./crypto/keyring.ts";
import { createLogger, type Logger } from "./log.ts";
import { connectPostgres, type Sql } from "./postgres/client.ts";
import { deriveRoleUrls } from "./postgres/roles.ts";
import { connectRedis, type RedisPurpose } from "./redis/client.ts";
import type { RedisClient } from "./redis/script.ts";
import { Shutdown } from "./shutdown.ts";
import { StartError } from "./process/start-error.ts";

/** What one process owns. Made once in its `main.ts` and handed down; nothing is opened at import. */
export interface Runtime {
  /** `edge`, `worker` or `cli`. */
  name: string;
  config: Config;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  /** Role hub_app: request-bound work, always inside `withTenant`. */
  sqlApp: Sql;
  /** Role hub_system: batch writers, cache loader, sweeper, scheduler. */
  sqlSystem: Sql;
  /** Client for control work; not for accepting and not for consuming. */
  redis: RedisClient;
  /** Opens a further client; it is closed with the runtime. */
  openRedis(purpose: RedisPurpose): RedisClient;
  keyRing: KeyRing;
  shutdown: Shutdown;
}

/**
 * Longest statement of hub_system. On edge it only fills caches, for senders who wait; a lost connection is noticed
 * shortly after this time too.
 */
const SYSTEM_STATEMENT_TIMEOUT_MS = { edge: 10_000, others: 30_000 };

/** Connections a process of one kind holds to Postgres, by role. */
const POOL_SIZES: Record<string, { app: number; system: number }> = {
  edge: { app: 8, system: 4 },
  worker: { app: 4, system: 8 },
  cli: { app: 1, system: 1 },
};

/**
 * Opens what a process needs. Nothing is awaited: clients connect on first use and heal by themselves.
 *
 * @param name `edge`, `worker` or `cli`
 * @throws StartError when DATABASE_URL or REDIS_URL is missing: `start` provides them, a process run alone must be given them
 */
export function createRuntime(
  config: Config,
  name: string,
  options: { clock?: Clock; log?: Logger } = {},
): Runtime {
  if (!config.databaseUrl || !config.redisUrl) {
    throw new StartError(
      `Cannot run ${name} alone: DATABASE_URL and REDIS_URL are needed (start sets them itself)`,
    );
  }
  const log = options.log ?? createLogger(config.logLevel, name);
  const shutdown = new Shutdown(log);
  const roles = deriveRoleUrls(config.databaseUrl, config.integrationEncryptionKey ?? "");
  const pool = POOL_SIZES[name] ?? POOL_SIZES["cli"]!;
  const sqlApp = connectPostgres({
    url: config.databaseAppUrl ?? roles.appUrl,
    purpose: "app",
    max: pool.app,
    statementTimeoutMs: 15_000,
    log,
  });
  const sqlSystem = connectPostgres({
    url: config.databaseSystemUrl ?? roles.systemUrl,
    purpose: "system",
    max: pool.system,
    statementTimeoutMs:
      name === "edge" ? SYSTEM_STATEMENT_TIMEOUT_MS.edge : SYSTEM_STATEMENT_TIMEOUT_MS.others,
    log,
  });
  shutdown.add("postgres", () => Promise.all([sqlApp.end({ timeout: 5 }), sqlSystem.end({ timeout: 5 })]));
  const open = (purpose: RedisPurpose, control?: RedisClient): RedisClient => {
    const onError = (error: Error): void => log.warn({ err: error, purpose }, "redis connection");
    const client = connectRedis(config.redisUrl!, purpose, onError, control);
    shutdown.add(`redis ${purpose}`, () => client.disconnect());
    return client;
  };
  const redis = open("control");
  return {
    name,
    config,
    clock: options.clock ?? systemClock,
    log,
    metrics: new Registry(),
    sqlApp,
    sqlSystem,
    redis,
    openRedis: (purpose) => open(purpose, redis),
    keyRing: parseKeyRing(config.integrationEncryptionKey ?? ""),
    shutdown,
  };
}
