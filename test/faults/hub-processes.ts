import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import acceptLua from "../../src/domain/inbound/accept.lua" with { type: "text" };
import finishLua from "../../src/domain/inbound/finish.lua" with { type: "text" };
import { loadConfig } from "../../src/platform/config.ts";
import { migrate } from "../../src/platform/postgres/migrate.ts";
import { freePort } from "../../src/platform/process/free-port.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { findInstalledRedis } from "../../src/platform/services/find-redis.ts";
import { type EmbeddedPostgres, preparePostgres } from "../../src/platform/services/postgres-service.ts";
import { pingRedis, redisConfiguration } from "../../src/platform/services/redis-service.ts";
import { processService, type RunningService, type Service } from "../../src/platform/services/service.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { postgresConversation } from "../support/postgres-wire.ts";
import { redisConversation } from "../support/redis-wire.ts";

/** What a test may kill. */
export const PROCESS_NAMES = ["edge", "worker", "redis", "postgres"] as const;
export type ProcessName = (typeof PROCESS_NAMES)[number];

/** Loading, recovering and compiling on a busy machine; no test waits for it when all is well. */
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const LOG_LINES_KEPT = 200;
const PROJECT_DIR = join(import.meta.dirname, "../..");

/** A Postgres of the test's own, migrated, behind a proxy; it outlives the hubs that use it. */
export interface FaultyPostgres {
  process: RunningProcess;
  proxy: FaultProxy;
  /** Owner's URL, straight to the server. */
  ownerUrl: string;
  encryptionKey: string;
  stop(): Promise<void>;
}

/** A server or a part of the hub that can be killed and started again on the same data and address. */
export class RunningProcess {
  readonly #service: Service;
  #running: RunningService | undefined;
  /** Its last lines, for the report of a failure. */
  readonly lines: string[] = [];

  constructor(service: Service) {
    this.#service = service;
  }

  get pid(): number {
    const pid = this.#running?.pid;
    if (pid === undefined) throw new Error(`${this.#service.name} does not run`);
    return pid;
  }

  /** Tries again for a while: a killed Postgres leaves children that hold its memory a moment longer. */
  async start(): Promise<void> {
    this.#running = await retryUntil(() => this.#service.start((line) => this.#keep(line)), {
      everyMs: 100,
      timeoutMs: READY_TIMEOUT_MS,
    });
  }

  /** SIGKILL; settles when the process is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#running?.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#running?.kill(signal);
  }

  /** Settles when the process is gone. */
  async exited(): Promise<void> {
    await this.#running?.exited;
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
  }

  #keep(line: string): void {
    this.lines.push(line);
    if (this.lines.length > LOG_LINES_KEPT) this.lines.shift();
  }
}

