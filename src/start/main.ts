import { join } from "node:path";
import { installDependencies } from "./install-dependencies.ts";
import { runAgain } from "./run-again.ts";

/**
 * Entry of `bun start`. Until the packages are installed only Bun's and Node's own modules can be loaded, so everything
 * else is imported afterwards, in a new process where an installation was needed.
 */
const projectDir = join(import.meta.dirname, "../..");
try {
  if (await installDependencies(projectDir, "production", (text) => console.log(text))) {
    process.exitCode = await runAgain();
  } else {
    const { supervise } = await import("./supervise.ts");
    process.exitCode = await supervise(projectDir);
  }
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
process.exit();
