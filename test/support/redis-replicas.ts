import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../../src/platform/process/free-port.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { writeSecretFile } from "../../src/platform/services/keep-secret.ts";
import { pingRedis } from "../../src/platform/services/redis-service.ts";
import { processService, type RunningService } from "../../src/platform/services/service.ts";
import { provideRedisBinary } from "./redis-binary.ts";
import { formCluster } from "./redis-cluster.ts";
import { serverOf } from "./services.ts";
import { makeTestFolder } from "./test-folder.ts";

/** A Redis with a replica for each master, whose masters can be lost. */
export interface ReplicatedRedis {
  /** REDIS_URL. */
  url: string;
  /** A master, and the replica that will follow it. */
  pair: { master: RedisNode; replica: RedisNode };
  /** Ends the replication from that master: the replica is stopped, and what was not sent to it stays unsent. */
  cut(): Promise<void>;
  /** Resolves when the replica has become the master. */
  untilPromoted(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisNode {
  port: number;
  kill(): Promise<void>;
  /** SIGSTOP: it acknowledges nothing, and nobody is told. */
  freeze(): void;
  thaw(): void;
  start(): Promise<void>;
}

/** The others take a silent server for lost after this. */
const DOWN_AFTER_MS = 1_000;
const MASTERS = 3;
const SENTINELS = 3;
const FORM_TIMEOUT_MS = 30_000;
const MASTER_NAME = "hubmaster";

/** Without a pause before the first copy, and with a replica that never counts as too old. */
const REPLICATION = ["repl-diskless-sync-delay 0", "repl-ping-replica-period 1"];

/** A Cluster of three masters with one replica each. */
export async function startReplicatedCluster(): Promise<ReplicatedRedis> {
  const dir = await makeTestFolder("hub-test-redis-");
  const more = [
    `cluster-node-timeout ${DOWN_AFTER_MS}`,
    "cluster-replica-validity-factor 0",
    "cluster-migration-barrier 10",
    ...REPLICATION,
  ];
  const nodes = await Promise.all(
    Array.from({ length: 2 * MASTERS }, () => startNode({ dir, isCluster: true, more })),
  );
  const ports = nodes.map(({ port }) => port);
  await formCluster(ports.slice(0, MASTERS));
  for (let index = 0; index < MASTERS; index++) await follow(ports[MASTERS + index]!, ports[index]!);
  return {
    url: `redis://${ports.map((port) => `127.0.0.1:${port}`).join(",")}?cluster=true`,
    pair: { master: nodes[0]!, replica: nodes[MASTERS]! },
    cut: () => cut(nodes[0]!, nodes[MASTERS]!),
    untilPromoted: () => untilInfo(nodes[MASTERS]!.port, "role:master"),
    stop: () => stopAll(nodes, dir),
  };
}

/** A master with one replica, watched by three Sentinels. */
export async function startSentinelRedis(): Promise<ReplicatedRedis> {
  const dir = await makeTestFolder("hub-test-redis-");
  const master = await startNode({ dir, isCluster: false, more: REPLICATION });
  const replica = await startNode({
    dir,
    isCluster: false,
    more: [...REPLICATION, `replicaof 127.0.0.1 ${master.port}`],
  });
  await untilInfo(master.port, "state=online");
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, () => startSentinel(dir, master.port)),
  );
  await untilSentinelsAgree(sentinels[0]!.port);
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
  return {
    url: `redis+sentinel://${hosts}/${MASTER_NAME}`,
    pair: { master, replica },
    cut: () => cut(master, replica),
    untilPromoted: () => untilInfo(replica.port, "role:master"),
    stop: () => stopAll([...sentinels, master, replica], dir),
  };
}

/** A stopped replica alone would still find in its socket all that the kernel has kept for it. */
async function cut(master: RedisNode, replica: RedisNode): Promise<void> {
  replica.freeze();
  const client = clientOf(master.port);
  try {
    await client.call("CLIENT", "KILL", "TYPE", "replica");
  } finally {
    client.disconnect();
  }
}

