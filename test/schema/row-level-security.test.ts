import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Sql } from "../../src/platform/postgres/client.ts";
import { LOG_TABLES } from "../../src/platform/postgres/partitions.ts";
import { newId } from "../../src/platform/uuid.ts";
import { connectRoles, type Roles } from "./connect-roles.ts";
import { asTenant, codeOf, insertEndpoint, insertTenant } from "./statements.ts";

let roles: Roles;
let app: Sql;
let system: Sql;
let mine: string;
let theirs: string;

beforeAll(async () => {
  roles = await connectRoles();
  ({ app, system } = roles);
  mine = await insertTenant(system);
  theirs = await insertTenant(system);
  await insertEndpoint(system, mine, "mine");
  await insertEndpoint(system, theirs, "theirs");
});

afterAll(() => roles.stop());

describe("hub_app", () => {
  test("a select without `where` sees the tenant's rows only", async () => {
    const rows = await asTenant(app, mine, (tx) => tx`select endpoint_path from webhook_endpoints`);
    expect(rows.map((row) => row["endpoint_path"])).toEqual(["mine"]);
    expect(await asTenant(app, mine, (tx) => tx`select id from tenants`)).toHaveLength(1);
  });

  test("an update and a delete without `where` leave the other tenants' rows alone", async () => {
    const updated = await asTenant(
      app,
      mine,
      (tx) => tx`update webhook_endpoints set handler_type = 'INVOICE' returning id`,
    );
    expect(updated).toHaveLength(1);
    await insertService(theirs);
    await insertService(mine);
    expect(await asTenant(app, mine, (tx) => tx`delete from services returning id`)).toHaveLength(1);
    const [left] = await system`select handler_type from webhook_endpoints where tenant_id = ${theirs}`;
    expect(left?.["handler_type"]).toBe("CUSTOM");
    expect(await system`select id from services where tenant_id = ${theirs}`).toHaveLength(1);
  });

  test("a row of another tenant can neither be written nor given away", async () => {
    const insert = asTenant(app, mine, (tx) => insertEndpoint(tx, theirs, "smuggled"));
    expect(await codeOf(insert)).toBe("42501");
    const give = asTenant(app, mine, (tx) => tx`update webhook_endpoints set tenant_id = ${theirs}`);
    expect(await codeOf(give)).toBe("42501");
  });

  test("a row cannot point to another tenant's integration", async () => {
    const integrationId = await insertIntegration(theirs);
    const steal = asTenant(
      app,
      mine,
      (tx) => tx`update webhook_endpoints set integration_id = ${integrationId}`,
    );
    expect(await codeOf(steal)).toBe("23503");
  });

  test("without a tenant it sees nothing, also on a connection that has served one", async () => {
    await app.begin(async (tx) => {
      await tx`select set_config('app.tenant', ${mine}, true)`;
      expect(await tx`select id from webhook_endpoints`).toHaveLength(1);
    });
    // The pool has one connection: the setting is '' there now, which must not fail as a uuid.
    for (const table of ["webhook_endpoints", "webhook_receipts", "tenants", "tenant_keys", "api_keys"]) {
      expect(await app`select id from ${app(table)}`).toHaveLength(0);
    }
  });

  test("rows of the platform are read by every tenant and changed by none", async () => {
    const code = `P${newId().slice(-12)}`;
    await system`
      insert into integration_providers (code, name, category, config_schema, auth_type)
      values (${code}, 'Built in', 'CRM', '{}', 'NONE')`;
    const read = (tenant: string) =>
      asTenant(app, tenant, (tx) => tx`select name from integration_providers where code = ${code}`);
    expect(await read(mine)).toHaveLength(1);
    expect(await read(theirs)).toHaveLength(1);
    const change = await asTenant(
      app,
      mine,
      (tx) => tx`update integration_providers set name = 'Mine' where code = ${code} returning id`,
    );
    expect(change).toHaveLength(0);
    const insert = asTenant(
      app,
      mine,
      (tx) => tx`
        insert into integration_providers (tenant_id, code, name, category, config_schema, auth_type)
        values (null, 'FAKE', 'Fake', 'CRM', '{}', 'NONE')`,
    );
    expect(await codeOf(insert)).toBe("42501");
  });

  test("two tenants may use one code, path and name", async () => {
    for (const tenant of [mine, theirs]) {
      await system`
        insert into integration_providers (tenant_id, code, name, category, config_schema, auth_type)
        values (${tenant}, 'OWN', 'Own', 'CRM', '{}', 'NONE')`;
      await insertEndpoint(system, tenant, "same");
    }
    expect(await codeOf(insertEndpoint(system, mine, "same"))).toBe("23505");
  });

  test("a deleted endpoint frees its path", async () => {
    const id = await insertEndpoint(system, mine, "again");
    await system`update webhook_endpoints set deleted_at = now() where id = ${id}`;
    await insertEndpoint(system, mine, "again");
  });

  test.each(["set role hub_system", "set session authorization hub_system", "grant hub_system to hub_app"])(
    "it cannot become hub_system: %s",
    async (statement) => {
      expect(await codeOf(app.unsafe(statement))).toBe("42501");
    },
  );

  test("it may not call what makes and drops days", async () => {
    expect(await codeOf(app`select hub_create_day_partitions(1, 4)`)).toBe("42501");
    expect(await codeOf(app`select hub_drop_day_partitions(30)`)).toBe("42501");
  });

  test("it may not read the migrations' own table", async () => {
    expect(await codeOf(app`select * from hub_meta.migrations`)).toBe("42501");
  });
});

