import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createApp } from "../../src/edge/app.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import { scopesWithout, startTestApp, type TestApp } from "../edge/app-fixture.ts";

let hub: TestApp;
const now = { nowMs: () => Date.now() + aheadMs };
let aheadMs = 0;

beforeAll(async () => {
  hub = await startTestApp({ clock: now });
});
afterAll(() => hub.stop());

const KEYS = "/api/v1/api-keys";

describe("createApiKey()", () => {
  test("shows the key once and never again", async () => {
    const tenant = await hub.newTenant();
    const created = await hub.call("POST", KEYS, {
      key: tenant.apiKey,
      body: { name: "ci", role: "viewer" },
    });
    expect(created.status).toBe(201);
    expect(created.json["key"]).toMatch(/^hub_/);
    const list = await hub.call("GET", KEYS, { key: tenant.apiKey });
    expect(list.text).not.toContain(String(created.json["key"]));
    expect(list.text).not.toContain("secretHash");
    expect(list.text).toContain(String(created.json["prefix"]));
  });

  test("stores a hash, in no column the key", async () => {
    const tenant = await hub.newTenant();
    const rows = await hub.runtime
      .sqlSystem`select k::text as row from api_keys k where tenant_id = ${tenant.id}`;
    expect(JSON.stringify(rows)).not.toContain(tenant.apiKey.slice(20));
  });

  test("refuses scopes that the creator lacks", async () => {
    const tenant = await hub.newTenant();
    const { key } = await hub.newKey(tenant, { scopes: ["keys:write", "webhooks:read"] });
    const more = await hub.call("POST", KEYS, { key, body: { name: "more", scopes: ["webhooks:write"] } });
    expect([more.status, more.json["code"]]).toEqual([403, "forbidden"]);
    const role = await hub.call("POST", KEYS, { key, body: { name: "more", role: "owner" } });
    expect(role.status).toBe(403);
    const same = await hub.call("POST", KEYS, { key, body: { name: "same", scopes: ["webhooks:read"] } });
    expect(same.status).toBe(201);
  });

  test("refuses an actor without keys:write", async () => {
    const tenant = await hub.newTenant();
    const { key } = await hub.newKey(tenant, { scopes: scopesWithout("keys:write") });
    const answer = await hub.call("POST", KEYS, { key, body: { name: "x", role: "viewer" } });
    expect([answer.status, answer.json["code"]]).toEqual([403, "forbidden"]);
  });

  test("refuses a key without scopes and an expiry in the past", async () => {
    const { apiKey: key } = await hub.newTenant();
    const empty = await hub.call("POST", KEYS, { key, body: { name: "x" } });
    expect(empty.json["errors"]).toEqual([{ path: "/scopes", message: expect.any(String) }]);
    const past = await hub.call("POST", KEYS, {
      key,
      body: { name: "x", role: "viewer", expiresAt: "2020-01-01T00:00:00Z" },
    });
    expect(past.json["errors"]).toEqual([{ path: "/expiresAt", message: expect.any(String) }]);
  });

  test("writes an audit row that names the actor and the fields", async () => {
    const tenant = await hub.newTenant();
    const created = await hub.call("POST", KEYS, {
      key: tenant.apiKey,
      body: { name: "ci", role: "viewer" },
      headers: { "x-request-id": "req-1" },
    });
    const log = await hub.call("GET", `/api/v1/audit-log?objectId=${created.json["id"]}`, {
      key: tenant.apiKey,
    });
    expect(log.json["data"]).toEqual([
      expect.objectContaining({
        verb: "api_key.create",
        actorType: "api_key",
        requestId: "req-1",
        changedFields: ["name", "role", "scopes", "expiresAt"],
      }),
    ]);
  });
});

