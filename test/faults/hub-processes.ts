import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import acceptLua from "../../src/domain/inbound/accept.lua" with { type: "text" };
import finishLua from "../../src/domain/inbound/finish.lua" with { type: "text" };
import { loadConfig } from "../../src/platform/config.ts";
import { freePort } from "../../src/platform/process/free-port.ts";
import { READY_LINE } from "../../src/platform/process/tell-ready.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { processService, type RunningService } from "../../src/platform/services/service.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import type { TestPostgresServer } from "../support/postgres-server.ts";
import { postgresConversation } from "../support/postgres-wire.ts";
import { redisConversation } from "../support/redis-wire.ts";
import { startTestPostgres, startTestRedis } from "../support/services.ts";

/** What a test may kill. */
export const PROCESS_NAMES = ["edge", "worker", "redis", "postgres"] as const;
export type ProcessName = (typeof PROCESS_NAMES)[number];

/** A process that can be killed and started again on the same data and address. */
export interface KillableProcess {
  pid(): number;
  /** SIGKILL; settles when the process is gone. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Edge, worker and Redis of its own, on a database of its own, with proxies before both servers. */
export interface HubProcesses {
  baseUrl: string;
  /** Straight to the servers, past the proxies. */
  runtime: Runtime;
  redisProxy: FaultProxy;
  postgresProxy: FaultProxy;
  processes: Record<ProcessName, KillableProcess>;
  /** What edge and worker said last, for the report of a failure. */
  report(): string;
  stop(): Promise<void>;
}

/** Compiling, loading and recovering on a busy machine; no test waits for it when all is well. */
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;

/**
 * Starts a hub as processes of its own.
 *
 * @param server Postgres; hubs that run one after the other may share it
 * @param options.without parts of the hub that the test does not want
 */
export async function startHubProcesses(
  server: TestPostgresServer,
  options: { env?: Record<string, string>; without?: readonly ProcessName[] } = {},
): Promise<HubProcesses> {
  const home = await mkdtemp(join(tmpdir(), "hub-faults-"));
  const [database, redis] = await Promise.all([
    startTestPostgres(server.superuserUrl),
    startTestRedis({ cluster: false }),
  ]);
  const [postgresProxy, redisProxy] = await Promise.all([
    FaultProxy.start(Number(new URL(database.ownerUrl).port), postgresConversation),
    FaultProxy.start(redis.ports[0]!, () => redisConversation({ accept: acceptLua, finish: finishLua })),
  ]);
  const port = freePort();
  const baseUrl = `http://127.0.0.1:${port}`;
  const variables: Record<string, string> = {
    INTEGRATION_ENCRYPTION_KEY: database.encryptionKey,
    STREAM_PARTITIONS: "8",
    HUB_HOME: home,
    PORT: String(port),
    ...options.env,
  };
  const env = {
    ...variables,
    LOG_LEVEL: "warn",
    DATABASE_URL: withPort(database.ownerUrl, postgresProxy.port),
    REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
    PATH: process.env["PATH"] ?? "",
    NODE_ENV: "production",
  };
  const edge = hubProcess("edge", "src/edge/main.ts", env);
  const worker = hubProcess("worker", "workers/main.ts", env);
  const parts = { edge, worker };
  const wanted = (["edge", "worker"] as const).filter((name) => !options.without?.includes(name));
  await Promise.all(wanted.map((name) => parts[name].start()));
  const config = loadConfig({
    ...variables,
    DATABASE_URL: database.ownerUrl,
    REDIS_URL: redis.url,
    LOG_LEVEL: "silent",
  });
  const runtime = createRuntime(config, "cli");
  return {
    baseUrl,
    runtime,
    redisProxy,
    postgresProxy,
    processes: {
      edge,
      worker,
      redis: { pid: () => redis.pids()[0]!, kill: () => redis.kill(), start: () => redis.restart() },
      postgres: { pid: () => server.pid(), kill: () => server.kill(), start: () => restart(server) },
    },
    report: () => wanted.map((name) => `--- ${name}\n${parts[name].lines.join("\n")}`).join("\n"),
    async stop() {
      await runtime.shutdown.run();
      await Promise.all([edge.stop(), worker.stop()]);
      await Promise.all([redisProxy.stop(), postgresProxy.stop()]);
      await Promise.all([redis.stop(), database.stop()]);
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Tries again for a while: a killed Postgres leaves children that hold its memory a moment longer. */
function restart(server: TestPostgresServer): Promise<void> {
  return retryUntil(() => server.restart(), { everyMs: 100, timeoutMs: READY_TIMEOUT_MS });
}

/** Far longer than anything takes here; shorter than a test, so that the failure has a name. */
const WAIT_MS = 80_000;

/** Waits until the condition holds. @throws Error that names it when it does not come true */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not within ${WAIT_MS / 1000} s: ${what}`);
  };
  await retryUntil(attempt, { everyMs: 20, timeoutMs: WAIT_MS });
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

const LOG_LINES_KEPT = 40;

/** A part of the hub, with its last lines. It says itself when it is ready, because a port may be shared. */
export function hubProcess(
  name: string,
  entry: string,
  env: Record<string, string>,
  args: readonly string[] = [],
): KillableProcess & { lines: string[]; stop(): Promise<void> } {
  const service = processService({
    child: { name, argv: [process.execPath, entry, "--supervised", ...args], env, cwd: PROJECT_DIR },
    stopSignal: "SIGTERM",
    stopTimeoutMs: STOP_TIMEOUT_MS,
    readyTimeoutMs: READY_TIMEOUT_MS,
    readyLine: READY_LINE,
    probe: async () => undefined,
  });
  const lines: string[] = [];
  let running: RunningService | undefined;
  return {
    lines,
    pid: () => running!.pid!,
    async start() {
      running = await service.start((line) => {
        lines.push(line);
        if (lines.length > LOG_LINES_KEPT) lines.shift();
      });
    },
    async kill() {
      running?.kill("SIGKILL");
      await running?.exited;
    },
    async stop() {
      await running?.stop();
    },
  };
}
