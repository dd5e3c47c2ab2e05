import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { SystemUser } from "./system-user.ts";

export interface ChildOptions {
  /** For messages: `postgres`, `edge-1`. */
  name: string;
  argv: readonly string[];
  /** The whole environment; nothing is inherited. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /** File descriptor that becomes the child's standard input; none when left out. */
  stdinFd?: number;
  /** File descriptor that becomes the child's descriptor 3. */
  thirdFd?: number | undefined;
  /** Sent by the kernel when this process dies. Postgres ends at once and in order on QUIT. */
  deathSignal?: "KILL" | "QUIT";
  /** Priority, 0 to 19: the higher, the more it gives way to others on a busy machine. 0 when left out. */
  niceness?: number;
  /** Only for root: run as this user, without supplementary groups. */
  runAs?: SystemUser | undefined;
  /** Called for every line that the child prints. */
  onLine?: (line: string) => void;
}

export interface ChildExit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

/** A running process of ours that does not outlive us. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process is gone and its last line was handed on. */
  readonly exited: Promise<ChildExit>;
  /** Sends a signal; does nothing when the process is gone. */
  kill(signal: NodeJS.Signals): void;
  /** SIGKILL of the child and of what it has started in its own group: such a one holds our ends of its outputs. */
  killAll(): void;
  /** Sends `signal`, and SIGKILL when the process is still there after `timeoutMs`. */
  stop(signal: NodeJS.Signals, timeoutMs: number): Promise<ChildExit>;
}

/**
 * Runs the rest of the line unless the parent has died meanwhile: a death before PR_SET_PDEATHSIG is not signalled.
 * $1 is the parent's pid.
 */
const UNLESS_ORPHANED = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"';

/**
 * Where setpriv is missing: a subshell waits for the end of standard input, whose other end only the parent holds, and
 * kills the child. $1 is the signal.
 */
const KILLED_BY_PIPE =
  "pid=$$; signal=$1; shift; exec 3<&0; " +
  '(read -r line <&3; kill -s "$signal" "$pid") </dev/null >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

/**
 * Starts a process that the kernel ends when this one dies, also by SIGKILL. The signal is set after the user is
 * changed, because changing it clears the signal; `exec` keeps pid and signal through the whole line.
 *
 * @throws Error when the program does not exist, or root cannot become `runAs`
 */
export function spawnChild(options: ChildOptions): Child {
  const setpriv = Bun.which("setpriv", { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" });
  if (options.runAs && !setpriv) {
    throw new Error(
      `Cannot run ${options.name} as ${options.runAs.name}: setpriv was not found. Install util-linux`,
    );
  }
  const watched = setpriv === null && options.stdinFd === undefined;
  const program = Bun.spawn({
    cmd: setpriv ? dieWithParent(setpriv, options) : watched ? watchPipe(options) : [...options.argv],
    env: { ...options.env },
    // A session of its own: Ctrl-C reaches only us, and we end the children one after the other.
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: [
      options.stdinFd ?? (watched ? "pipe" : "ignore"),
      "pipe",
      "pipe",
      ...(options.thirdFd === undefined ? [] : [options.thirdFd]),
    ],
  });
  if (options.niceness !== undefined) giveWay(program.pid, options.niceness);
  const onLine = options.onLine ?? (() => undefined);
  const closeStdin = async (): Promise<void> => {
    await program.exited;
    if (typeof program.stdin === "object") await program.stdin.end();
  };
  const exited = Promise.all([
    closeStdin(),
    readLines(program.stdout, onLine),
    readLines(program.stderr, onLine),
  ]).then((): ChildExit => ({
    exitCode: program.exitCode,
    signal: program.signalCode as NodeJS.Signals | null,
  }));
  const killAll = (): void => {
    try {
      process.kill(-program.pid, "SIGKILL");
    } catch {
      // The whole group is gone.
    }
  };
  return {
    name: options.name,
    pid: program.pid,
    exited,
    kill: (signal) => {
      if (program.exitCode === null && program.signalCode === null) program.kill(signal);
    },
    killAll,
    async stop(signal, timeoutMs) {
      this.kill(signal);
      const timer = setTimeout(killAll, timeoutMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/**
 * Lowers a process's priority. With autogroups Linux weighs sessions against each other, and a niceness counts only
 * within one: as the child has a session of its own, the session's weight must be lowered too.
 */
function giveWay(pid: number, niceness: number): void {
  setPriority(pid, niceness);
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // A kernel without autogroups weighs processes, and has been told.
  }
}

function dieWithParent(setpriv: string, options: ChildOptions): string[] {
  const { runAs } = options;
  const drop = runAs ? [`--reuid=${runAs.uid}`, `--regid=${runAs.gid}`, "--clear-groups"] : [];
  return [
    setpriv,
    ...drop,
    `--pdeathsig=${options.deathSignal ?? "KILL"}`,
    "--",
    "/bin/sh",
    "-c",
    UNLESS_ORPHANED,
    "sh",
    String(process.pid),
    ...options.argv,
  ];
}

function watchPipe(options: ChildOptions): string[] {
  return ["/bin/sh", "-c", KILLED_BY_PIPE, "sh", options.deathSignal ?? "KILL", ...options.argv];
}

/** A line longer than this is handed on in pieces, so that a child without line ends cannot fill our memory. */
const LINE_LENGTH_MAX = 65_536;

async function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    rest += decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
    if (rest.length > LINE_LENGTH_MAX) {
      onLine(rest);
      rest = "";
    }
  }
  if (rest !== "") onLine(rest);
}
