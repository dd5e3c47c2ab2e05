import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../process/free-port.ts";
import type { RedisBinary } from "./find-redis.ts";
import { writeSecretFile } from "./keep-secret.ts";
import { availableMemoryBytes } from "./memory-limit.ts";
import { processService, type Service } from "./service.ts";

/**
 * Of the machine's memory: a rewrite of the append-only file may double what changes while it runs, and Postgres, edge
 * and workers need theirs. Past it senders get 503, and nothing is evicted.
 */
const MEMORY_SHARE = 0.4;

/** Loading a large append-only file at 100 MB/s or so. */
const READY_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 30_000;

export interface RedisSettings {
  port: number;
  /** As the server sees it. */
  dataDir: string;
  password?: string;
  /** Lines added at the end, `name value`. */
  more?: readonly string[];
}

/** The configuration file, line by line with its reasons. */
export function redisConfiguration(settings: RedisSettings): string {
  const lines = [
    "bind 127.0.0.1",
    `port ${settings.port}`,
    ...(settings.password ? [`requirepass ${settings.password}`] : ["protected-mode yes"]),
    `dir "${settings.dataDir}"`,
    "daemonize no",
    // An accepted webhook is on the disk before its 200: one fsync for all writes of a turn of the event loop.
    "appendonly yes",
    "appendfsync always",
    "no-appendfsync-on-rewrite no",
    // The torn end of the file after a crash was never acknowledged.
    "aof-load-truncated yes",
    // The append-only file holds everything; snapshots beside it would only fork more often.
    'save ""',
    // The default of 64 MB rewrites a busy, nearly empty stream every few seconds.
    "auto-aof-rewrite-min-size 512mb",
    "maxmemory-policy noeviction",
    `maxmemory ${Math.floor(availableMemoryBytes() * MEMORY_SHARE)}`,
    ...(settings.more ?? []),
  ];
  return `${lines.join("\n")}\n`;
}

export interface EmbeddedRedis {
  service: Service;
  /** `redis 7.0.15`. */
  version: string;
  url: string;
}

/**
 * Prepares an embedded Redis with its data in `<home>/redis`.
 *
 * @param options.password what clients have to give
 * @throws Error when the data was written by a server that this one cannot follow
 */
export async function prepareRedis(options: {
  home: string;
  binary: RedisBinary;
  password: string;
}): Promise<EmbeddedRedis> {
  const { binary, password } = options;
  const dataDir = join(options.home, "redis");
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await claimData(dataDir, binary.kind, binary.version);
  const port = freePort();
  const configurationFile = join(dataDir, "redis.conf");
  await writeSecretFile(configurationFile, redisConfiguration({ port, dataDir, password }));
  const service = processService({
    child: {
      name: "redis",
      argv: [binary.file, configurationFile],
      env: { PATH: "/usr/bin:/bin", LANG: "C", ...binary.env },
      cwd: dataDir,
    },
    stopSignal: "SIGTERM",
    stopTimeoutMs: STOP_TIMEOUT_MS,
    readyTimeoutMs: READY_TIMEOUT_MS,
    probe: () => pingRedis(port, password),
  });
  return { service, version: `${binary.kind} ${binary.version}`, url: redisUrl(port, password) };
}

/** URL of a server on this machine. */
export function redisUrl(port: number, password: string): string {
  return `redis://:${password}@127.0.0.1:${port}`;
}

/**
 * Notes which server writes the data. A newer one may read it; an older one, or one of the other family, would refuse
 * the file with a number that tells an operator nothing.
 *
 * @throws Error that names the version needed
 */
export async function claimData(dataDir: string, kind: string, version: string): Promise<void> {
  const noteFile = join(dataDir, "server-version");
  const note = await readFile(noteFile, "utf8").catch(() => "");
  const [lastKind, lastVersion] = note.trim().split(" ");
  if (lastKind && lastVersion) {
    if (lastKind !== kind || Bun.semver.order(version, lastVersion) < 0) {
      throw new Error(
        `Cannot use the data in ${dataDir}: it was written by ${lastKind} ${lastVersion}, this machine has ${kind} ${version}. Install ${lastKind} ${lastVersion} or newer`,
      );
    }
  }
  await writeSecretFile(noteFile, `${kind} ${version}\n`);
}

const PING_TIMEOUT_MS = 2000;

/** Connects, logs in and waits until the data is loaded. */
export async function pingRedis(port: number, password?: string): Promise<void> {
  const client = new Redis({
    host: "127.0.0.1",
    port,
    ...(password ? { password } : {}),
    lazyConnect: true,
    connectTimeout: PING_TIMEOUT_MS,
    commandTimeout: PING_TIMEOUT_MS,
    retryStrategy: () => null,
  });
  // The rejection of connect() says it all.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}
