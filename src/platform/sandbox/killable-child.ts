import { readFile } from "node:fs/promises";
import type { Frame } from "./frames.ts";
import { encodeFrames, FrameReader, HELLO } from "./frames.ts";

/**
 * Limit while the child loads. Bun 1.4 reserves address space by what the limit leaves it: 300 MB of these 600 MiB,
 * but 1.1 GB of 1,200 and 6 GB without a limit. Below 300 MB it does not start.
 */
const START_DATA_BYTES = 600 * 1024 * 1024;

/** Room for machine code. Its default of 1 GB is refused under the limit, and without a JIT all is 7 times slower. */
const JIT_BYTES = 32 * 1024 * 1024;

/** Programs of util-linux that hold the child: `prlimit` its memory, `setpriv` its life to ours. */
const TOOLS = ["prlimit", "setpriv"] as const;

export interface KillableChildOptions {
  /** Absolute path of the TypeScript file that the child runs; it ends in `serveFrames`. */
  entry: string;
  /** Memory that the child's work may take beyond what the loaded program has. */
  memoryLimitBytes: number;
  /** Called once, when the child has loaded and its limit stands. */
  onReady: () => void;
  onFrame: (frame: Frame) => void;
  /** Called once, after the last frame. */
  onExit: (exit: { signal: string | null; exitCode: number | null }) => void;
}

export interface KillableChild {
  readonly pid: number;
  send(frames: readonly Frame[]): void;
  /** SIGKILL: nothing in the child can hold it up. No frame is handed on afterwards; `onExit` follows. */
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
      // The soft limit only: the final one may be higher.
      `--data=${START_DATA_BYTES}:`,
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
      BUN_JSC_jitMemoryReservationSize: String(JIT_BYTES),
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
  const becomeReady = async (): Promise<void> => {
    const limited = await limitMemory(child.pid, options.memoryLimitBytes);
    if (killed) return;
    if (limited) options.onReady();
    else kill();
  };
  const receive = (frame: Frame): void => {
    if (killed) return;
    if (frame.kind !== HELLO) return options.onFrame(frame);
    void becomeReady();
  };
  void readFrames(child.stdout, receive)
    // What such a child says cannot be read any more; its end is reported below.
    .catch(kill)
    .then(() => child.exited)
    .then((exitCode) =>
      options.onExit({ exitCode, signal: child.signalCode === null ? null : String(child.signalCode) }),
    );
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

async function readFrames(
  stream: ReadableStream<Uint8Array>,
  receive: (frame: Frame) => void,
): Promise<void> {
  const frames = new FrameReader();
  const chunks = stream.getReader();
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
    const { done, value } = await chunks.read();
    if (done) return;
    for (const frame of frames.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength)))
      receive(frame);
  }
}

/**
 * Sets the final limit: what the loaded child maps now, plus its budget.
 *
 * @returns false when the child is gone or `prlimit` refused
 */
async function limitMemory(pid: number, budgetBytes: number): Promise<boolean> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const mappedKb = Number(/^VmData:\s+(\d+) kB$/m.exec(status)?.[1]);
    const limitBytes = mappedKb * 1024 + budgetBytes;
    const prlimit = Bun.spawn({
      cmd: ["prlimit", `--pid=${pid}`, `--data=${limitBytes}:${limitBytes}`],
      stdio: ["ignore", "ignore", "ignore"],
    });
    return (await prlimit.exited) === 0;
  } catch {
    return false;
  }
}
