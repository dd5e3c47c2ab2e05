import { join } from "node:path";
import { runCommand } from "../platform/process/run-command.ts";
import { writeSecretFile } from "../platform/services/keep-secret.ts";

/** What `first-run.json` holds. */
export interface FirstRun {
  baseUrl: string;
  tenant: { id: string; slug: string };
  apiKey: string;
}

const SLUG = "demo";
const COMMAND_TIMEOUT_MS = 60_000;

/**
 * On the first run of a HUB_HOME: makes the tenant `demo` and an API key, and writes both to `first-run.json` (0600).
 * The key goes nowhere else but to the caller; it is hashed in the database.
 *
 * @param env of a process of the hub
 * @returns undefined when the file is there already, or the reason why there is no tenant
 */
export async function makeFirstTenant(options: {
  projectDir: string;
  home: string;
  baseUrl: string;
  env: Readonly<Record<string, string>>;
}): Promise<FirstRun | string | undefined> {
  const path = join(options.home, "first-run.json");
  if (await Bun.file(path).exists()) return undefined;
  const command = join(options.projectDir, "src/cli/main.ts");
  const argv = [process.execPath, command, "tenants", "create", "--slug", SLUG];
  let lines: string[];
  try {
    lines = await runCommand(
      { name: "tenants create", argv, env: options.env, cwd: options.projectDir },
      COMMAND_TIMEOUT_MS,
    );
  } catch (error) {
    // A database with a tenant of that name was there before this HUB_HOME, or the file was lost.
    const reason = error instanceof Error ? error.message.split("\n").slice(1).join("\n") : String(error);
    const advice = `For a key of one that is there: bun run hub keys create --tenant ${SLUG} --name <name> --role owner`;
    return `No tenant was made: ${reason.trim()}\n${advice}`;
  }
  const answer = lines.find((line) => line.startsWith('{"tenant"'));
  if (answer === undefined) return `No tenant was made: ${lines.join("\n")}`;
  const { tenant, apiKey } = JSON.parse(answer) as Omit<FirstRun, "baseUrl">;
  const firstRun: FirstRun = { baseUrl: options.baseUrl, tenant, apiKey };
  await writeSecretFile(path, `${JSON.stringify(firstRun, null, 2)}\n`);
  return firstRun;
}
