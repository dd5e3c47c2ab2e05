import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { createLogger } from "../../src/platform/log.ts";
import { connectPostgres } from "../../src/platform/postgres/client.ts";
import { checkPostgresDurability } from "../../src/platform/postgres/durability.ts";
import { DatabaseSetupError } from "../../src/platform/postgres/ensure-roles.ts";
import { migrate } from "../../src/platform/postgres/migrate.ts";
import { dropOldPartitions, ensurePartitions } from "../../src/platform/postgres/partitions.ts";
import { deriveRoleUrls } from "../../src/platform/postgres/roles.ts";
import { type EmbeddedPostgres, preparePostgres } from "../../src/platform/services/postgres-service.ts";
import type { RunningService } from "../../src/platform/services/service.ts";
import { asTenant, codeOf, insertEndpoint, insertTenant } from "./statements.ts";

/** A server of its own: roles belong to a server, and these tests begin where there are none. */
let home: string;
let server: EmbeddedPostgres;
let running: RunningService;
let superuser: postgres.Sql;
let ownerUrl: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-migrate-"));
  server = await preparePostgres({ home, path: process.env["PATH"] ?? "", report: () => undefined });
  running = await server.service.start(() => undefined);
  superuser = postgres(server.superuserUrl, { max: 1, onnotice: () => undefined });
  ownerUrl = await server.createOwnerDatabase();
}, 60_000);

afterAll(async () => {
  await superuser.end({ timeout: 1 });
  await running.stop();
  await rm(home, { recursive: true, force: true });
});

const messageOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return "";
  } catch (error) {
    expect(error).toBeInstanceOf(DatabaseSetupError);
    return (error as Error).message;
  }
};

async function withUrl<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function runProcess(url: string): Promise<number> {
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, "migrate-process.ts"), url], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const [output, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  expect(exitCode).toBe(0);
  return Number(output);
}

