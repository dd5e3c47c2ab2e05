import { mkdirSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { installDependencies } from "../../src/start/install-dependencies.ts";
import { openLogFile } from "../../src/start/log-file.ts";
import { runAgain } from "../../src/start/run-again.ts";

/**
 * `bun run test:long`: the same steps as `bun run test`, the integration tests once more on a Cluster, and 200 kill
 * rounds. Everything printed goes to `test/results/` as well, with the commit and the machine.
 */
const projectDir = join(import.meta.dirname, "../..");
if (await installDependencies(projectDir, "all", (text) => console.log(text))) {
  process.exit(await runAgain());
}
const { runSteps } = await import("./run-steps.ts");
const { LONG_STEPS } = await import("./steps.ts");
const startedAt = new Date().toISOString();
const resultsDir = join(projectDir, "test/results");
mkdirSync(resultsDir, { recursive: true });
const log = openLogFile(join(resultsDir, `long-${startedAt.replaceAll(/[:.]/g, "-")}.txt`));
const say = (line: string): void => {
  console.log(line);
  log.write(line);
};
const commit = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: projectDir }).stdout.toString().trim();
say(`commit ${commit || "unknown"}, started ${startedAt}`);
say(
  `Bun ${Bun.version}, Linux ${release()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
);
process.exit(await runSteps(LONG_STEPS, say));
