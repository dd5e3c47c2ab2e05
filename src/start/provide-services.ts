import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Config } from "../platform/config.ts";
import { storeBuiltInsAt } from "../domain/providers/store-built-ins.ts";
import { storeSystemTemplatesAt } from "../domain/transformations/store-system-templates.ts";
import { migrate } from "../platform/postgres/migrate.ts";
import { deriveRoleUrls } from "../platform/postgres/roles.ts";
import { dockerAnswers, prepareDockerRedis } from "../platform/services/docker-redis.ts";
import { findInstalledRedis, unpackRedis } from "../platform/services/find-redis.ts";
import { keepSecret, randomPassword } from "../platform/services/keep-secret.ts";
import { preparePostgres, versionFile } from "../platform/services/postgres-service.ts";
import { type EmbeddedRedis, prepareRedis } from "../platform/services/redis-service.ts";
import type { Service } from "../platform/services/service.ts";
import { writeSteadily } from "../platform/services/steady-writes.ts";
import type { Terminal } from "./terminal.ts";

/** What every process of the hub is given in its environment. */
export interface Connections {
  databaseUrl: string;
  redisUrl: string;
  encryptionKey: string;
}

export interface ProvideOptions {
  config: Config;
  environment: Readonly<Record<string, string>>;
  terminal: Terminal;
  /** Starts a server and keeps it running as long as the hub. */
  keep(service: Service): Promise<void>;
}

/**
 * Starts what the environment does not name: Postgres and Redis with their data in HUB_HOME, and a key for secrets.
 * The schema and the built-in providers are brought up to date.
 *
 * @throws Error that says what is missing and how to get it
 */
export async function provideServices(options: ProvideOptions): Promise<Connections> {
  // First, because it is the one that can be refused for want of a setting.
  const encryptionKey = await provideEncryptionKey(options.config);
  const [databaseUrl, redisUrl] = await Promise.all([
    options.config.databaseUrl ?? providePostgres(options),
    options.config.redisUrl ?? provideRedis(options),
  ]);
  await options.terminal.step(
    "schema",
    async () => {
      const { databaseAppUrl: appUrl, databaseSystemUrl: systemUrl } = options.config;
      const done = await migrate({ ownerUrl: databaseUrl, encryptionKeys: encryptionKey, appUrl, systemUrl });
      const storeUrl = systemUrl ?? deriveRoleUrls(databaseUrl, encryptionKey).systemUrl;
      await storeBuiltInsAt(storeUrl);
      await storeSystemTemplatesAt(storeUrl);
      return done;
    },
    ({ applied }) => (applied.length === 0 ? "up to date" : `${applied.length} migrations applied`),
  );
  return { databaseUrl, redisUrl, encryptionKey };
}

/**
 * The key ring for stored secrets. One is made only for a database that lives beside it: a key on one machine for a
 * database that others use as well would lock them out.
 */
async function provideEncryptionKey(config: Config): Promise<string> {
  if (config.integrationEncryptionKey) return config.integrationEncryptionKey;
  if (config.databaseUrl) {
    throw new Error(
      "Cannot start: with DATABASE_URL, INTEGRATION_ENCRYPTION_KEY is needed, the same for all processes on that database.\n" +
        'Make one by: echo "k1:$(openssl rand -base64 32)" and keep it: without it stored secrets cannot be read.',
    );
  }
  const makeKey = (): string => `k1:${randomBytes(32).toString("base64")}`;
  const data = versionFile(join(config.hubHome, "postgres"));
  return keepSecret(join(config.hubHome, "keys", "encryption-key"), makeKey, data);
}

async function providePostgres({ config, environment, terminal, keep }: ProvideOptions): Promise<string> {
  const prepared = await preparePostgres({
    home: config.hubHome,
    path: environment["PATH"] ?? "",
    report: (text) => terminal.say(`  … ${text}`),
  });
  await terminal.step(
    "Postgres",
    () => keep(writeSteadily(prepared.service, prepared.dataDir)),
    () => `version ${prepared.version} on port ${prepared.port}`,
  );
  return prepared.createOwnerDatabase();
}

async function provideRedis({ config, environment, terminal, keep }: ProvideOptions): Promise<string> {
  const password = await keepSecret(join(config.hubHome, "keys", "redis"), randomPassword);
  const prepared = await chooseRedis({ config, environment, terminal, password });
  await terminal.step(
    "Redis",
    () => keep(prepared.service),
    () => `${prepared.version} on port ${new URL(prepared.url).port}`,
  );
  return prepared.url;
}

/** Installed, else unpacked by an earlier start, else in Docker, else Debian's package. */
async function chooseRedis(options: {
  config: Config;
  environment: Readonly<Record<string, string>>;
  terminal: Terminal;
  password: string;
}): Promise<EmbeddedRedis> {
  const { environment, password } = options;
  const home = options.config.hubHome;
  const directory = join(home, "redis-server");
  const report = (text: string): void => options.terminal.say(`  … ${text}`);
  const installed = await findInstalledRedis(environment["PATH"] ?? "");
  if (installed) return prepareRedis({ home, binary: installed, password });
  if (!(await Bun.file(join(directory, "usr/bin/redis-server")).exists()) && (await dockerAnswers())) {
    return prepareDockerRedis({ home, password });
  }
  const binary = await unpackRedis({ directory, environment, report });
  return prepareRedis({ home, binary, password });
}
