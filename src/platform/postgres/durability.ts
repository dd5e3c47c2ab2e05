import type { Sql } from "./client.ts";

interface ServerSettings {
  version: number;
  versionText: string;
  fsync: string;
  fullPageWrites: string;
  synchronousCommit: string;
  standby: boolean;
}

/**
 * What would let a committed transaction be lost. The hub acknowledges a stream entry after the commit that stored it,
 * so that each of these is a way for an accepted webhook to vanish (DESIGN.md section 6).
 *
 * @param sql connection of the role that writes, because a setting may be bound to a role
 * @returns one sentence a problem, empty when all is well
 */
export async function checkPostgresDurability(sql: Sql): Promise<string[]> {
  const [row] = await sql<ServerSettings[]>`
    select current_setting('server_version_num')::int as version, current_setting('server_version') as "versionText",
           current_setting('fsync') as fsync, current_setting('full_page_writes') as "fullPageWrites",
           current_setting('synchronous_commit') as "synchronousCommit", pg_is_in_recovery() as standby`;
  const settings = row!;
  const problems: string[] = [];
  if (settings.version < 150_000)
    problems.push(`PostgreSQL 15 or newer is needed, it is ${settings.versionText}`);
  if (settings.fsync !== "on")
    problems.push("Postgres has fsync off: a crash of the machine can destroy the database");
  if (settings.fullPageWrites !== "on") {
    problems.push("Postgres has full_page_writes off: a page torn by a crash cannot be repaired");
  }
  if (settings.synchronousCommit === "off") {
    problems.push(
      "Postgres has synchronous_commit off: a crash loses transactions that were answered as committed",
    );
  }
  if (settings.standby) problems.push("Postgres is a standby and takes no writes");
  return problems;
}