describe("migrate()", () => {
  test("migrate() without the right to make roles says what an administrator has to run", async () => {
    await superuser`alter role hub_owner nocreaterole`;
    const message = await messageOf(migrate({ ownerUrl }));
    expect(message).toContain("Run as a superuser:");
    const statement = /create role hub_app login noinherit password 'SCRAM-SHA-256\$.*';/.exec(message)?.[0];
    expect(statement).toBeDefined();
    const { appUrl } = deriveRoleUrls(ownerUrl);
    expect(message).not.toContain(new URL(appUrl).password);
    await superuser.unsafe(statement!);
    await withUrl(appUrl, async (sql) =>
      expect(await sql`select current_user as name`).toEqual([{ name: "hub_app" }] as never),
    );
    await superuser`drop role hub_app`;
    await superuser`alter role hub_owner createrole`;
  });

  test("migrate() in ten processes and two databases at once migrates each database once", async () => {
    await superuser`create database second owner hub_owner`;
    const second = ownerUrl.replace(/\/hub$/, "/second");
    const counts = await Promise.all(
      Array.from({ length: 10 }, (_item, index) => runProcess(index % 2 === 0 ? ownerUrl : second)),
    );
    const files = (await readdir(join(import.meta.dirname, "../../migrations"))).length;
    expect(counts.toSorted((left, right) => right - left)).toEqual([files, files, 0, 0, 0, 0, 0, 0, 0, 0]);
    for (const url of [ownerUrl, second]) {
      const [row] = await withUrl(url, (sql) => sql`select count(*)::int as rows from hub_meta.migrations`);
      expect(row).toEqual({ rows: files });
    }
  }, 60_000);

  test("migrate() again has nothing to do", async () => {
    expect(await migrate({ ownerUrl })).toEqual({ applied: [] });
  });

  test("migrate() makes roles without any right of their own", async () => {
    const rows = await superuser`
      select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication as mighty, rolinherit,
        exists (select from pg_auth_members m where m.member = r.oid) as member,
        has_database_privilege(r.oid, 'hub', 'create, temporary') as ddl
      from pg_roles r where rolname in ('hub_app', 'hub_system') order by 1`;
    const plain = { mighty: false, rolinherit: false, member: false, ddl: false };
    expect(rows).toEqual([
      { rolname: "hub_app", ...plain },
      { rolname: "hub_system", ...plain },
    ] as never);
  });

  test("migrate() binds the owner too: without a policy of its own it sees no row", async () => {
    await withUrl(deriveRoleUrls(ownerUrl).systemUrl, insertTenant);
    await withUrl(ownerUrl, async (sql) => {
      expect(await sql`select id from tenants`).toHaveLength(0);
      expect(await codeOf(insertTenant(sql))).toBe("42501");
    });
  });

  test("the roles work under an owner that is no superuser: keys between tables, days made and dropped", async () => {
    const { appUrl, systemUrl } = deriveRoleUrls(ownerUrl);
    await withUrl(systemUrl, async (system) => {
      const tenantId = await insertTenant(system);
      await withUrl(appUrl, async (app) => {
        const id = await asTenant(app, tenantId, (tx) => insertEndpoint(tx, tenantId, "path"));
        expect(await system`select id from webhook_endpoints where id = ${id}`).toHaveLength(1);
      });
      expect(await ensurePartitions(system, 20)).toBeGreaterThan(0);
      expect((await dropOldPartitions(system, 10)).length).toBeGreaterThan(0);
    });
  });

  test("migrate() changes the roles' passwords when the owner's has changed, and not otherwise", async () => {
    const stored = async () => [
      ...(await superuser`select rolname, rolpassword from pg_authid where rolname like 'hub_%'`),
    ];
    const before = await stored();
    await migrate({ ownerUrl });
    expect(await stored()).toEqual(before);
    const renewed = ownerUrl.replace(/:[^:@]+@/, ":another%20p%40ss@");
    await superuser`alter role hub_owner password 'another p@ss'`;
    await migrate({ ownerUrl: renewed });
    const { appUrl, systemUrl } = deriveRoleUrls(renewed);
    for (const url of [appUrl, systemUrl]) await withUrl(url, (sql) => sql`select 1`);
    expect(await codeOf(withUrl(deriveRoleUrls(ownerUrl).appUrl, (sql) => sql`select 1`))).toBe("28P01");
    ownerUrl = renewed;
  });

  test.each([
    ["bypassrls", "alter role hub_system bypassrls", "alter role hub_system nobypassrls"],
    ["a membership", "grant pg_read_all_data to hub_system", "revoke pg_read_all_data from hub_system"],
  ])("migrate() refuses a role with %s and says how to take it away", async (_name, give, take) => {
    await superuser.unsafe(give);
    const message = await messageOf(migrate({ ownerUrl }));
    expect(message).toContain("Run as a superuser:");
    await superuser.unsafe(take);
    expect(await migrate({ ownerUrl })).toEqual({ applied: [] });
  });

  test("migrate() as a user that owns nothing fails in words and leaves nothing behind", async () => {
    await superuser`create role stranger login createrole password 'stranger'`;
    await superuser`create database empty`;
    const url = server.superuserUrl
      .replace(/\/\/.*@/, "//stranger:stranger@")
      .replace(/\/postgres$/, "/empty");
    const systemUrls = deriveRoleUrls(ownerUrl);
    const message = await messageOf(migrate({ ownerUrl: url, ...systemUrls }));
    expect(message).toContain("Cannot migrate the database");
    const tables = await withUrl(
      server.superuserUrl.replace(/\/postgres$/, "/empty"),
      (sql) => sql`select 1 from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    expect(tables).toHaveLength(0);
  });
});

describe("checkPostgresDurability()", () => {
  const check = (settings: Record<string, string>) =>
    withUrl(deriveRoleUrls(ownerUrl).systemUrl, async (sql) => {
      for (const [name, value] of Object.entries(settings)) await sql.unsafe(`set ${name} = ${value}`);
      return checkPostgresDurability(sql);
    });

  test("checkPostgresDurability() is content with the embedded server", async () => {
    expect(await check({})).toEqual([]);
  });

  test("checkPostgresDurability() names a commit that does not wait for the disk", async () => {
    expect(await check({ synchronous_commit: "off" })).toEqual([
      "Postgres has synchronous_commit off: a crash loses transactions that were answered as committed",
    ]);
  });
});

describe("connectPostgres()", () => {
  test("connectPostgres() ends a statement that takes too long and goes on", async () => {
    const sql = connectPostgres({
      url: deriveRoleUrls(ownerUrl).systemUrl,
      purpose: "system",
      max: 1,
      statementTimeoutMs: 200,
      log: createLogger("silent", "test"),
    });
    expect(await codeOf(sql`select pg_sleep(5)`)).toBe("57014");
    expect(await sql`select current_setting('application_name') as name`).toEqual([
      { name: "hub-system" },
    ] as never);
    await sql.end();
  });
});
