import type { Frame } from "./frames.ts";
import { encodeFrames, FrameReader } from "./frames.ts";

/**
 * Private address space that Bun 1.4 maps before any work. Its allocator shrinks its reservations under a limit:
 * 270 MB are mapped at a limit of 600 MB, and below 300 MB it does not start.
 */
const RUNTIME_DATA_BYTES = 320 * 1024 * 1024;

/** Programs of util-linux that hold the child: `prlimit` its memory, `setpriv` its life to ours. */
const TOOLS = ["prlimit", "setpriv"] as const;

export interface KillableChildOptions {
  /** Absolute path of the TypeScript file that the child runs. */
  entry: string;
  /** Memory that the child's work may take beyond the runtime's own. */
  memoryLimitBytes: number;
  onFrame: (frame: Frame) => void;
  /** Called once, after the last frame. `crashed`: it died by itself and not by a kill signal. */
  onExit: (exit: { crashed: boolean; signal: string | null; exitCode: number | null }) => void;
}

export interface KillableChild {
  readonly pid: number;
  send(frames: readonly Frame[]): void;
  /** SIGKILL: nothing in the child can hold it up. `onExit` follows. */
  kill(): void;
}

/**
 * @throws Error that says which package to install when this machine lacks the tools. Call it at boot: a sandbox
 *   that silently runs without its memory limit is none.
 */
export function assertSandboxTools(): void {
  const missing = TOOLS.filter((tool) => Bun.which(tool) === null);
  if (missing.length === 0) return;
  throw new Error(
    `Cannot run transformations: ${missing.join(" and ")} not found on PATH. Install util-linux (Debian: apt-get install util-linux).`,
  );
}

/**
 * Starts a Bun process that can be killed at any moment, with a limit on its memory (RLIMIT_DATA), no core dumps, an
 * environment without our secrets, and SIGKILL as soon as this process is gone (PR_SET_PDEATHSIG). Frames travel over
 * its stdin and stdout.
 */
export function spawnKillableChild(options: KillableChildOptions): KillableChild {
  const child = Bun.spawn({
    cmd: [
      Bun.which("setpriv") ?? "setpriv",
      "--pdeathsig=SIGKILL",
      Bun.which("prlimit") ?? "prlimit",
      `--data=${RUNTIME_DATA_BYTES + options.memoryLimitBytes}`,
      "--core=0",
      process.execPath,
      "--no-install",
      options.entry,
    ],
    // Bun reads .env files of its working directory.
    cwd: "/",
    env: {
      BUN_ENABLE_CRASH_REPORTING: "0",
      DO_NOT_TRACK: "1",
      // Makes the collector run as on a small machine, so that ordinary garbage does not reach the limit.
      BUN_JSC_forceRAMSize: String(options.memoryLimitBytes),
    },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  let killed = false;
  const kill = (): void => {
    killed = true;
    child.kill("SIGKILL");
  };
  const reader = new FrameReader();
  const readAll = async (): Promise<void> => {
    try {
      for await (const chunk of child.stdout) {
        for (const frame of reader.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) {
          if (!killed) options.onFrame(frame);
        }
      }
    } catch {
      // What the child says cannot be read any more; its end is reported below.
      kill();
    }
    const exitCode = await child.exited;
    const signal = child.signalCode;
    options.onExit({ crashed: !killed && signal !== "SIGKILL", signal, exitCode });
  };
  void readAll();
  return {
    pid: child.pid,
    send: (frames) => {
      try {
        void Promise.resolve(child.stdin.write(encodeFrames(frames))).catch(() => undefined);
        void Promise.resolve(child.stdin.flush()).catch(() => undefined);
      } catch {
        // A pipe to a process that has just died; `onExit` is on its way.
      }
    },
    kill,
  };
}