describe("authenticate()", () => {
  test("answers 401 with one body for no key, a wrong key, an unknown key and an expired key", async () => {
    const tenant = await hub.newTenant();
    const expiring = await hub.newKey(tenant, {
      role: "owner",
      expiresAt: new Date(now.nowMs() + 60_000).toISOString(),
    });
    expect((await hub.call("GET", KEYS, { key: expiring.key })).status).toBe(200);
    aheadMs += 61_000;
    const other = await hub.newTenant();
    const forged = tenant.apiKey.slice(0, 30) + other.apiKey.slice(30);
    const bodies = new Set<string>();
    for (const key of [undefined, "", "hub_x", forged, expiring.key, "a.b.c"]) {
      const answer = await hub.call("GET", KEYS, key === undefined ? {} : { key });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      bodies.add(JSON.stringify({ ...answer.json, requestId: "" }));
    }
    expect(bodies.size).toBe(1);
  });

  test("refuses the key of a suspended tenant", async () => {
    const tenant = await hub.newTenant();
    await hub.runtime.sqlSystem`update tenants set status = 'SUSPENDED' where id = ${tenant.id}`;
    const answer = await hub.call("GET", KEYS, { key: tenant.apiKey });
    expect([answer.status, answer.json["code"]]).toEqual([403, "forbidden"]);
  });

  test("notes the last use", async () => {
    const tenant = await hub.newTenant();
    await hub.call("GET", KEYS, { key: tenant.apiKey });
    const used = async () =>
      (await hub.runtime.sqlSystem`select last_used_at from api_keys where tenant_id = ${tenant.id}`)[0]![
        "last_used_at"
      ];
    while ((await used()) === null) await Bun.sleep(10);
  });
});

describe("revokeApiKey()", () => {
  test("ends the key in this and in another process", async () => {
    const tenant = await hub.newTenant();
    const { id, key } = await hub.newKey(tenant, { role: "owner" });
    const runtime = createRuntime(loadConfig(hub.env), "edge", { clock: now });
    const elsewhere = createApp(runtime);
    const ask = async () =>
      (
        await elsewhere.handle(
          new Request(`http://localhost${KEYS}`, { headers: { authorization: `Bearer ${key}` } }),
        )
      ).status;
    expect(await ask()).toBe(200);
    expect((await hub.call("GET", KEYS, { key })).status).toBe(200);
    expect((await hub.call("DELETE", `${KEYS}/${id}`, { key: tenant.apiKey })).status).toBe(204);
    while ((await ask()) !== 401) await Bun.sleep(10);
    expect((await hub.call("GET", KEYS, { key })).status).toBe(401);
    await runtime.shutdown.run();
  });

  test("ends the key when the message is lost, once the entry expires", async () => {
    const tenant = await hub.newTenant();
    const { id, key } = await hub.newKey(tenant, { role: "owner" });
    expect((await hub.call("GET", KEYS, { key })).status).toBe(200);
    await hub.runtime.sqlSystem`update api_keys set revoked_at = now() where id = ${id}`;
    aheadMs += 5001;
    expect((await hub.call("GET", KEYS, { key })).status).toBe(401);
  });

  test("answers 404 for another tenant's key, and leaves it alive", async () => {
    const [mine, theirs] = [await hub.newTenant(), await hub.newTenant()];
    const { id, key } = await hub.newKey(theirs, { role: "owner" });
    const answer = await hub.call("DELETE", `${KEYS}/${id}`, { key: mine.apiKey });
    expect([answer.status, answer.json["code"]]).toEqual([404, "not_found"]);
    expect((await hub.call("GET", KEYS, { key })).status).toBe(200);
  });
});

describe("listApiKeys()", () => {
  test("pages through all keys, newest first, each once, while more are made", async () => {
    const tenant = await hub.newTenant();
    for (let index = 0; index < 5; index++) await hub.newKey(tenant, { name: `k${index}`, role: "viewer" });
    const names: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await hub.call("GET", `${KEYS}?limit=2&cursor=${cursor}`, { key: tenant.apiKey });
      names.push(...(page.json["data"] as { name: string }[]).map(({ name }) => name));
      cursor = page.json["nextCursor"] as string | null;
      if (names.length === 2) await hub.newKey(tenant, { name: "late", role: "viewer" });
    }
    expect(names).toEqual(["k4", "k3", "k2", "k1", "k0", "first key"]);
  });
});
