import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startTestApp, type TestApp } from "./app-fixture.ts";

let hub: TestApp;
let aheadMs = 0;
beforeAll(async () => {
  hub = await startTestApp({ clock: { nowMs: () => Date.now() + aheadMs } });
});
afterAll(() => hub.stop());

const KEYS = "/api/v1/api-keys";
const create = (key: string, idempotencyKey: string, body: object) =>
  hub.call("POST", KEYS, { key, body, headers: { "idempotency-key": idempotencyKey } });

async function countKeys(tenantId: string): Promise<number> {
  return (await hub.runtime.sqlSystem`select id from api_keys where tenant_id = ${tenantId}`).length;
}

describe("runOnce()", () => {
  test("answers a repeat with the first answer, secret included, and does nothing twice", async () => {
    const tenant = await hub.newTenant();
    const first = await create(tenant.apiKey, "one", { name: "x", role: "viewer" });
    const again = await create(tenant.apiKey, "one", { name: "x", role: "viewer" });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.json).toEqual(first.json);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await countKeys(tenant.id)).toBe(2);
  });

  test("takes a body whose members stand in another order for the same one", async () => {
    const { apiKey } = await hub.newTenant();
    const first = await create(apiKey, "one", { name: "x", role: "viewer" });
    const again = await create(apiKey, "one", { role: "viewer", name: "x" });
    expect([again.status, again.json]).toEqual([201, first.json]);
  });

  test("refuses another body under the key", async () => {
    const { apiKey } = await hub.newTenant();
    await create(apiKey, "one", { name: "x", role: "viewer" });
    const other = await create(apiKey, "one", { name: "y", role: "viewer" });
    expect([other.status, other.json["code"]]).toEqual([422, "idempotency_mismatch"]);
  });

  test("refuses another caller of the tenant, who would see the first one's secret", async () => {
    const tenant = await hub.newTenant();
    const { key } = await hub.newKey(tenant, { role: "owner" });
    await create(tenant.apiKey, "one", { name: "x", role: "viewer" });
    const other = await create(key, "one", { name: "x", role: "viewer" });
    expect(other.json["code"]).toBe("idempotency_mismatch");
  });

  test("keeps tenants apart", async () => {
    const [one, two] = [await hub.newTenant(), await hub.newTenant()];
    const first = await create(one.apiKey, "same", { name: "x", role: "viewer" });
    const second = await create(two.apiKey, "same", { name: "x", role: "viewer" });
    expect(second.status).toBe(201);
    expect(second.json["id"]).not.toBe(first.json["id"]);
  });

  test("lets one of many simultaneous requests work", async () => {
    const tenant = await hub.newTenant();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => create(tenant.apiKey, "race", { name: "x", role: "viewer" })),
    );
    const ids = answers.filter(({ status }) => status === 201).map(({ json }) => json["id"]);
    const codes = answers.filter(({ status }) => status !== 201).map(({ json }) => json["code"]);
    expect(new Set(ids).size).toBe(1);
    expect(codes.every((code) => code === "idempotency_in_progress")).toBe(true);
    expect(await countKeys(tenant.id)).toBe(2);
  });

  test("remembers no error: a mended retry under the key works", async () => {
    const { apiKey } = await hub.newTenant();
    const refused = await create(apiKey, "one", { name: "x" });
    expect(refused.status).toBe(422);
    expect((await create(apiKey, "one", { name: "x", role: "viewer" })).status).toBe(201);
  });

  test("forgets after 24 hours", async () => {
    const tenant = await hub.newTenant();
    const first = await create(tenant.apiKey, "one", { name: "x", role: "viewer" });
    aheadMs += 24 * 3_600_000 + 1;
    const later = await create(tenant.apiKey, "one", { name: "x", role: "viewer" });
    expect(later.json["id"]).not.toBe(first.json["id"]);
  });

  test("stores the answer sealed", async () => {
    const tenant = await hub.newTenant();
    const first = await create(tenant.apiKey, "one", { name: "x", role: "viewer" });
    const rows = await hub.runtime
      .sqlSystem`select i::text as row from idempotency_keys i where tenant_id = ${tenant.id}`;
    expect(rows.length).toBe(1);
    expect(JSON.stringify(rows)).not.toContain(String(first.json["key"]));
    expect(JSON.stringify(rows)).not.toContain(String(first.json["prefix"]));
  });

  test.each(["", "a b", "ä".repeat(3), "x".repeat(256)])(
    "refuses the malformed key %p",
    async (idempotencyKey) => {
      const { apiKey } = await hub.newTenant();
      const answer = await create(apiKey, idempotencyKey, { name: "x", role: "viewer" });
      expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
    },
  );
});
