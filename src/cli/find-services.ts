import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../platform/config.ts";

/** Written by `start`, readable by its user only. */
const SERVICES_FILE = "services.json";

/**
 * Completes the configuration with the services of a running `start` on the same HUB_HOME, unless the environment names
 * its own database.
 *
 * @throws Error when neither is there
 */
export function findServices(config: Config): Config {
  if (config.databaseUrl !== undefined && config.redisUrl !== undefined) return config;
  const path = join(config.hubHome, SERVICES_FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new Error(
      `No hub found: ${path} is not there. Start it with \`bun start\`, name its folder by HUB_HOME, ` +
        `or set DATABASE_URL, REDIS_URL and INTEGRATION_ENCRYPTION_KEY.`,
    );
  }
  const services = JSON.parse(text) as { databaseUrl: string; redisUrl: string; encryptionKey: string };
  return {
    ...config,
    databaseUrl: config.databaseUrl ?? services.databaseUrl,
    redisUrl: config.redisUrl ?? services.redisUrl,
    integrationEncryptionKey: config.integrationEncryptionKey ?? services.encryptionKey,
  };
}
