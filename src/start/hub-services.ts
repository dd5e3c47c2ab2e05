import { join } from "node:path";
import type { Config } from "../platform/config.ts";
import { READY_LINE } from "../platform/process/tell-ready.ts";
import { processService, type Service } from "../platform/services/service.ts";

/** Longer than a worker may take for one message, so that what it has begun is finished. */
const STOP_GRACE_MS = 15_000;

/** Compiling and connecting on a busy machine. */
const READY_TIMEOUT_MS = 60_000;

/** A webhook is answered first and processed afterwards: senders wait for edge and Redis, nobody for a worker. */
const WORKER_NICENESS = 10;

const PROBE_TIMEOUT_MS = 1000;

export interface HubServices {
  edges: Service[];
  workers: Service[];
}

/**
 * The hub's own processes: EDGE_PROCESSES that share one port, and WORKER_PROCESSES.
 *
 * @param env the whole environment of each
 * @param baseUrl where edge answers
 */
export function hubServices(options: {
  projectDir: string;
  config: Config;
  env: Readonly<Record<string, string>>;
  baseUrl: string;
}): HubServices {
  const { config } = options;
  const stopTimeoutMs = config.webhookTimeoutSeconds * 1000 + STOP_GRACE_MS;
  const service = (
    name: string,
    command: readonly string[],
    probe: () => Promise<void>,
    niceness = 0,
  ): Service =>
    processService({
      child: {
        name,
        niceness,
        argv: [process.execPath, join(options.projectDir, command[0]!), ...command.slice(1)],
        env: options.env,
        cwd: options.projectDir,
      },
      stopSignal: "SIGTERM",
      stopTimeoutMs,
      readyTimeoutMs: READY_TIMEOUT_MS,
      readyLine: READY_LINE,
      probe,
    });
  const numbered = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
  return {
    edges: numbered(config.edgeProcesses).map((number) =>
      service(`edge-${number}`, ["src/edge/main.ts", "--supervised"], () =>
        expectOk(`${options.baseUrl}/health/live`),
      ),
    ),
    // A worker answers nobody.
    workers: numbered(config.workerProcesses).map((number) =>
      service(
        `worker-${number}`,
        ["workers/main.ts", "--supervised", "--shares-machine"],
        async () => undefined,
        WORKER_NICENESS,
      ),
    ),
  };
}

/** @throws Error with the status and the body's beginning unless the answer is 2xx */
export async function expectOk(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} answers ${response.status} ${body.slice(0, 500)}`);
}
