import { join } from "node:path";
import { installDependencies } from "../../src/start/install-dependencies.ts";
import { runAgain } from "../../src/start/run-again.ts";

/** `bun run test`: installs all dependencies where they are missing, then runs every step but the long ones. */
const installed = await installDependencies(join(import.meta.dirname, "../.."), "all", (text) =>
  console.log(text),
);
if (installed) process.exit(await runAgain());
const { runSteps } = await import("./run-steps.ts");
const { TEST_STEPS } = await import("./steps.ts");
process.exit(await runSteps(TEST_STEPS, (line) => console.log(line)));