/** Starts a Postgres with its data in a new folder. */
export async function startFaultyPostgres(): Promise<FaultyPostgres> {
  const home = await mkdtemp(join(tmpdir(), "hub-faults-"));
  const postgres: EmbeddedPostgres = await preparePostgres({
    home,
    path: process.env["PATH"] ?? "",
    report: () => undefined,
    // Many of them may run on one machine; each is used by one hub.
    settings: { shared_buffers: "64MB" },
  });
  const running = new RunningProcess(postgres.service);
  await running.start();
  const ownerUrl = await postgres.createOwnerDatabase();
  const encryptionKey = `k1:${randomBytes(32).toString("base64")}`;
  await migrate({ ownerUrl, encryptionKeys: encryptionKey });
  const proxy = await FaultProxy.start(postgres.port, postgresConversation);
  return {
    process: running,
    proxy,
    ownerUrl,
    encryptionKey,
    async stop() {
      await proxy.stop();
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Edge, worker and Redis as processes of their own, with proxies before both servers. */
export interface HubProcesses {
  baseUrl: string;
  /** Straight to the servers, past the proxies. */
  runtime: Runtime;
  redis: Redis;
  redisProxy: FaultProxy;
  postgres: FaultyPostgres;
  processes: Record<ProcessName, RunningProcess>;
  /** Last lines of every process, for the report of a failure. */
  report(): string;
  stop(): Promise<void>;
}

/** @param options.without parts that the test does not want or starts itself */
export async function startHubProcesses(
  postgres: FaultyPostgres,
  options: { env?: Record<string, string>; without?: readonly ProcessName[] } = {},
): Promise<HubProcesses> {
  const home = await mkdtemp(join(tmpdir(), "hub-faults-"));
  const redisPort = freePort();
  const redisProcess = new RunningProcess(await redisService(home, redisPort));
  await redisProcess.start();
  const redisProxy = await FaultProxy.start(redisPort, () =>
    redisConversation({ accept: acceptLua, finish: finishLua }),
  );
  const port = freePort();
  const baseUrl = `http://127.0.0.1:${port}`;
  const variables = {
    INTEGRATION_ENCRYPTION_KEY: postgres.encryptionKey,
    STREAM_PARTITIONS: "8",
    HUB_HOME: home,
    PORT: String(port),
    LOG_LEVEL: "warn",
    ...options.env,
  };
  const env = {
    ...variables,
    DATABASE_URL: withPort(postgres.ownerUrl, postgres.proxy.port),
    REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
    PATH: process.env["PATH"] ?? "",
    NODE_ENV: "production",
  };
  const processes = {
    edge: new RunningProcess(hubService("edge", "src/edge/main.ts", env, `${baseUrl}/health/live`)),
    worker: new RunningProcess(hubService("worker", "workers/main.ts", env)),
    redis: redisProcess,
    postgres: postgres.process,
  };
  const started = (["edge", "worker"] as const).filter((name) => !options.without?.includes(name));
  await Promise.all(started.map((name) => processes[name].start()));
  const config = loadConfig({
    ...variables,
    DATABASE_URL: postgres.ownerUrl,
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    LOG_LEVEL: "silent",
  });
  const runtime = createRuntime(config, "cli");
  return {
    baseUrl,
    runtime,
    redis: runtime.redis as Redis,
    redisProxy,
    postgres,
    processes,
    report: () =>
      PROCESS_NAMES.map((name) => `--- ${name}\n${processes[name].lines.slice(-40).join("\n")}`).join("\n"),
    async stop() {
      await runtime.shutdown.run();
      await Promise.all([processes.edge.stop(), processes.worker.stop()]);
      await redisProxy.stop();
      await redisProcess.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Waits until the condition holds. @throws Error that names it after `timeoutMs` */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
  };
  await retryUntil(attempt, { everyMs: 20, timeoutMs });
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

async function redisService(home: string, port: number): Promise<Service> {
  const binary = await findInstalledRedis(process.env["PATH"] ?? "");
  if (binary === undefined) throw new Error("Cannot find redis-server or valkey-server");
  const dataDir = join(home, "redis");
  await mkdir(dataDir);
  const configurationFile = join(home, "redis.conf");
  await Bun.write(configurationFile, redisConfiguration({ port, dataDir }));
  return processService({
    child: { name: "redis", argv: [binary.file, configurationFile], env: { ...binary.env }, cwd: dataDir },
    stopSignal: "SIGTERM",
    stopTimeoutMs: STOP_TIMEOUT_MS,
    readyTimeoutMs: READY_TIMEOUT_MS,
    probe: () => pingRedis(port),
  });
}

/** A part of the hub; without a URL it counts as ready at once, and the test waits for what it does. */
function hubService(name: string, entry: string, env: Record<string, string>, liveUrl?: string): Service {
  return processService({
    child: { name, argv: [process.execPath, entry], env, cwd: PROJECT_DIR },
    stopSignal: "SIGTERM",
    stopTimeoutMs: STOP_TIMEOUT_MS,
    readyTimeoutMs: READY_TIMEOUT_MS,
    probe: async () => {
      if (liveUrl === undefined) return;
      const answer = await fetch(liveUrl);
      if (!answer.ok) throw new Error(`${name} answers ${answer.status}`);
    },
  });
}
