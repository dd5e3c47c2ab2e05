import { PROJECT_DIR } from "../support/paths.ts";
import type { CallerPlan, CallerReport } from "./caller-process.ts";

const START_MS = 1_500;

/** One process for each part of the plan, all starting at the same moment; answers what became of all their calls. */
export async function runCallers(
  redisUrl: string,
  parts: readonly Pick<CallerPlan, "load" | "burst">[],
): Promise<CallerReport[]> {
  const startAtMs = Date.now() + START_MS;
  const outputs = parts.map(async (part) => {
    const plan: CallerPlan = { redisUrl, startAtMs, ...part };
    const child = Bun.spawn([process.execPath, "test/rate-limit/caller-process.ts", JSON.stringify(plan)], {
      cwd: PROJECT_DIR,
      env: { PATH: process.env["PATH"] ?? "" },
      stdout: "pipe",
      stderr: "inherit",
    });
    const output = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error(`A caller ended with ${child.exitCode}:\n${output}`);
    return JSON.parse(output.split("\n")[1]!) as CallerReport[];
  });
  return (await Promise.all(outputs)).flat();
}
