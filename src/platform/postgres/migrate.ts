import { runner } from "node-pg-migrate";
import postgres from "postgres";
import { DatabaseSetupError, ensureRoles } from "./ensure-roles.ts";
import { META_SCHEMA, MIGRATIONS_DIR } from "./pending-migrations.ts";
import { deriveRoleUrls } from "./roles.ts";

export interface MigrateOptions {
  /** DATABASE_URL: owner of the schema. */
  ownerUrl: string;
  /** INTEGRATION_ENCRYPTION_KEY; only needed where `ownerUrl` carries no password (see deriveRoleUrls). */
  encryptionKeys?: string | undefined;
  /** DATABASE_APP_URL and DATABASE_SYSTEM_URL, where they are given. */
  appUrl?: string | undefined;
  systemUrl?: string | undefined;
}

/** Any number that no other user of advisory locks in this database takes; "hubmi" in ASCII. */
const LOCK_ID = 0x687562_6d69;

/** Oldest server on which NULLS NOT DISTINCT exists and the tests run. */
const VERSION_MIN = 150_000;

/**
 * Brings the database to the schema of this version: roles first, then every migration that has not run, all in one
 * transaction. Several processes may call it at once: one works, the others wait and find nothing to do.
 *
 * @returns names of the migrations that ran
 * @throws DatabaseSetupError with what an administrator has to do
 */
export async function migrate(options: MigrateOptions): Promise<{ applied: string[] }> {
  const derived = deriveRoleUrls(options.ownerUrl, options.encryptionKeys);
  const owner = postgres(options.ownerUrl, { max: 1, connect_timeout: 10, onnotice: () => undefined });
  try {
    await checkVersion(owner);
    await ensureRoles(owner, {
      appUrl: options.appUrl ?? derived.appUrl,
      systemUrl: options.systemUrl ?? derived.systemUrl,
    });
    const applied = await runMigrations(options.ownerUrl);
    await revokeTemporary(owner);
    return { applied };
  } finally {
    await owner.end({ timeout: 5 });
  }
}

async function checkVersion(owner: postgres.Sql): Promise<void> {
  const [row] = await owner<{ number: number; text: string }[]>`
    select current_setting('server_version_num')::int as number, current_setting('server_version') as text`.catch(
    (error: Error) => {
      throw new DatabaseSetupError(`Cannot log in to the database of DATABASE_URL: ${error.message}`, {
        cause: error,
      });
    },
  );
  if (row!.number < VERSION_MIN) {
    throw new DatabaseSetupError(
      `Cannot use this database: PostgreSQL 15 or newer is needed, it is ${row!.text}`,
    );
  }
}

async function runMigrations(databaseUrl: string): Promise<string[]> {
  const warnings: string[] = [];
  const silent = (): void => undefined;
  try {
    const applied = await runner({
      databaseUrl,
      dir: MIGRATIONS_DIR,
      direction: "up",
      migrationsTable: "migrations",
      migrationsSchema: META_SCHEMA,
      createMigrationsSchema: true,
      lockValue: LOCK_ID,
      advisoryLockMode: "wait",
      logger: { info: silent, warn: (text) => warnings.push(text), error: (text) => warnings.push(text) },
    });
    return applied.map((migration) => migration.name);
  } catch (error) {
    throw new DatabaseSetupError(
      `Cannot migrate the database: ${error instanceof Error ? error.message : String(error)}\n${warnings.join("\n")}`,
      { cause: error },
    );
  }
}

/**
 * By default every role may make temporary tables in every database; the hub's roles are to have no DDL at all. A
 * database made from a template has the default again, so this is no migration.
 */
async function revokeTemporary(owner: postgres.Sql): Promise<void> {
  const [row] = await owner<{ database: string; allowed: boolean }[]>`
    select current_database() as database, has_database_privilege('hub_app', current_database(), 'TEMPORARY') as allowed`;
  if (!row!.allowed) return;
  try {
    await owner`revoke temporary on database ${owner(row!.database)} from public`;
  } catch (error) {
    // XX000: another process revoked it at the same moment.
    if ((error as { code?: string }).code !== "XX000") throw error;
  }
}
