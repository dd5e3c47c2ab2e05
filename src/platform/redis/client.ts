import { Cluster, Redis, type RedisOptions as AllRedisOptions } from "ioredis";
import { clusterConnector, type RedisNode } from "./cluster-connector.ts";
import { coalesceWrites } from "./coalesce-writes.ts";
import { timeCommandsWhileRunning } from "./command-timeout.ts";
import type { RedisClient } from "./script.ts";

/** Replies keep the shapes of RESP2 (the default), so the option that changes them is left out. */
type RedisOptions = Omit<AllRedisOptions, "replyMapping">;

export type RedisPurpose = "ingest" | "control" | "consumer" | "subscriber";

/** Where Redis is: one server, a Cluster's seeds, or Sentinels with the master's name. */
export type RedisAddress =
  | { kind: "single"; nodes: [RedisNode]; options: RedisOptions }
  | { kind: "cluster"; nodes: RedisNode[]; options: RedisOptions }
  | { kind: "sentinel"; nodes: RedisNode[]; masterName: string; options: RedisOptions };

/**
 * Settings by purpose; the timeouts were tried on a black-holed socket:
 * - ingest fails at once when Redis is away (no offline queue, no resend), and a little before a second is over when it
 *   is silent, so that the sender gets its 503 within that second;
 * - control work may be retried twice;
 * - consumers retry until they succeed, because nobody waits for them;
 * - subscriptions are renewed by `subscribe.ts`, which hears of a refusal; ioredis would leave it unhandled.
 */
const PURPOSES: Record<RedisPurpose, RedisOptions> = {
  ingest: { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 900, socketTimeout: 5000 },
  control: { maxRetriesPerRequest: 2, commandTimeout: 2000, socketTimeout: 6000 },
  consumer: { maxRetriesPerRequest: null, commandTimeout: 10_000, socketTimeout: 12_000 },
  subscriber: { maxRetriesPerRequest: null, autoResubscribe: false },
};

timeCommandsWhileRunning();

/**
 * Opens a client for one purpose. Errors are reported to `onError` and heal by reconnecting (50 ms to 1 s, jittered).
 *
 * @param url REDIS_URL in one of its three forms
 * @param control a client that knows a Cluster's servers of today, for a subscriber; without it those of `url` are used
 */
export function connectRedis(
  url: string,
  purpose: RedisPurpose,
  onError: (error: Error) => void,
  control?: RedisClient,
): RedisClient {
  const address = parseRedisUrl(url);
  const options: RedisOptions = {
    ...address.options,
    ...PURPOSES[purpose],
    connectionName: `hub-${purpose}`,
    connectTimeout: 3000,
    keepAlive: 10_000,
    noDelay: true,
    enableAutoPipelining: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 5), 1000) + Math.random() * 100,
  };
  const client =
    address.kind === "cluster" && purpose === "subscriber"
      ? openClusterSubscriber(address.nodes, options, control)
      : openClient(address, options, purpose);
  client.on("error", onError);
  // Ingest composes its batches itself, and every microsecond of it is somebody's wait.
  if (purpose !== "ingest" && client instanceof Redis) coalesceWrites(client);
  return client;
}

function openClient(address: RedisAddress, options: RedisOptions, purpose: RedisPurpose): RedisClient {
  if (address.kind === "cluster") {
    return new Cluster(address.nodes, {
      redisOptions: options,
      enableOfflineQueue: purpose !== "ingest",
      maxRedirections: purpose === "ingest" ? 4 : 16,
      slotsRefreshTimeout: 2000,
      retryDelayOnFailover: 100,
      clusterRetryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 5), 1000) + Math.random() * 100,
    });
  }
  if (address.kind === "sentinel") {
    return new Redis({ ...options, sentinels: address.nodes, name: address.masterName });
  }
  return new Redis({ ...options, ...address.nodes[0] });
}

/**
 * A subscriber of a Cluster is a plain client of one server, because messages reach all of them. The subscriber inside of
 * ioredis's `Cluster` changes its server without an event, so that nobody could know that messages were missed.
 */
function openClusterSubscriber(
  seeds: readonly RedisNode[],
  options: RedisOptions,
  control: RedisClient | undefined,
): Redis {
  const nodes = (): readonly RedisNode[] => {
    const known = control instanceof Cluster ? control.nodes() : [];
    return known.length === 0
      ? seeds
      : known.map(({ options: { host, port } }) => ({ host: host!, port: port! }));
  };
  return new Redis({ ...options, Connector: clusterConnector(nodes) });
}

const REDIS_URL =
  /^(redis|rediss|redis\+sentinel):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;

/**
 * Takes REDIS_URL apart: `redis://[user:password@]host:port[/db]`, `redis://h1:p1,h2:p2?cluster=true`,
 * `redis+sentinel://h1:p1,h2:p2/<master name>`; `rediss:` for TLS.
 *
 * @throws RangeError when the text has none of these forms
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match = REDIS_URL.exec(url);
  if (!match)
    throw new RangeError(
      "Cannot read REDIS_URL: expected redis://host:port, a list with ?cluster=true, or redis+sentinel://hosts/master",
    );
  const [, scheme, user, password, hosts, path, query] = match;
  const nodes = hosts!.split(",").map((host) => parseNode(host, scheme === "redis+sentinel" ? 26_379 : 6379));
  const options: RedisOptions = {
    ...(user ? { username: decodeURIComponent(user) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(scheme === "rediss" ? { tls: {} } : {}),
  };
  if (scheme === "redis+sentinel") {
    return { kind: "sentinel", nodes, masterName: path || "mymaster", options };
  }
  if (new URLSearchParams(query ?? "").get("cluster") === "true") return { kind: "cluster", nodes, options };
  if (nodes.length > 1) throw new RangeError("Cannot read REDIS_URL: several hosts need ?cluster=true");
  return { kind: "single", nodes: [nodes[0]!], options: path ? { ...options, db: Number(path) } : options };
}

function parseNode(text: string, defaultPort: number): RedisNode {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text.trim());
  if (!match) throw new RangeError(`Cannot read REDIS_URL: "${text}" is no host:port`);
  return { host: match[1]!.replace(/^\[|\]$/g, ""), port: match[2] ? Number(match[2]) : defaultPort };
}
