import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres, { type Sql } from "postgres";
import type { Transaction } from "../../src/domain/context.ts";
import { type Envelope, rememberInterchange, takeControlNumbers } from "../../src/domain/edi/store.ts";
import { newId } from "../../src/platform/uuid.ts";
import { insertTenant } from "../schema/statements.ts";
import { startTestPostgres, type TestPostgres } from "../support/services.ts";

let server: TestPostgres;
let system: Sql;
let app: Sql;
beforeAll(async () => {
  server = await startTestPostgres();
  system = postgres(server.systemUrl, { max: 2 });
  app = postgres(server.appUrl, { max: 8 });
});
afterAll(async () => {
  await Promise.all([system.end(), app.end()]);
  await server.stop();
});

async function newPartner(): Promise<{ tenantId: string; partnerId: string }> {
  const tenantId = await insertTenant(system);
  const partnerId = newId();
  await system`
    insert into x12_partners (id, tenant_id, name, isa_qualifier, isa_id, own_isa_qualifier, own_isa_id, gs_id, own_gs_id)
    values (${partnerId}, ${tenantId}, 'Acme', 'ZZ', 'ACME', '02', 'SCAC', 'ACME', 'SCAC')`;
  return { tenantId, partnerId };
}

async function inTenant<T>(tenantId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const result = await app.begin(async (tx) => {
    await tx`select set_config('app.tenant', ${tenantId}, true)`;
    return { value: await work(tx) };
  });
  return (result as { value: T }).value;
}

const take = (tenantId: string, partnerId: string, envelope: Envelope, count = 1): Promise<number[]> =>
  inTenant(tenantId, (tx) => takeControlNumbers(tx, { tenantId, partnerId, envelope, count }));

describe("takeControlNumbers()", () => {
  test("counts each envelope of each partner by itself", async () => {
    const { tenantId, partnerId } = await newPartner();
    expect(await take(tenantId, partnerId, "ISA")).toEqual([1]);
    expect(await take(tenantId, partnerId, "ST", 3)).toEqual([1, 2, 3]);
    expect(await take(tenantId, partnerId, "ST")).toEqual([4]);
    expect(await take(tenantId, partnerId, "ISA")).toEqual([2]);
    const other = await newPartner();
    expect(await take(other.tenantId, other.partnerId, "ISA")).toEqual([1]);
  });

  test("gives every number once and none twice to many at a time, of which some roll back", async () => {
    const { tenantId, partnerId } = await newPartner();
    const taken: number[] = [];
    const attempts = Array.from({ length: 80 }, async (_, index) => {
      try {
        const numbers = await inTenant(tenantId, async (tx) => {
          const mine = await takeControlNumbers(tx, {
            tenantId,
            partnerId,
            envelope: "ISA",
            count: 1 + (index % 3),
          });
          if (index % 4 === 0) throw new Error("rolled back");
          return mine;
        });
        taken.push(...numbers);
      } catch (error) {
        expect(String(error)).toContain("rolled back");
      }
    });
    await Promise.all(attempts);
    const sorted = taken.sort((left, right) => left - right);
    expect(sorted).toEqual(Array.from({ length: sorted.length }, (_, index) => index + 1));
  });

  test("begins with 1 after nine nines", async () => {
    const { tenantId, partnerId } = await newPartner();
    await take(tenantId, partnerId, "GS");
    await system`update x12_control_numbers set last_number = 999999998 where partner_id = ${partnerId}`;
    expect(await take(tenantId, partnerId, "GS", 3)).toEqual([999_999_999, 1, 2]);
    expect(await take(tenantId, partnerId, "GS")).toEqual([3]);
  });

  test("refuses a partner of another tenant", async () => {
    const [mine, theirs] = [await newPartner(), await newPartner()];
    expect(take(mine.tenantId, theirs.partnerId, "ISA")).rejects.toMatchObject({ code: "23503" });
  });
});

describe("rememberInterchange()", () => {
  const key = {
    sender: { qualifier: "ZZ", id: "ACME" },
    receiver: { qualifier: "02", id: "SCAC" },
    controlNumber: "000000101",
  };
  const now = new Date("2026-11-23T10:00:00Z");
  const windowSeconds = 30 * 86_400;
  const remember = (tenantId: string, sourceId: string, more: Partial<typeof key> = {}, at = now) =>
    inTenant(tenantId, (tx) =>
      rememberInterchange(tx, { tenantId, key: { ...key, ...more }, sourceId, now: at, windowSeconds }),
    );

  test("recognises sender, receiver and control number that came before, from another source", async () => {
    const { tenantId } = await newPartner();
    const [first, second] = [newId(), newId()];
    expect(await remember(tenantId, first)).toBeNull();
    expect(await remember(tenantId, first)).toBeNull();
    expect(await remember(tenantId, second)).toEqual({ duplicateOf: first });
    expect(await remember(tenantId, second, { controlNumber: "000000102" })).toBeNull();
    expect(await remember(tenantId, second, { sender: key.receiver, receiver: key.sender })).toBeNull();
    const other = await newPartner();
    expect(await remember(other.tenantId, newId())).toBeNull();
  });

  test("lets one of many at a time through", async () => {
    const { tenantId } = await newPartner();
    const results = await Promise.all(Array.from({ length: 20 }, () => remember(tenantId, newId())));
    expect(results.filter((result) => result === null).length).toBe(1);
  });

  test("takes a number as new after the window, and forgets what is over it", async () => {
    const { tenantId } = await newPartner();
    const later = new Date(now.getTime() + (windowSeconds + 1) * 1_000);
    const [first, second] = [newId(), newId()];
    await remember(tenantId, first);
    await remember(tenantId, first, { controlNumber: "000000102" });
    expect(await remember(tenantId, second, {}, later)).toBeNull();
    expect(await remember(tenantId, newId(), {}, later)).toEqual({ duplicateOf: second });
    const rows = await system<{ controlNumber: string }[]>`
      select control_number as "controlNumber" from x12_interchanges where tenant_id = ${tenantId}`;
    expect(rows.map(({ controlNumber }) => controlNumber)).toEqual(["000000101"]);
  });
});
