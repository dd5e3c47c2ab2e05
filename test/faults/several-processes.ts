import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/platform/config.ts";
import { freePort } from "../../src/platform/process/free-port.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { startTestPostgres } from "../support/services.ts";
import { hubProcess, type KillableProcess } from "./hub-processes.ts";

/** Edges and workers on one Redis and one database, as a deployment over several hosts has them. */
export interface SeveralProcesses {
  /** Of each edge; equal where edges share a host. */
  baseUrls: string[];
  /** The first of them. */
  baseUrl: string;
  edges: KillableProcess[];
  workers: KillableProcess[];
  runtime: Runtime;
  /** What the processes said last, for the report of a failure. */
  report(): string;
  stop(): Promise<void>;
}

/**
 * Starts edges on the given addresses of this machine, which stand for hosts, and workers.
 *
 * @param options.hosts one for each edge; edges of the same host share its port
 * @param options.idle workers that are made but not started
 */
export async function startSeveralProcesses(options: {
  redisUrl: string;
  hosts: readonly string[];
  workers: number;
  env?: Record<string, string>;
  idle?: boolean;
}): Promise<SeveralProcesses> {
  const home = await mkdtemp(join(tmpdir(), "hub-faults-"));
  const database = await startTestPostgres();
  const port = String(freePort());
  const variables: Record<string, string> = {
    INTEGRATION_ENCRYPTION_KEY: database.encryptionKey,
    STREAM_PARTITIONS: "8",
    HUB_HOME: home,
    PORT: port,
    DATABASE_URL: database.ownerUrl,
    REDIS_URL: options.redisUrl,
    ...options.env,
  };
  const env = { ...variables, LOG_LEVEL: "warn", PATH: process.env["PATH"] ?? "", NODE_ENV: "production" };
  const edges = options.hosts.map((host, index) =>
    hubProcess(`edge-${index + 1}`, "src/edge/main.ts", { ...env, HOST: host }),
  );
  const workers = Array.from({ length: options.workers }, (_, index) =>
    hubProcess(`worker-${index + 1}`, "workers/main.ts", env),
  );
  const all = [...edges, ...workers];
  await Promise.all((options.idle ? edges : all).map((each) => each.start()));
  const runtime = createRuntime(loadConfig({ ...variables, LOG_LEVEL: "silent" }), "cli");
  const baseUrls = options.hosts.map((host) => `http://${host}:${port}`);
  return {
    baseUrls,
    baseUrl: baseUrls[0]!,
    edges,
    workers,
    runtime,
    report: () => all.map(({ lines }) => lines.join("\n")).join("\n---\n"),
    async stop() {
      await runtime.shutdown.run();
      await Promise.all(all.map((each) => each.stop()));
      await database.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
