import { PROJECT_DIR } from "../support/paths.ts";
import type { CallerPlan, CallerReport } from "./caller-process.ts";

/** A process that is ready to make its calls. */
export interface Caller {
  start(): void;
  /** What became of its calls. */
  reports(): Promise<CallerReport[]>;
  kill(): Promise<void>;
}

/** Starts a process with its part of a plan, and waits until it is ready. */
export async function startCaller(plan: CallerPlan): Promise<Caller> {
  const child = Bun.spawn([process.execPath, "test/rate-limit/caller-process.ts", JSON.stringify(plan)], {
    cwd: PROJECT_DIR,
    env: { PATH: process.env["PATH"] ?? "" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let output = "";
  while (!output.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`A caller ended before it was ready:\n${output}`);
    output += decoder.decode(value, { stream: true });
  }
  return {
    start() {
      child.stdin.write("start\n");
      child.stdin.flush();
    },
    async reports() {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        output += decoder.decode(value, { stream: true });
      }
      if ((await child.exited) !== 0) throw new Error(`A caller ended with ${child.exitCode}:\n${output}`);
      return JSON.parse(output.split("\n")[1]!) as CallerReport[];
    },
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** One process for each part of the plan, all starting together; answers what became of all their calls. */
export async function runCallers(
  redisUrl: string,
  parts: readonly Pick<CallerPlan, "load" | "burst">[],
): Promise<CallerReport[]> {
  const callers = await Promise.all(parts.map((part) => startCaller({ redisUrl, ...part })));
  for (const caller of callers) caller.start();
  return (await Promise.all(callers.map((caller) => caller.reports()))).flat();
}
