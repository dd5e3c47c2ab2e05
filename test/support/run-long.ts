import { mkdirSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { openLogFile } from "../../src/start/log-file.ts";
import { PROJECT_DIR } from "./paths.ts";
import { runSteps } from "./run-steps.ts";
import { LONG_STEPS } from "./steps.ts";

/**
 * `bun run test:long`: the same steps as `bun run test`, the integration tests once more on a Cluster, and 200 kill
 * rounds. Everything printed goes to `test/results/` as well, with the commit and the machine.
 */
const startedAt = new Date().toISOString();
const resultsDir = join(PROJECT_DIR, "test/results");
mkdirSync(resultsDir, { recursive: true });
const log = openLogFile(join(resultsDir, `long-${startedAt.replaceAll(/[:.]/g, "-")}.txt`));
const say = (line: string): void => {
  console.log(line);
  log.write(line);
};
const commit = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: PROJECT_DIR }).stdout.toString().trim();
say(`commit ${commit || "unknown"}, started ${startedAt}`);
say(
  `Bun ${Bun.version}, Linux ${release()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
);
process.exit(await runSteps(LONG_STEPS, say));
