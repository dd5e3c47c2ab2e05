import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { deriveRoleUrls } from "../../src/platform/postgres/roles.ts";
import { freePort } from "../../src/platform/process/free-port.ts";
import { writeSecretFile } from "../../src/platform/services/keep-secret.ts";
import { pingRedis, redisConfiguration } from "../../src/platform/services/redis-service.ts";
import { processService, type RunningService, type Service } from "../../src/platform/services/service.ts";
import { startTestPostgresServer, type TestPostgresServer } from "./postgres-server.ts";
import { provideRedisBinary } from "./redis-binary.ts";
import { formCluster, waitForCluster } from "./redis-cluster.ts";
import { makeTestFolder } from "./test-folder.ts";
import {
  cloneDatabase,
  databaseUrl,
  dropDatabase,
  ownerUrlOf,
  provideTemplate,
} from "./template-database.ts";

/** INTEGRATION_ENCRYPTION_KEY of the tests. */
export const encryptionKey = `k1:${Buffer.alloc(32, 7).toString("base64")}`;

/** A database of its own, migrated, with the three roles. */
export interface TestPostgres {
  /** Login of `hub_owner`, no superuser: what DATABASE_URL is in production. */
  ownerUrl: string;
  appUrl: string;
  systemUrl: string;
  /** For what only an administrator can do: ending connections, looking into every table. */
  superuserUrl: string;
  database: string;
  encryptionKey: string;
  /** Drops the database. */
  stop(): Promise<void>;
}

/** One Redis, or a Cluster of three masters, with the hub's own settings and its data in a new folder. */
export interface TestRedis {
  /** REDIS_URL. */
  url: string;
  ports: number[];
  pids(): number[];
  /** One folder a server is in here, named by its port. */
  dir: string;
  /** SIGKILL of every server. */
  kill(): Promise<void>;
  /** Starts every server again on its data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const CLUSTER_MASTERS = 3;

let ownServer: Promise<TestPostgresServer> | undefined;

/**
 * A freshly migrated database, cloned from a template that is made once for a state of `migrations/`.
 *
 * The server is that of TEST_POSTGRES_URL (a superuser's URL; `bun run test` sets it), else one started for this
 * process.
 */
export async function startTestPostgres(serverUrl = process.env["TEST_POSTGRES_URL"]): Promise<TestPostgres> {
  const superuserUrl = serverUrl ?? (await sharedServer()).superuserUrl;
  const administrator = postgres(superuserUrl, { max: 1, onnotice: () => undefined });
  try {
    const template = await provideTemplate(administrator, superuserUrl);
    const database = `hub_test_${randomBytes(8).toString("hex")}`;
    await cloneDatabase(administrator, template, database);
    const ownerUrl = ownerUrlOf(superuserUrl, database);
    return {
      ownerUrl,
      ...deriveRoleUrls(ownerUrl),
      superuserUrl: databaseUrl(superuserUrl, database),
      database,
      encryptionKey,
      stop: () => dropDatabase(superuserUrl, database),
    };
  } finally {
    await administrator.end({ timeout: 5 });
  }
}

function sharedServer(): Promise<TestPostgresServer> {
  // The kernel ends it with this process; its folder goes when the next one is made.
  ownServer ??= startTestPostgresServer();
  return ownServer;
}

/**
 * Starts a Redis of its own for a test.
 *
 * @param options.cluster a Cluster of three masters; when left out, so says TEST_REDIS=cluster
 * @param options.more lines of the configuration, for example `maxmemory 100mb`
 */
export async function startTestRedis(
  options: { cluster?: boolean; more?: readonly string[] } = {},
): Promise<TestRedis> {
  const isCluster = options.cluster ?? process.env["TEST_REDIS"] === "cluster";
  const dir = await makeTestFolder("hub-test-redis-");
  const first = await startOnFreePorts({ dir, isCluster, more: options.more ?? [] });
  const { ports, services } = first;
  let { running } = first;
  const start = () => Promise.all(services.map((service) => service.start(() => undefined)));
  if (isCluster) await formCluster(ports);
  const kill = async (): Promise<void> => {
    for (const server of running) server.kill("SIGKILL");
    await Promise.all(running.map((server) => server.exited));
  };
  return {
    url: isCluster
      ? `redis://${ports.map((port) => `127.0.0.1:${port}`).join(",")}?cluster=true`
      : `redis://127.0.0.1:${ports[0]}`,
    ports,
    pids: () => running.map((server) => server.pid!),
    dir,
    kill,
    async restart() {
      running = await start();
      if (isCluster) await waitForCluster(ports);
    },
    async stop() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Another test process may take a port between its choice and its use. */
const START_ATTEMPTS_MAX = 3;

async function startOnFreePorts(options: {
  dir: string;
  isCluster: boolean;
  more: readonly string[];
}): Promise<{ ports: number[]; services: Service[]; running: RunningService[] }> {
  for (let attempt = 1; ; attempt++) {
    const ports = Array.from({ length: options.isCluster ? CLUSTER_MASTERS : 1 }, () => freePort());
    const services = await Promise.all(ports.map((port) => serverOf({ ...options, port })));
    const starts = await Promise.allSettled(services.map((service) => service.start(() => undefined)));
    const running = starts.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    if (running.length === starts.length) return { ports, services, running };
    for (const server of running) server.kill("SIGKILL");
    const failed = starts.find((outcome) => outcome.status === "rejected");
    if (attempt === START_ATTEMPTS_MAX) throw failed!.reason;
  }
}

/** One server of a test's Redis, with the hub's own settings; `more` comes last and wins. */
export async function serverOf(options: {
  dir: string;
  port: number;
  isCluster: boolean;
  more: readonly string[];
}): Promise<Service> {
  const { port } = options;
  const { file, env } = await provideRedisBinary();
  const dataDir = join(options.dir, String(port));
  await mkdir(dataDir);
  const cluster = [
    "cluster-enabled yes",
    "cluster-config-file nodes.conf",
    `cluster-port ${freePort()}`,
    "cluster-node-timeout 5000",
  ];
  const more = [...(options.isCluster ? cluster : []), ...options.more];
  const configurationFile = join(dataDir, "redis.conf");
  await writeSecretFile(configurationFile, redisConfiguration({ port, dataDir, more }));
  return processService({
    child: { name: `redis-${port}`, argv: [file, configurationFile], env: { PATH: "/usr/bin:/bin", ...env } },
    stopSignal: "SIGTERM",
    stopTimeoutMs: 5000,
    readyTimeoutMs: 20_000,
    probe: () => pingRedis(port),
  });
}
