import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../src/platform/process/free-port.ts";
import { spawnChild } from "../../src/platform/process/child.ts";
import type { FirstRun } from "../../src/start/first-run.ts";
import { PROJECT_DIR } from "./paths.ts";

/** A hub that `start` has brought up, or what it said when it would not. */
export interface StartedHub {
  pid: number;
  baseUrl: string;
  /** Everything that stood on the terminal so far. */
  terminal(): string;
  ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

/** Runs `src/start/main.ts` on `home` until it is ready or has ended. */
export async function startHub(home: string, env: Record<string, string> = {}): Promise<StartedHub> {
  const port = freePort();
  const lines: string[] = [];
  const ready = Promise.withResolvers<void>();
  const child = spawnChild({
    name: "start",
    argv: [process.execPath, join(PROJECT_DIR, "src/start/main.ts")],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "/",
      HUB_HOME: home,
      PORT: String(port),
      ...env,
    },
    cwd: PROJECT_DIR,
    onLine: (line) => {
      lines.push(line);
      if (line.includes("Stop with Ctrl-C")) ready.resolve();
    },
  });
  const ended = child.exited.then((exit) => exit.exitCode);
  await Promise.race([ready.promise, ended]);
  return {
    pid: child.pid,
    baseUrl: `http://127.0.0.1:${port}`,
    terminal: () => lines.join("\n"),
    ended,
    kill: (signal) => child.kill(signal),
  };
}

export async function readFirstRun(home: string): Promise<FirstRun> {
  return JSON.parse(await readFile(join(home, "first-run.json"), "utf8")) as FirstRun;
}

/** Processes that still have something of `home` in their command line or environment. */
export async function processesOf(home: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of new Bun.Glob("[0-9]*").scanSync({ cwd: "/proc", onlyFiles: false })) {
    const [stat, commandLine, environment] = await Promise.all(
      ["stat", "cmdline", "environ"].map((file) => readFile(`/proc/${name}/${file}`, "utf8").catch(() => "")),
    );
    if (Number(name) === process.pid || /\) Z /.test(stat!)) continue;
    if (commandLine!.includes(home) || environment!.includes(home)) found.push(Number(name));
  }
  return found;
}

/** Processes that a process has started. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.trim().split(" ").filter(Boolean).map(Number);
}
