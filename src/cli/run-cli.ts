import { parseArgs } from "node:util";
import { ConfigError, loadConfig } from "../platform/config.ts";
import { createLogger } from "../platform/log.ts";
import { migrate } from "../platform/postgres/migrate.ts";
import { deriveRoleUrls } from "../platform/postgres/roles.ts";
import { createRuntime } from "../platform/runtime.ts";
import { HubError } from "../domain/errors.ts";
import { storeBuiltInsAt } from "../domain/providers/store-built-ins.ts";
import { storeSystemTemplatesAt } from "../domain/transformations/store-system-templates.ts";
import type { Command, Options } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { configTable } from "./config-table.ts";
import { findServices } from "./find-services.ts";
import { schemeTable } from "./scheme-table.ts";
import { restartHub } from "./restart-hub.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Runs one command.
 *
 * @param args words and options after `bun run hub`
 * @returns exit code: 0 done, 1 refused by the hub, 2 not understood
 */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    const [words, rest] = splitWords(args);
    if (words === "" || words === "help") return print(usage());
    if (words === "config") return print(configTable());
    if (words === "schemes") return print(schemeTable());
    if (words === "migrate") return print(JSON.stringify(await migrateDatabase()));
    if (words === "restart") return print(JSON.stringify(await restartHub(loadConfig().hubHome)));
    const command = COMMANDS[words];
    if (command === undefined) throw new UsageError(`no command "${words}"`);
    return print(JSON.stringify(await runCommand(command, readOptions(command, rest))));
  } catch (error) {
    return report(error);
  }
}

/** For deployments whose processes are not run by `start`; safe while others do the same. */
async function migrateDatabase(): Promise<{ applied: string[] }> {
  const { databaseUrl, databaseAppUrl, databaseSystemUrl, integrationEncryptionKey } = loadConfig();
  if (databaseUrl === undefined) throw new UsageError("migrate needs DATABASE_URL");
  const done = await migrate({
    ownerUrl: databaseUrl,
    encryptionKeys: integrationEncryptionKey,
    appUrl: databaseAppUrl,
    systemUrl: databaseSystemUrl,
  });
  const storeUrl = databaseSystemUrl ?? deriveRoleUrls(databaseUrl, integrationEncryptionKey).systemUrl;
  await storeBuiltInsAt(storeUrl);
  await storeSystemTemplatesAt(storeUrl);
  return done;
}

async function runCommand(command: Command, options: Options): Promise<unknown> {
  const config = findServices(loadConfig());
  // Standard output belongs to the answer, so only what is wrong is logged, and to standard error.
  const log = createLogger("error", "cli", { write: (line) => void process.stderr.write(line) });
  const runtime = createRuntime(config, "cli", { log });
  try {
    return await command.run(runtime, options);
  } finally {
    await runtime.shutdown.run();
  }
}

function splitWords(args: readonly string[]): [string, string[]] {
  const firstOption = args.findIndex((arg) => arg.startsWith("-"));
  const count = firstOption < 0 ? args.length : firstOption;
  const words = args.slice(0, count).join(" ");
  return [args.includes("--help") ? "help" : words, args.slice(count)];
}

function readOptions(command: Command, args: string[]): Options {
  const options = Object.fromEntries(command.options.map((name) => [name, { type: "string" as const }]));
  try {
    return parseArgs({ args, options, strict: true }).values as Options;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${usage()}\n`);
    return 2;
  }
  const isTold = error instanceof HubError || error instanceof ConfigError;
  process.stderr.write(`${isTold || error instanceof Error ? error.message : String(error)}\n`);
  return 1;
}

function usage(): string {
  const lines = Object.values(COMMANDS).map(
    ({ usage: form, about }) => `  bun run hub ${form}\n      ${about}`,
  );
  return [
    "Usage:",
    ...lines,
    "  bun run hub migrate\n      bring the schema of DATABASE_URL up to date; start does it by itself",
    "  bun run hub restart\n      replace the edge and worker processes of a running start, one after the other, without an outage",
    "  bun run hub config\n      list every environment variable with its default, as a Markdown table",
    "  bun run hub schemes\n      list every signature scheme of inbound webhooks, as a Markdown table",
    "",
    "Works on the hub that `start` runs in HUB_HOME (.hub), or on DATABASE_URL and REDIS_URL when they are set.",
  ].join("\n");
}
