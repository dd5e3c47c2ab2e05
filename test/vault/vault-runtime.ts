import { randomBytes } from "node:crypto";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import type { TestPostgres, TestRedis } from "../support/services.ts";

export const KEY_1 = `k1:${randomBytes(32).toString("base64")}`;
export const KEY_2 = `k2:${randomBytes(32).toString("base64")}`;

/** A process of its own on the test's services, with its key ring and its clock. */
export function newProcess(
  postgres: TestPostgres,
  redis: TestRedis,
  options: { keys?: string; nowMs?: () => number } = {},
): Runtime {
  const { keys = KEY_1, nowMs } = options;
  const env = vaultEnvironment(postgres, redis, keys);
  return createRuntime(loadConfig(env), "worker", nowMs === undefined ? {} : { clock: { nowMs } });
}

/** Environment of such a process. */
export function vaultEnvironment(
  postgres: TestPostgres,
  redis: TestRedis,
  keys: string,
): Record<string, string> {
  return {
    DATABASE_URL: postgres.ownerUrl,
    DATABASE_APP_URL: postgres.appUrl,
    DATABASE_SYSTEM_URL: postgres.systemUrl,
    REDIS_URL: redis.url,
    INTEGRATION_ENCRYPTION_KEY: keys,
    LOG_LEVEL: "silent",
  };
}
