import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Sql } from "./client.ts";

/** The migrations of this version. */
export const MIGRATIONS_DIR = join(import.meta.dirname, "../../../migrations");

/** Where the runner keeps its list: apart from the hub's tables, which the roles can see. */
export const META_SCHEMA = "hub_meta";

/** The schema, the list in it or the right to read it is missing: the last came with a migration of its own. */
const NEVER_MIGRATED = new Set(["3F000", "42P01", "42501"]);

/** Names of this version's migrations, in their order, as the runner lists them. */
export async function listMigrations(): Promise<string[]> {
  const files = await readdir(MIGRATIONS_DIR);
  return files
    .filter((file) => file.endsWith(".sql"))
    .map((file) => file.slice(0, -".sql".length))
    .sort();
}

/**
 * Those that this database has not run. Ones that only a newer version of the hub knows are no fault: during a rolling
 * update the schema is ahead.
 *
 * @param sql role hub_system
 */
export async function findPendingMigrations(sql: Sql, known: readonly string[]): Promise<string[]> {
  try {
    const rows = await sql<{ name: string }[]>`select name from ${sql(META_SCHEMA)}.migrations`;
    const done = new Set(rows.map(({ name }) => name));
    return known.filter((name) => !done.has(name));
  } catch (error) {
    if (NEVER_MIGRATED.has(String((error as { code?: unknown }).code))) return [...known];
    throw error;
  }
}