describe("hub_app and hub_system", () => {
  const both = (): [string, Sql][] => [
    ["hub_app", app],
    ["hub_system", system],
  ];

  test("neither reads or writes a partition by its name", async () => {
    const stamp = new Date().toISOString().slice(0, 10).replaceAll("-", "");
    for (const [, sql] of both()) {
      for (const table of LOG_TABLES) {
        const name = `${table}_${stamp}`;
        expect(await codeOf(sql.unsafe(`select * from ${name}`))).toBe("42501");
        expect(await codeOf(sql.unsafe(`delete from ${name}`))).toBe("42501");
      }
    }
  });

  test.each([
    "truncate webhook_endpoints",
    "truncate webhook_receipts",
    "create table own (id int)",
    "create temporary table own (id int)",
    "create schema own",
    "create function own() returns int language sql as 'select 1'",
    "alter table webhook_endpoints add column extra int",
    "alter table webhook_endpoints disable row level security",
    "create policy everything on webhook_endpoints using (true)",
    "drop policy tenant_rows on webhook_endpoints",
    "create index own on webhook_endpoints (id)",
    "create trigger own after insert on webhook_endpoints execute function suppress_redundant_updates_trigger()",
    "drop table webhook_receipts",
    "create role own",
    "alter role hub_system bypassrls",
    "grant select on webhook_endpoints to public",
  ])("neither may: %s", async (statement) => {
    for (const [role, sql] of both()) {
      if (statement.startsWith("grant")) {
        // Granting what one holds without the grant option is a warning in Postgres, and does nothing.
        await sql.unsafe(statement);
        const [row] = await system`
          select count(*)::int as grants from information_schema.role_table_grants
          where grantee = 'PUBLIC' and table_schema = 'public'`;
        expect(row).toEqual({ grants: 0 });
      } else {
        expect([role, await codeOf(sql.unsafe(statement))]).toEqual([role, "42501"]);
      }
    }
  });

  test("neither changes the audit log", async () => {
    for (const [, sql] of both()) {
      expect(await codeOf(sql`update audit_log set verb = 'nothing'`)).toBe("42501");
      expect(await codeOf(sql`delete from audit_log`)).toBe("42501");
    }
  });
});

describe("schema", () => {
  test("every table with a tenant has forced row-level security and a policy for each role that may use it", async () => {
    const rows = await system<{ table: string; enabled: boolean; forced: boolean; missing: string[] }[]>`
      select c.relname as table, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
        array(
          select r.rolname::text from pg_roles r
          where r.rolname in ('hub_app', 'hub_system')
            and has_table_privilege(r.oid, c.oid, 'select, insert, update, delete')
            and not exists (select from pg_policy p where p.polrelid = c.oid and r.oid = any (p.polroles))
        ) as missing
      from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      order by 1`;
    expect(rows.length).toBeGreaterThanOrEqual(32);
    const faulty = rows.filter((row) => !row.enabled || !row.forced || row.missing.length > 0);
    expect(faulty).toEqual([]);
  });

  test("no policy lets hub_app past its tenant, and none is for everybody", async () => {
    const rows = await system<{ name: string; using: string; check: string | null; roles: string[] }[]>`
      select tablename || '.' || policyname as name, qual as using, with_check as check, roles::text[] as roles
      from pg_policies where schemaname = 'public'`;
    const own = "NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid";
    for (const row of rows.filter((policy) => !policy.name.endsWith(".system_rows"))) {
      expect(row.roles).toEqual(["hub_app"]);
      if (row.name.endsWith(".platform_rows")) {
        expect([row.using, row.check]).toEqual(["(tenant_id IS NULL)", null]);
      } else {
        expect([row.name, row.using.includes(own), row.check?.includes(own)]).toEqual([row.name, true, true]);
      }
    }
    expect(
      rows
        .filter((row) => row.name.endsWith(".system_rows"))
        .every((row) => row.roles.join() === "hub_system"),
    ).toBe(true);
  });

  test("nobody but the owner holds a right on a partition", async () => {
    const rows = await system`
      select c.relname from pg_class c, aclexplode(c.relacl) a
      where c.relispartition and a.grantee <> c.relowner`;
    expect(rows).toHaveLength(0);
  });

  test("functions with the owner's rights pin their search path and are not for everybody", async () => {
    const rows = await system<{ name: string; pinned: boolean; open: boolean }[]>`
      select p.proname as name, exists (select from unnest(p.proconfig) s where s like 'search_path=%') as pinned,
        exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0) as open
      from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef order by 1`;
    expect(rows).toEqual([
      { name: "hub_create_day_partitions", pinned: true, open: false },
      { name: "hub_drop_day_partitions", pinned: true, open: false },
    ] as never);
  });

  test("a slug cannot have the form of an id", async () => {
    const insert = system`insert into tenants (slug, name) values (${newId()}, 'Someone else')`;
    expect(await codeOf(insert)).toBe("23514");
  });
});

async function insertService(tenantId: string): Promise<void> {
  await system`insert into services (tenant_id, name, kind) values (${tenantId}, 'tms', 'STREAM')`;
}

async function insertIntegration(tenantId: string): Promise<string> {
  const [provider] = await system<{ id: string }[]>`
    insert into integration_providers (tenant_id, code, name, category, config_schema, auth_type)
    values (${tenantId}, ${newId()}, 'Own', 'CRM', '{}', 'NONE') returning id`;
  const [integration] = await system<{ id: string }[]>`
    insert into integrations (tenant_id, provider_id, name, config, auth_type)
    values (${tenantId}, ${provider!.id}, 'Own', '{}', 'NONE') returning id`;
  return integration!.id;
}
