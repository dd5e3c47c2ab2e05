import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configTable } from "../../src/cli/config-table.ts";
import { VARIABLES } from "../../src/platform/config-variables.ts";
import { filesBelow, ROOT, withoutComments } from "./source-files.ts";

describe("the environment", () => {
  test("is read in one place, and by start, which runs before anything is installed", () => {
    const readers = filesBelow(["src", "workers"], [".ts", ".tsx"])
      .filter(({ path }) => !path.startsWith("src/start/") && path !== "src/platform/config.ts")
      .filter(({ text }) => /process\.env|Bun\.env|import\.meta\.env/.test(withoutComments(text)));
    expect(readers.map(({ path }) => path)).toEqual([]);
  });

  test("is described in the README exactly as it is read", () => {
    const readme = new Set(readFileSync(join(ROOT, "README.md"), "utf8").split("\n"));
    const missing = configTable()
      .split("\n")
      .filter((line) => !readme.has(line));
    expect(missing).toEqual([]);
    // A variable that was taken out leaves its row behind.
    const rows = [...readme]
      .map((line) => /^\| `([A-Z][A-Z0-9_]+)` \|/.exec(line)?.[1])
      .filter((name) => name !== undefined);
    expect(rows.filter((name) => !Object.hasOwn(VARIABLES, name))).toEqual([]);
  });

  test("holds every variable of the specification", () => {
    const specified = [
      "INTEGRATION_ENCRYPTION_KEY",
      "DEFAULT_RATE_LIMIT",
      "RATE_LIMIT_WINDOW_SECONDS",
      "DEFAULT_TIMEOUT_SECONDS",
      "WEBHOOK_TIMEOUT_SECONDS",
      "DEFAULT_MAX_RETRIES",
      "WEBHOOK_MAX_RETRIES",
      "CIRCUIT_FAILURE_THRESHOLD",
      "CIRCUIT_TIMEOUT_SECONDS",
      "LOG_REQUEST_BODIES",
      "LOG_RESPONSE_BODIES",
      "LOG_RETENTION_DAYS",
      "WEBHOOK_QUEUE_SIZE",
      "WEBHOOK_WORKERS",
    ];
    expect(specified.filter((name) => !Object.hasOwn(VARIABLES, name))).toEqual([]);
  });
});
