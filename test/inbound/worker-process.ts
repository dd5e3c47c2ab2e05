import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import type { EdgeFixture } from "./edge-fixture.ts";

/** An inbound worker as a process of its own, on the edge's Redis and database. */
export interface WorkerProcess {
  pid: number;
  /** Its log lines so far. */
  lines: string[];
  /** Settles with the process. */
  exited: Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM. @returns its exit code */
  stop(): Promise<number>;
}

/** Starts `bun workers/main.ts --only inbound` and waits until it reads. */
export async function startWorkerProcess(
  edge: EdgeFixture,
  env: Record<string, string> = {},
): Promise<WorkerProcess> {
  const child = Bun.spawn([process.execPath, "workers/main.ts", "--only", "inbound"], {
    cwd: PROJECT_DIR,
    env: {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: edge.postgres.ownerUrl,
      REDIS_URL: edge.redis.url,
      INTEGRATION_ENCRYPTION_KEY: edge.postgres.encryptionKey,
      STREAM_PARTITIONS: String(edge.runtime.config.streamPartitions),
      LOG_LEVEL: "info",
      ...env,
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines: string[] = [];
  void collect(child.stdout, lines);
  void collect(child.stderr, lines);
  const ended = async (): Promise<number> => {
    await child.exited;
    return child.exitCode ?? -1;
  };
  const started = async (): Promise<void> => {
    if (!lines.some((line) => line.includes("worker is running")))
      throw new Error(`worker did not start:\n${lines.join("\n")}`);
  };
  await retryUntil(started, { everyMs: 20, timeoutMs: 60_000 });
  return {
    pid: child.pid,
    lines,
    exited: child.exited,
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    stop() {
      child.kill("SIGTERM");
      return ended();
    },
  };
}

async function collect(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
  }
}
