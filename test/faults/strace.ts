import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../src/platform/process/run-command.ts";
import { until } from "./hub-processes.ts";

const INSTALL_TIMEOUT_MS = 180_000;

/** One fdatasync of the process, in ms since the epoch. */
export interface Sync {
  beganMs: number;
  endedMs: number;
  failed: boolean;
}

export interface Tracing {
  /** The fdatasyncs that have ended so far. */
  syncs(): Promise<Sync[]>;
  stop(): Promise<void>;
}

/**
 * Makes strace available: from PATH, else from Debian's package where this process may install it.
 *
 * @returns undefined, or why it cannot be had
 */
export async function missingStrace(): Promise<string | undefined> {
  if (Bun.which("strace") !== null) return undefined;
  if (process.getuid?.() !== 0) return "strace is not on PATH, and only root can install it";
  const environment = {
    PATH: process.env["PATH"] ?? "",
    DEBIAN_FRONTEND: "noninteractive",
    ...proxyVariables(),
  };
  const apt = (...argv: string[]): Promise<unknown> =>
    runCommand({ name: "apt-get", argv: ["apt-get", ...argv], env: environment }, INSTALL_TIMEOUT_MS);
  try {
    await apt("update", "-qq");
    await apt("install", "-y", "-qq", "--no-install-recommends", "strace");
    return undefined;
  } catch (error) {
    return `strace cannot be installed: ${(error as Error).message}`;
  }
}

/** apt reaches its mirrors by these where it has to. */
function proxyVariables(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) => /^(https?|no)_proxy$/i.test(name));
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""]));
}

/**
 * Tampers with every fdatasync of a process and of its threads, from now until stopped.
 *
 * @param injection strace's words: `delay_enter=<µs>` or `error=EIO`
 */
export async function tamperWithSync(pid: number, injection: string): Promise<Tracing> {
  const directory = await mkdtemp(join(tmpdir(), "hub-strace-"));
  const logFile = join(directory, "syncs");
  const filters = ["-e", "trace=fdatasync", "-e", `inject=fdatasync:${injection}`];
  const tracer = Bun.spawn(["strace", "-f", "-ttt", "-T", "-o", logFile, "-p", String(pid), ...filters], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  await until("strace is attached", async () => (await tracerOf(pid)) === tracer.pid);
  return {
    syncs: async () => parseSyncs(await readFile(logFile, "utf8")),
    async stop() {
      tracer.kill("SIGINT");
      await tracer.exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function tracerOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^TracerPid:\s*(\d+)/m.exec(status)?.[1] ?? 0);
}

/** `<pid> <seconds> fdatasync(8) = 0 (DELAYED) <seconds taken>` */
const SYNC_LINE = /^\d+ +(\d+\.\d+) fdatasync\(\d+\) += (-?\d+).*<(\d+\.\d+)>$/gm;

function parseSyncs(log: string): Sync[] {
  return [...log.matchAll(SYNC_LINE)].map(([, began, result, taken]) => ({
    beganMs: Number(began) * 1000,
    endedMs: (Number(began) + Number(taken)) * 1000,
    failed: Number(result) < 0,
  }));
}
