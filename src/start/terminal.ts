/** What the person at the terminal sees; nothing here goes into a file. */
export interface Terminal {
  /** A line of its own. */
  say(text: string): void;
  /** Says what is being done, then how long it took. */
  step<T>(what: string, work: () => Promise<T>, result?: (value: T) => string): Promise<T>;
  /** A warning or error of a child, once in a while and limited in number: an outage repeats itself for every request. */
  echo(source: string, text: string): void;
}

/** Echoed lines in a window of time; the rest is in the log files. */
const ECHOES_MAX = 20;
const ECHO_WINDOW_MS = 10_000;

/** @param nowMs milliseconds since the epoch */
export function createTerminal(write: (line: string) => void, nowMs: () => number = Date.now): Terminal {
  let windowStartMs = 0;
  let echoes = 0;
  const echoed = new Set<string>();
  return {
    say: write,
    async step(what, work, result) {
      const startedMs = Date.now();
      write(`  … ${what}`);
      const value = await work();
      const detail = result ? `: ${result(value)}` : "";
      write(`  ✓ ${what}${detail} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`);
      return value;
    },
    echo(source, text) {
      if (nowMs() - windowStartMs > ECHO_WINDOW_MS) {
        windowStartMs = nowMs();
        echoes = 0;
        echoed.clear();
      }
      const line = `  ! ${source}: ${text}`;
      if (echoed.has(line)) return;
      echoed.add(line);
      echoes++;
      if (echoes < ECHOES_MAX) write(line);
      else if (echoes === ECHOES_MAX) write(`  ! more of this in the log files`);
    },
  };
}
