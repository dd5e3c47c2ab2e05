import { type ChildOptions, spawnChild } from "./child.ts";

/** Lines of a failed command that its error repeats. */
const LINES_SHOWN = 15;

/**
 * Runs a command to its end.
 *
 * @returns its output lines, standard output and error as they came
 * @throws Error with its last lines when it does not end with 0 within `timeoutMs`
 */
export async function runCommand(options: ChildOptions, timeoutMs: number): Promise<string[]> {
  const lines: string[] = [];
  const child = spawnChild({
    ...options,
    onLine: (line) => {
      lines.push(line);
      options.onLine?.(line);
    },
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.killAll();
  }, timeoutMs);
  const exit = await child.exited;
  clearTimeout(timer);
  if (exit.exitCode !== 0) {
    const how = timedOut
      ? `not done within ${timeoutMs / 1000} s`
      : (exit.signal ?? `exit code ${exit.exitCode}`);
    throw new Error(
      `Cannot run ${options.argv.join(" ")}: ${how}\n${lines.slice(-LINES_SHOWN).join("\n")}`.trimEnd(),
    );
  }
  return lines;
}
