import { commandLineOf, parentOf, startTimeOf } from "../platform/process/process-table.ts";

/**
 * `npm exec bun@1.4.5 start` (npx), `bun start`, `bun run start`, and the first process of a start that had to install:
 * they wait for us and do nothing else.
 */
const LAUNCHERS = [
  /^npm exec /,
  /^(?:\S*node )?\S*npx /,
  /^\S*bun(?:\.exe)? (?:run )?(?:start|\S*src\/start\/main\.ts)(?: |$)/,
];
const SHELL = /^(?:\S*\/)?(?:ba|da)?sh -c /;

const ANCESTORS_MAX = 10;
const POLL_MS = 500;

interface Launcher {
  pid: number;
  startTime: string;
}

/**
 * Calls `onGone` when a package runner that started us is gone. SIGKILL of `npx` or `bun start` does not reach us, and
 * nobody would know that a hub is still running. Shells above them may go as they like (`nohup … &`).
 *
 * @returns ends the watch
 */
export async function watchLaunchers(onGone: () => void): Promise<() => void> {
  const launchers = await findLaunchers();
  const timer = setInterval(async () => {
    for (const { pid, startTime } of launchers) {
      if ((await startTimeOf(pid)) === startTime) continue;
      clearInterval(timer);
      onGone();
      return;
    }
  }, POLL_MS);
  if (launchers.length === 0) clearInterval(timer);
  return () => clearInterval(timer);
}

/** From our parent up to the topmost runner, with the shells between. */
async function findLaunchers(): Promise<Launcher[]> {
  if (process.platform !== "linux") return [];
  const launchers: Launcher[] = [];
  let shells: Launcher[] = [];
  let pid = process.ppid;
  for (let depth = 0; depth < ANCESTORS_MAX && pid > 1; depth++) {
    const [line, startTime] = [await commandLineOf(pid), await startTimeOf(pid)];
    if (startTime === undefined) break;
    if (SHELL.test(line)) {
      shells.push({ pid, startTime });
    } else if (LAUNCHERS.some((pattern) => pattern.test(line))) {
      launchers.push(...shells, { pid, startTime });
      shells = [];
    } else {
      break;
    }
    pid = await parentOf(pid);
  }
  return launchers;
}
