import type { Child, ChildOptions } from "../process/child.ts";
import { spawnChild } from "../process/child.ts";
import { retryUntil } from "../process/retry-until.ts";

/** A server that can be started again and again on the same data and address. */
export interface Service {
  name: string;
  /** Starts it and waits until it answers. */
  start(onLine: (line: string) => void): Promise<RunningService>;
}

export interface RunningService {
  readonly name: string;
  /** Of the server itself; undefined where it runs in a container. */
  readonly pid: number | undefined;
  /** Settles with the reason when the server is gone. */
  readonly exited: Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** Ends it in order, its data on disk. */
  stop(): Promise<void>;
}

export interface ProcessService {
  child: Omit<ChildOptions, "onLine">;
  stopSignal: NodeJS.Signals;
  /** After this it is killed. */
  stopTimeoutMs: number;
  /**
   * What it prints when it is ready. For one that shares its address with others, where a probe may be answered by any
   * of them. The line is not handed on.
   */
  readyLine?: string;
  /** Asks the server once; rejects while it is not ready. */
  probe: () => Promise<void>;
  /** A recovery of a long log takes its time. */
  readyTimeoutMs: number;
}

const PROBE_EVERY_MS = 20;

/** Lines of a server that ended too early that its error repeats. */
const LINES_SHOWN = 10;

/** A service that is a process of ours. */
export function processService(definition: ProcessService): Service {
  const { name } = definition.child;
  return {
    name,
    async start(onLine) {
      const lastLines: string[] = [];
      const { readyLine } = definition;
      let isTold = readyLine === undefined;
      const child = spawnChild({
        ...definition.child,
        onLine: (line) => {
          if (line === readyLine) {
            isTold = true;
            return;
          }
          lastLines.push(line);
          if (lastLines.length > LINES_SHOWN) lastLines.shift();
          onLine(line);
        },
      });
      const failed = child.exited.then(
        (exit) =>
          new Error(
            `Cannot start ${name}: it ended with ${exit.signal ?? exit.exitCode}\n${lastLines.join("\n")}`,
          ),
      );
      const probe = async (): Promise<void> => {
        if (!isTold) throw new Error(`${name} is not ready within ${definition.readyTimeoutMs} ms`);
        await definition.probe();
      };
      try {
        await retryUntil(probe, {
          everyMs: PROBE_EVERY_MS,
          timeoutMs: definition.readyTimeoutMs,
          failed,
        });
      } catch (error) {
        await child.stop("SIGKILL", 1000);
        throw error;
      }
      return runningChild(child, definition);
    },
  };
}

function runningChild(child: Child, definition: ProcessService): RunningService {
  return {
    name: child.name,
    pid: child.pid,
    exited: child.exited.then((exit) => exit.signal ?? `exit code ${exit.exitCode}`),
    kill: (signal) => child.kill(signal),
    async stop() {
      await child.stop(definition.stopSignal, definition.stopTimeoutMs);
    },
  };
}
