import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { spawnChild } from "../../src/platform/process/child.ts";
import { addCounts, type Counts, countJunit, failedCases, NOTHING } from "./junit.ts";
import { PROJECT_DIR, TEST_CACHE_DIR } from "./paths.ts";
import { startTestPostgresServer } from "./postgres-server.ts";
import { provideRedisBinary } from "./redis-binary.ts";
import type { Step } from "./steps.ts";

/** One test, hooks included; a hub that starts under load takes its time. */
const TEST_TIMEOUT_MS = 60_000;

interface StepResult {
  step: Step;
  counts: Counts;
  failures: string[];
  tookMs: number;
}

/**
 * Runs the steps one after the other on one Postgres of their own, all of them even when one fails.
 *
 * @param say prints a line
 * @returns exit code: 0 when something ran and nothing failed
 */
export async function runSteps(steps: readonly Step[], say: (line: string) => void): Promise<number> {
  const resultsDir = join(TEST_CACHE_DIR, "results");
  await rm(resultsDir, { recursive: true, force: true });
  await mkdir(resultsDir, { recursive: true });
  const redis = await provideRedisBinary();
  const given = process.env["TEST_POSTGRES_URL"] || undefined;
  const server = given ? undefined : await startTestPostgresServer();
  say(`Redis ${redis.version}; Postgres ${server ? "of this run" : "of TEST_POSTGRES_URL"}`);
  const env = { ...definedVariables(), TEST_POSTGRES_URL: given ?? server!.superuserUrl };
  const results: StepResult[] = [];
  try {
    for (const step of steps) {
      say(`\n──── ${step.name}`);
      results.push(await runStep(step, { env, resultsDir, say }));
    }
  } finally {
    await server?.stop();
  }
  return summarize(results, say);
}

interface StepContext {
  env: Record<string, string>;
  resultsDir: string;
  say: (line: string) => void;
}

async function runStep(step: Step, context: StepContext): Promise<StepResult> {
  const startedMs = Date.now();
  const report = join(context.resultsDir, `${step.name.replaceAll(" ", "-")}.xml`);
  const argv = step.kind === "check" ? checkCommand(step) : await testCommand(step, report);
  if (argv === undefined) return { step, counts: NOTHING, failures: [], tookMs: 0 };
  const child = spawnChild({
    name: step.name,
    argv,
    env: { ...context.env, ...step.env },
    cwd: PROJECT_DIR,
    onLine: context.say,
  });
  const timer = setTimeout(() => {
    context.say(`${step.name}: not done within ${step.timeoutMs / 60_000} minutes, ended`);
    child.killAll();
  }, step.timeoutMs);
  const exit = await child.exited;
  clearTimeout(timer);
  const exitCode = exit.exitCode ?? 1;
  const tookMs = Date.now() - startedMs;
  if (step.kind === "check") {
    const counts = { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 };
    return { step, counts, failures: exitCode === 0 ? [] : [argv.join(" ")], tookMs };
  }
  const xml = await readFile(report, "utf8").catch(() => "");
  const counts = countJunit(xml, exitCode);
  const failures = failedCases(xml);
  if (counts.failed > failures.length) failures.push(`the run ended with ${exit.signal ?? exitCode}`);
  return { step, counts, failures, tookMs };
}

function checkCommand(step: Step): string[] {
  const [program, ...args] = step.args;
  return [process.execPath, "x", "--bun", program!, ...args];
}

/** Undefined when the step has no files. */
async function testCommand(step: Step, report: string): Promise<string[] | undefined> {
  const files = await testFiles(step);
  if (files.length === 0) return undefined;
  return [
    process.execPath,
    "test",
    "--isolate",
    ...(step.parallel === undefined ? [] : [`--parallel=${step.parallel}`]),
    `--timeout=${TEST_TIMEOUT_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...files.map((file) => `./${file}`),
  ];
}

async function testFiles(step: Step): Promise<string[]> {
  const isBelow = (file: string, place: string): boolean => file === place || file.startsWith(`${place}/`);
  const all = [...new Bun.Glob("test/**/*.test.ts").scanSync({ cwd: PROJECT_DIR })].sort();
  return all.filter(
    (file) =>
      (step.args.some((place) => isBelow(file, place)) || (step.named && file.includes(step.named))) &&
      !step.except?.some((place) => isBelow(file, place)),
  );
}

function summarize(results: readonly StepResult[], say: (line: string) => void): number {
  say("\n──── summary");
  for (const { step, counts, tookMs } of results) {
    const mark = counts.failed > 0 ? "✗" : counts.passed > 0 ? "✓" : "–";
    say(
      `${mark} ${step.name.padEnd(38)} ${String(counts.passed).padStart(5)} passed ${String(counts.failed).padStart(4)} failed` +
        `${counts.skipped > 0 ? ` ${counts.skipped} skipped` : ""}  ${(tookMs / 1000).toFixed(1)} s`,
    );
  }
  const failures = results.flatMap(({ step, failures: names }) =>
    names.map((name) => `${step.name}: ${name}`),
  );
  if (failures.length > 0) say(`\nFailed:\n${failures.map((name) => `  ${name}`).join("\n")}`);
  const total = results.map(({ counts }) => counts).reduce(addCounts, NOTHING);
  say("");
  say(
    `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
  );
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

function definedVariables(): Record<string, string> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
