import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { migrate } from "../../src/platform/postgres/migrate.ts";
import { PROJECT_DIR } from "./paths.ts";

/** The owner's password is the same in all databases of a server, because the passwords of the roles derive from it. */
const OWNER = { name: "hub_owner", password: "test-owner-password" };

/** Advisory lock of the database `postgres` while the template is made. */
const TEMPLATE_LOCK = 7_204_211;

/** Another session still sits in the template: a vacuum, or the end of a migration. */
const OBJECT_IN_USE = "55006";
const CLONE_ATTEMPTS_MAX = 100;

/** Makes `hub_template_<hash of the migrations>` when it is missing; the others that start meanwhile wait. */
export async function provideTemplate(administrator: postgres.Sql, superuserUrl: string): Promise<string> {
  const template = `hub_template_${await migrationsHash()}`;
  await administrator`select pg_advisory_lock(${TEMPLATE_LOCK})`;
  try {
    const found = await administrator`select 1 from pg_database where datname = ${template}`;
    if (found.length > 0) return template;
    await makeOwner(administrator);
    const unfinished = `${template}_unfinished`;
    await administrator.unsafe(`drop database if exists ${unfinished} with (force)`);
    await administrator.unsafe(`create database ${unfinished} owner ${OWNER.name}`);
    await migrate({ ownerUrl: ownerUrlOf(superuserUrl, unfinished) });
    await administrator.unsafe(`alter database ${unfinished} rename to ${template}`);
    return template;
  } finally {
    await administrator`select pg_advisory_unlock(${TEMPLATE_LOCK})`;
  }
}

async function migrationsHash(): Promise<string> {
  const hash = createHash("sha256");
  const folders = [join(PROJECT_DIR, "migrations"), join(PROJECT_DIR, "src/platform/postgres")];
  for (const folder of folders) {
    for (const name of (await readdir(folder)).sort()) {
      hash.update(name).update(await readFile(join(folder, name)));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

async function makeOwner(administrator: postgres.Sql): Promise<void> {
  const found = await administrator`select 1 from pg_roles where rolname = ${OWNER.name}`;
  const verb = found.length === 0 ? "create" : "alter";
  await administrator.unsafe(`${verb} role ${OWNER.name} login createrole password '${OWNER.password}'`);
  // From version 16 on, a role may be changed only by who was given it.
  const roles = await administrator`select rolname from pg_roles where rolname in ('hub_app', 'hub_system')`;
  for (const { rolname } of roles) {
    await administrator.unsafe(`grant ${rolname} to ${OWNER.name} with admin option`);
  }
}

/** A copy of the template; takes a fifth of the time of the migrations. */
export async function cloneDatabase(
  administrator: postgres.Sql,
  template: string,
  database: string,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await administrator.unsafe(`create database ${database} template ${template} owner ${OWNER.name}`);
      // Rights on the database itself are not copied; migrate() takes this one away.
      await administrator.unsafe(`revoke temporary on database ${database} from public`);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== OBJECT_IN_USE || attempt === CLONE_ATTEMPTS_MAX) throw error;
      await Bun.sleep(50 + Math.random() * 100);
    }
  }
}

/** Drops it, whoever is still connected. */
export async function dropDatabase(superuserUrl: string, database: string): Promise<void> {
  const administrator = postgres(superuserUrl, { max: 1, onnotice: () => undefined });
  try {
    await administrator.unsafe(`drop database if exists ${database} with (force)`);
  } finally {
    await administrator.end({ timeout: 5 });
  }
}

/** The superuser's login of another database. */
export function databaseUrl(superuserUrl: string, database: string): string {
  const url = new URL(superuserUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** Login of `hub_owner`, no superuser: what DATABASE_URL is in production. */
export function ownerUrlOf(superuserUrl: string, database: string): string {
  const url = new URL(databaseUrl(superuserUrl, database));
  url.username = OWNER.name;
  url.password = OWNER.password;
  return url.href;
}