async function stopAll(nodes: readonly { kill(): Promise<void> }[], dir: string): Promise<void> {
  await Promise.all(nodes.map((node) => node.kill()));
  await rm(dir, { recursive: true, force: true });
}

async function startNode(options: {
  dir: string;
  isCluster: boolean;
  more: readonly string[];
}): Promise<RedisNode> {
  const port = freePort();
  const service = await serverOf({ ...options, port });
  let running: RunningService = await service.start(() => undefined);
  return {
    port,
    async kill() {
      running.kill("SIGKILL");
      await running.exited;
    },
    freeze: () => running.kill("SIGSTOP"),
    thaw: () => running.kill("SIGCONT"),
    async start() {
      running = await service.start(() => undefined);
    },
  };
}

/** Makes the server at `port` a replica in the master's Cluster, and waits until it has everything. */
async function follow(port: number, masterPort: number): Promise<void> {
  const [master, replica] = [masterPort, port].map((each) => clientOf(each));
  try {
    const busPort = /@(\d+)/.exec(String(await master!.call("CLUSTER", "NODES")))![1]!;
    await replica!.call("CLUSTER", "MEET", "127.0.0.1", masterPort, busPort);
    const masterId = String(await master!.call("CLUSTER", "MYID"));
    await retryUntil(() => replica!.call("CLUSTER", "REPLICATE", masterId), {
      everyMs: 50,
      timeoutMs: FORM_TIMEOUT_MS,
    });
  } finally {
    master!.disconnect();
    replica!.disconnect();
  }
  await untilInfo(masterPort, "state=online");
}

/** Waits until INFO replication of a server holds this text. */
async function untilInfo(port: number, text: string): Promise<void> {
  const client = clientOf(port);
  const attempt = async (): Promise<void> => {
    const info = await client.info("replication");
    if (!info.includes(text)) throw new Error(`Not yet ${text}: ${info}`);
  };
  await retryUntil(attempt, { everyMs: 50, timeoutMs: FORM_TIMEOUT_MS }).finally(() => client.disconnect());
}

async function startSentinel(
  dir: string,
  masterPort: number,
): Promise<{ port: number; kill(): Promise<void> }> {
  const port = freePort();
  const { file, env } = await provideRedisBinary();
  const dataDir = join(dir, String(port));
  await mkdir(dataDir);
  const configurationFile = join(dataDir, "sentinel.conf");
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `dir "${dataDir}"`,
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER_NAME} 5000`,
  ];
  await writeSecretFile(configurationFile, `${lines.join("\n")}\n`);
  const service = processService({
    child: {
      name: `sentinel-${port}`,
      argv: [file, configurationFile, "--sentinel"],
      env: { PATH: "/usr/bin:/bin", ...env },
    },
    stopSignal: "SIGTERM",
    stopTimeoutMs: 5000,
    readyTimeoutMs: 20_000,
    probe: () => pingRedis(port),
  });
  const running = await service.start(() => undefined);
  return {
    port,
    async kill() {
      running.kill("SIGKILL");
      await running.exited;
    },
  };
}

/** One Sentinel knows the replica and the two others: from then on they can elect. */
async function untilSentinelsAgree(port: number): Promise<void> {
  const client = clientOf(port);
  const attempt = async (): Promise<void> => {
    const reply = (await client.call("SENTINEL", "MASTER", MASTER_NAME)) as string[] | Record<string, string>;
    const fields = Array.isArray(reply) ? pairsOf(reply) : reply;
    if (Number(fields["num-slaves"]) < 1 || Number(fields["num-other-sentinels"]) < SENTINELS - 1) {
      throw new Error(`The Sentinels have not met: ${JSON.stringify(fields)}`);
    }
  };
  await retryUntil(attempt, { everyMs: 100, timeoutMs: FORM_TIMEOUT_MS }).finally(() => client.disconnect());
}

function pairsOf(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]!] as const] : [])),
  );
}

function clientOf(port: number): Redis {
  const client = new Redis({ host: "127.0.0.1", port, enableReadyCheck: false });
  client.on("error", () => undefined);
  return client;
}
