import { runCli } from "./run-cli.ts";

/** `bun run hub <command>`: the hub's command line. Answers go to standard output as JSON, everything else to the other. */
process.exitCode = await runCli(process.argv.slice(2));
