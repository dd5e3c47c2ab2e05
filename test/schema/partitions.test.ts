import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  dropOldPartitions,
  ensurePartitions,
  findMissingPartitions,
  LOG_TABLES,
} from "../../src/platform/postgres/partitions.ts";
import { newId } from "../../src/platform/uuid.ts";
import { connectRoles, type Roles } from "./connect-roles.ts";
import { codeOf, insertTenant } from "./statements.ts";

const DAY_MS = 86_400_000;
let roles: Roles;
let tenantId: string;

beforeAll(async () => {
  roles = await connectRoles();
  tenantId = await insertTenant(roles.system);
});

afterAll(() => roles.stop());

async function insertReceipt(daysAgo: number, status: string): Promise<string> {
  const atMs = Date.now() - daysAgo * DAY_MS;
  const id = newId(atMs);
  await roles.system`
    insert into webhook_receipts (id, tenant_id, endpoint_id, event_key, status, created_at)
    values (${id}, ${tenantId}, ${newId()}, 'key', ${status}, ${new Date(atMs)})`;
  return id;
}

const partitionName = (table: string, daysAgo: number): string =>
  `${table}_${new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;

async function partitions(): Promise<string[]> {
  const rows = await roles.system<{ name: string }[]>`
    select i.inhrelid::regclass::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where c.relkind = 'r' order by 1`;
  return rows.map((row) => row.name);
}

describe("ensurePartitions()", () => {
  test("ensurePartitions() makes the missing days once, also when several call it at the same moment", async () => {
    const owner = await connectRoles();
    try {
      const before = await Promise.all([1, 2, 3, 4].map(() => ensurePartitions(owner.system, 9)));
      expect(before.reduce((sum, made) => sum + made, 0)).toBe(8 * LOG_TABLES.length);
      expect(await ensurePartitions(owner.system, 9)).toBe(0);
    } finally {
      await owner.stop();
    }
  });

  test("ensurePartitions() leaves no day of the log tables without indexes or with a catch-all", async () => {
    const rows = await roles.system<{ name: string; isDefault: boolean; indexes: boolean }[]>`
      select c.relname as name, pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' as "isDefault",
        (select count(*) from pg_index x where x.indrelid = c.oid)
          = (select count(*) from pg_index x where x.indrelid = i.inhparent) as indexes
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relkind = 'r'`;
    expect(rows.length).toBeGreaterThanOrEqual(6 * LOG_TABLES.length);
    expect(rows.filter((row) => row.isDefault || !row.indexes)).toEqual([]);
  });
});

describe("findMissingPartitions()", () => {
  test("findMissingPartitions() is empty after a start and names what a scheduler that stood still would leave", async () => {
    expect(await findMissingPartitions(roles.system, Date.now(), 3)).toEqual([]);
    const missing = await findMissingPartitions(roles.system, Date.now() + 30 * DAY_MS, 0);
    expect(missing).toEqual(LOG_TABLES.map((table) => partitionName(table, -30)).toSorted());
  });

  test("a row whose day is missing is refused and not lost in another partition", async () => {
    expect(await codeOf(insertReceipt(200, "PROCESSED"))).toBe("23514");
  });
});

describe("dropOldPartitions()", () => {
  test("dropOldPartitions() drops whole days, keeps the newest and the day with receipts that wait", async () => {
    await ensurePartitions(roles.system, 40);
    await insertReceipt(40, "PROCESSED");
    await insertReceipt(38, "HELD");
    await insertReceipt(36, "RETRYING");
    await insertReceipt(35, "DUPLICATE");
    const kept = await insertReceipt(29, "PROCESSED");
    const dropped = await dropOldPartitions(roles.system, 30);
    expect(dropped).toContain(partitionName("webhook_receipts", 40));
    expect(dropped).toContain(partitionName("webhook_receipts", 35));
    expect(dropped).toContain(partitionName("api_request_logs", 38));
    expect(dropped).not.toContain(partitionName("webhook_receipts", 38));
    expect(dropped).not.toContain(partitionName("webhook_receipts", 36));
    const left = await partitions();
    for (const table of LOG_TABLES) expect(left).toContain(partitionName(table, 30));
    expect(left).toContain(partitionName("webhook_receipts", 38));
    expect(await roles.system`select id from webhook_receipts where id = ${kept}`).toHaveLength(1);
    expect(await dropOldPartitions(roles.system, 30)).toEqual([]);
  });

  test("dropOldPartitions() leaves a table that is in use for the next run", async () => {
    await ensurePartitions(roles.system, 50);
    const reader = roles.connectOwner();
    await reader.begin(async (tx) => {
      await tx.unsafe(`select 1 from ${partitionName("events", 45)}`);
      const dropped = await dropOldPartitions(roles.system, 44);
      expect(dropped).not.toContain(partitionName("events", 45));
      expect(dropped).toContain(partitionName("webhook_deliveries", 45));
    });
    await reader.end();
    expect(await dropOldPartitions(roles.system, 44)).toContain(partitionName("events", 45));
  });

  test.each([0, -1, 100_000])("dropOldPartitions() refuses to keep %d days", async (days) => {
    expect(await codeOf(dropOldPartitions(roles.system, days))).toBe("22023");
  });
});
