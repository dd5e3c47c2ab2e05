import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import enqueueLua from "../../src/domain/deliveries/enqueue.lua" with { type: "text" };
import finishLua from "../../src/domain/deliveries/finish.lua" with { type: "text" };
import publishLua from "../../src/domain/events/publish.lua" with { type: "text" };
import { loadConfig } from "../../src/platform/config.ts";
import { freePort } from "../../src/platform/process/free-port.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { hubProcess, type KillableProcess } from "../faults/hub-processes.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import type { TestPostgresServer } from "../support/postgres-server.ts";
import { redisConversation } from "../support/redis-wire.ts";
import { startTestPostgres, startTestRedis } from "../support/services.ts";

/** Every kind of process on the way of an event to its receivers. */
export const OUTBOUND_PROCESSES = ["edge", "worker", "scheduler", "redis", "postgres"] as const;
export type OutboundProcess = (typeof OUTBOUND_PROCESSES)[number];

/** Processes that send; one is killed, the other takes its partitions. */
export const SENDERS = 2;

/** Edge, two senders, a scheduler and Redis of its own, on a database of its own. */
export interface OutboundHub {
  baseUrl: string;
  /** Straight to the servers, past the proxy. */
  runtime: Runtime;
  redisProxy: FaultProxy;
  /** `worker`: one of the two. */
  processes: Record<OutboundProcess, KillableProcess>;
  report(): string;
  stop(): Promise<void>;
}

const RESTART_TIMEOUT_MS = 60_000;

/** @param server Postgres, which a round may kill */
export async function startOutboundHub(server: TestPostgresServer): Promise<OutboundHub> {
  const home = await mkdtemp(join(tmpdir(), "hub-outbound-"));
  const [database, redis] = await Promise.all([
    startTestPostgres(server.superuserUrl),
    startTestRedis({ cluster: false }),
  ]);
  const redisProxy = await FaultProxy.start(redis.ports[0]!, () =>
    redisConversation({ publish: publishLua, enqueue: enqueueLua, finish: finishLua }),
  );
  const port = freePort();
  const variables = {
    INTEGRATION_ENCRYPTION_KEY: database.encryptionKey,
    DATABASE_URL: database.ownerUrl,
    STREAM_PARTITIONS: "8",
    EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
    HUB_HOME: home,
    PORT: String(port),
  };
  const env = {
    ...variables,
    LOG_LEVEL: "warn",
    REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
    PATH: process.env["PATH"] ?? "",
    NODE_ENV: "production",
  };
  const parts = [
    hubProcess("edge", "src/edge/main.ts", env),
    ...Array.from({ length: SENDERS }, (_, index) =>
      hubProcess(`worker ${index}`, "workers/main.ts", env, ["--only", "deliveries,fan-out,events"]),
    ),
    hubProcess("scheduler", "workers/main.ts", env, ["--only", "scheduler"]),
  ] as const;
  await Promise.all(parts.map((part) => part.start()));
  const [edge, worker] = parts;
  const runtime = createRuntime(
    loadConfig({ ...variables, REDIS_URL: redis.url, LOG_LEVEL: "silent" }),
    "cli",
  );
  const restartPostgres = (): Promise<void> =>
    // A killed Postgres leaves children that hold its memory a moment longer.
    retryUntil(() => server.restart(), { everyMs: 100, timeoutMs: RESTART_TIMEOUT_MS });
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    runtime,
    redisProxy,
    processes: {
      edge,
      worker: worker!,
      scheduler: parts.at(-1)!,
      redis: { pid: () => redis.pids()[0]!, kill: () => redis.kill(), start: () => redis.restart() },
      postgres: { pid: () => server.pid(), kill: () => server.kill(), start: restartPostgres },
    },
    report: () => parts.map((part, index) => `--- process ${index}\n${part.lines.join("\n")}`).join("\n"),
    async stop() {
      await runtime.shutdown.run();
      await Promise.all(parts.map((part) => part.stop()));
      await redisProxy.stop();
      await Promise.all([redis.stop(), database.stop()]);
      await rm(home, { recursive: true, force: true });
    },
  };
}
