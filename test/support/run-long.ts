import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installDependencies } from "../../src/start/install-dependencies.ts";
import { runAgain } from "../../src/start/run-again.ts";

/**
 * `bun run test:long`: the same steps as `bun run test`, the integration tests once more on a Cluster, the long tests,
 * 200 kill rounds (KILL_ROUNDS, KILL_SEED) and ten of the way out (OUTBOUND_KILL_ROUNDS, OUTBOUND_KILL_EVENTS).
 * `--only "kill rounds,long"` and `--except …` run some of the steps, so that two runs can share the hour.
 * `test/results/<date>-<commit>.log` keeps what a reader wants to know of the run: where and on what it ran, one line a
 * round, what was measured, what failed, and the counts.
 */
const projectDir = join(import.meta.dirname, "../..");
if (await installDependencies(projectDir, "all", (text) => console.log(text))) {
  process.exit(await runAgain());
}
const { runSteps } = await import("./run-steps.ts");
const { LONG_STEPS } = await import("./steps.ts");

/** Lines of the steps that are kept: measurements and rounds by their first words, and failed tests. */
const KEPT =
  /^(?:(?:outbound )?round \d|(?:outbound )?kill rounds: |waiting: |ACK_REPLICAS=|hung master: |partition from |replayed |\d+ requests, |\(fail\)|──── |SKIPPED: |Redis \d)/;

const SUMMARY = "──── summary";

const startedAt = new Date();
const commit = textOf("git", "rev-parse", "--short=12", "HEAD") || "unknown";
const isChanged = textOf("git", "status", "--porcelain", "--untracked-files=no") !== "";
const resultsDir = join(projectDir, "test/results");
mkdirSync(resultsDir, { recursive: true });
const { values: chosen } = parseArgs({ options: { only: { type: "string" }, except: { type: "string" } } });
const isChosen = (name: string): boolean =>
  chosen.only === undefined
    ? !chosen.except?.split(",").includes(name)
    : chosen.only.split(",").includes(name);
const part = (chosen.only ?? (chosen.except === undefined ? "" : `except ${chosen.except}`)).replaceAll(
  /\W+/g,
  "-",
);
const file = join(
  resultsDir,
  `${[startedAt.toISOString().slice(0, 10), commit, part].filter(Boolean).join("-")}.log`,
);
writeFileSync(file, "");

let isSummary = false;
const say = (line: string): void => {
  console.log(line);
  const text = line.trim();
  isSummary ||= text === SUMMARY;
  if (isSummary || KEPT.test(text)) appendFileSync(file, `${line.trimEnd().replaceAll(projectDir, ".")}\n`);
};

for (const line of [
  `commit ${commit}${isChanged ? " with changes" : ""}, started ${startedAt.toISOString()}`,
  `Bun ${Bun.version}, Linux ${release()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
]) {
  console.log(line);
  appendFileSync(file, `${line}\n`);
}
const exitCode = await runSteps(
  LONG_STEPS.filter(({ name }) => isChosen(name)),
  say,
);
say(`took ${((Date.now() - startedAt.getTime()) / 60_000).toFixed(1)} minutes`);
console.log(`\nKept in ${file}`);
process.exit(exitCode);

function textOf(...command: string[]): string {
  return Bun.spawnSync(command, { cwd: projectDir }).stdout.toString().trim();
}
