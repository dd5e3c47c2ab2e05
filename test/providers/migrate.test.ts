import { expect, test } from "bun:test";
import { join } from "node:path";
import postgres from "postgres";
import { startTestPostgres } from "../support/services.ts";

const CLI = join(import.meta.dir, "../../src/cli/main.ts");

/** `bun run hub migrate` as an operator calls it. */
function migrate(databaseUrl: string) {
  return Bun.spawn([process.execPath, CLI, "migrate"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: databaseUrl,
      INTEGRATION_ENCRYPTION_KEY: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
    },
    stdout: "pipe",
    stderr: "pipe",
  });
}

test("`hub migrate` stores the built-in providers, also when two do it at once", async () => {
  const database = await startTestPostgres();
  try {
    const processes = [migrate(database.ownerUrl), migrate(database.ownerUrl)];
    for (const one of processes) {
      // oxlint-disable-next-line no-await-in-loop -- both run already; the output is for a failure
      const [code, errors] = [await one.exited, await new Response(one.stderr).text()];
      expect({ code, errors }).toEqual({ code: 0, errors: "" });
    }
    const system = postgres(database.systemUrl, { max: 1 });
    const rows =
      await system`select code from integration_providers where tenant_id is null and deleted_at is null`;
    await system.end();
    expect(rows.length).toBe(12);
  } finally {
    await database.stop();
  }
}, 60_000);
