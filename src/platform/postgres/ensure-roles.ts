import postgres from "postgres";
import { APP_ROLE, type HubRole, passwordOf, type RoleUrls, scramVerifier, SYSTEM_ROLE } from "./roles.ts";

/** The database cannot be used as it is; the message says what an administrator has to do. */
export class DatabaseSetupError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DatabaseSetupError";
  }
}

interface RoleRow {
  canLogin: boolean;
  tooMighty: boolean;
  memberOf: string[];
}

/** Roles are shared by all databases of a server, so an advisory lock, which is local to one, does not cover them. */
const ATTEMPTS_MAX = 20;

/** Codes of losing a race for a role: it exists already, or another session changed its row at the same moment. */
const RACE_CODES = new Set(["42710", "23505", "XX000"]);

/**
 * Makes hub_app and hub_system with the passwords in `urls`, or checks those that exist. A password is changed only
 * when the login fails by it. Safe when several processes and databases of one server do it at once.
 *
 * @param owner connection of the schema's owner
 * @throws DatabaseSetupError when the owner may not make roles, or a role may more than it should
 */
export async function ensureRoles(owner: postgres.Sql, urls: RoleUrls): Promise<void> {
  for (const [role, url] of [
    [APP_ROLE, urls.appUrl],
    [SYSTEM_ROLE, urls.systemUrl],
  ] as const) {
    await withRaceRetries(() => ensureRole(owner, role, url));
  }
}

async function withRaceRetries(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !RACE_CODES.has(codeOf(error))) throw error;
      await Bun.sleep(Math.random() * 50 * attempt);
    }
  }
}

async function ensureRole(owner: postgres.Sql, role: HubRole, url: string): Promise<void> {
  const password = passwordOf(url);
  const withPassword = password === undefined ? "" : ` password '${scramVerifier(password)}'`;
  const found = await readRole(owner, role);
  if (found === undefined) {
    await runAsAdministrator(owner, `create role ${role} login noinherit${withPassword}`);
    return;
  }
  checkRole(role, found);
  if (!found.canLogin) await runAsAdministrator(owner, `alter role ${role} login`);
  if ((await passwordIsRefused(url)) && password !== undefined) {
    await runAsAdministrator(owner, `alter role ${role}${withPassword}`);
  }
}

async function readRole(owner: postgres.Sql, role: HubRole): Promise<RoleRow | undefined> {
  const [row] = await owner<RoleRow[]>`
    select r.rolcanlogin as "canLogin",
           r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication as "tooMighty",
           array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
                 where m.member = r.oid) as "memberOf"
    from pg_roles r where r.rolname = ${role}`;
  return row;
}

/** A role of this name made by hand may be anything; row-level security would be a pretence behind a mighty one. */
function checkRole(role: HubRole, found: RoleRow): void {
  if (found.tooMighty) {
    throw new DatabaseSetupError(
      `Cannot use the role ${role}: it has rights that go past row-level security. Run as a superuser:\n` +
        `  alter role ${role} nosuperuser nobypassrls nocreaterole nocreatedb noreplication;`,
    );
  }
  if (found.memberOf.length > 0) {
    throw new DatabaseSetupError(
      `Cannot use the role ${role}: it is a member of ${found.memberOf.join(", ")}. Run as a superuser:\n` +
        found.memberOf.map((group) => `  revoke "${group}" from ${role};`).join("\n"),
    );
  }
}

async function runAsAdministrator(owner: postgres.Sql, statement: string): Promise<void> {
  try {
    await owner.unsafe(statement);
  } catch (error) {
    if (codeOf(error) !== "42501") throw error;
    throw new DatabaseSetupError(
      `Cannot prepare the hub's database roles: the user of DATABASE_URL may not. Run as a superuser:\n  ${statement};\n` +
        "or give it the right by: alter role <that user> createrole;",
      { cause: error },
    );
  }
}

/** 28P01: the password is wrong. Other failures (no route, no pg_hba entry) are not mended by a new password. */
async function passwordIsRefused(url: string): Promise<boolean> {
  const probe = postgres(url, { max: 1, connect_timeout: 10, fetch_types: false, onnotice: () => undefined });
  try {
    await probe`select 1`;
    return false;
  } catch (error) {
    if (codeOf(error) === "28P01") return true;
    throw new DatabaseSetupError(
      `Cannot log in to the database as ${new URL(url).username}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  } finally {
    await probe.end({ timeout: 1 });
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? "");
}
