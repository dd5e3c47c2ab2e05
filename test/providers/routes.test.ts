import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BUILT_IN_PROVIDERS } from "../../src/domain/providers/built-in-providers.ts";
import { builtInProviderId } from "../../src/domain/providers/provider-id.ts";
import { storeBuiltIns } from "../../src/domain/providers/store-built-ins.ts";
import { newId } from "../../src/platform/uuid.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { customManifest } from "./custom-manifest.ts";

const PATH = "/api/v1/integrations/providers";
let hub: TestApp;
let tenant: TestTenant;
beforeAll(async () => {
  hub = await startTestApp();
});
afterAll(() => hub.stop());

const fresh = async (): Promise<TestTenant> => (tenant = await hub.newTenant());
const call = (method: string, path: string, body?: unknown) =>
  hub.call(method, PATH + path, { key: tenant.apiKey, ...(body === undefined ? {} : { body }) });
const pathsOf = (json: Record<string, unknown>): string[] =>
  (json["errors"] as { path: string }[]).map(({ path }) => path);

/** An integration of the tenant, as the verb that makes them leaves it. */
async function insertIntegration(
  providerId: unknown,
  config: object,
  environment = "PRODUCTION",
): Promise<string> {
  const id = newId();
  await hub.runtime.sqlSystem`
    insert into integrations (id, tenant_id, provider_id, name, config, auth_type, environment)
    values (${id}, ${tenant.id}, ${String(providerId)}, 'x', ${JSON.stringify(config)}::text::jsonb, 'API_KEY',
      ${environment})`;
  return id;
}
const pinOf = async (id: string): Promise<number | null> => {
  const [row] = await hub.runtime.sqlSystem<{ pin: number | null }[]>`
    select provider_version as pin from integrations where id = ${id}`;
  return row!.pin;
};

describe("GET /api/v1/integrations/providers", () => {
  test("lists the twelve, with the columns of the specification", async () => {
    await fresh();
    const { status, json } = await call("GET", "");
    expect(status).toBe(200);
    const rows = json["data"] as Record<string, unknown>[];
    expect(rows.map(({ code }) => code).toSorted()).toEqual(
      BUILT_IN_PROVIDERS.map(({ code }) => code).toSorted(),
    );
    expect(rows.find(({ code }) => code === "XERO")).toMatchObject({
      id: builtInProviderId("XERO"),
      name: "Xero",
      category: "ACCOUNTING",
      origin: "BUILT_IN",
      authType: "OAUTH2",
      supportsWebhooks: true,
      rateLimitRequests: 60,
      rateLimitWindow: 60,
      environments: ["PRODUCTION"],
      status: "ACTIVE",
    });
  });

  test("is narrowed by category and origin, and is read in pages", async () => {
    await fresh();
    const crm = await call("GET", "?category=CRM");
    expect((crm.json["data"] as unknown[]).length).toBe(3);
    expect((await call("GET", "?category=SHOES")).status).toBe(422);
    expect((await call("GET", "?origin=CUSTOM")).json["data"]).toEqual([]);
    await call("POST", "", customManifest());
    const seen: unknown[] = [];
    let cursor = "";
    do {
      const page = await call("GET", `?limit=5${cursor}`);
      seen.push(...(page.json["data"] as { code: string }[]).map(({ code }) => code));
      cursor = page.json["nextCursor"] === null ? "" : `&cursor=${String(page.json["nextCursor"])}`;
    } while (cursor !== "");
    expect(seen.length).toBe(13);
    expect(new Set(seen).size).toBe(13);
    expect(seen[0]).toBe("ACME_TMS");
  });

  test("shows one with its manifest and the sources of its facts, in whichever case", async () => {
    await fresh();
    const { status, json } = await call("GET", "/quickbooks");
    expect(status).toBe(200);
    expect(json).toMatchObject({
      code: "QUICKBOOKS",
      manifest: { facts: { "/verify": { mark: "verified" } } },
    });
    expect((await call("GET", "/NOTHING")).status).toBe(404);
  });
});

describe("POST /api/v1/integrations/providers", () => {
  test("describes a provider of the tenant's own", async () => {
    await fresh();
    const { status, json } = await call("POST", "", customManifest());
    expect(status).toBe(201);
    expect(json).toMatchObject({ code: "ACME_TMS", origin: "CUSTOM", version: 1, authType: "API_KEY" });
    expect((await call("GET", "/ACME_TMS")).json["manifest"]).toEqual(customManifest());
    expect((await call("POST", "", customManifest())).json["code"]).toBe("conflict");
  });

  test("tells every fault at once by JSON pointer, and stores nothing", async () => {
    await fresh();
    const { status, json } = await call("POST", "", {
      ...customManifest(),
      name: "",
      status: "MAYBE",
      quotas: [{ name: "q", limit: -1, scope: "world" }],
      extra: 1,
    });
    expect(status).toBe(422);
    expect(pathsOf(json)).toEqual(
      expect.arrayContaining(["/name", "/status", "/quotas/0/limit", "/quotas/0/scope", "/extra"]),
    );
    expect((await call("GET", "?origin=CUSTOM")).json["data"]).toEqual([]);
  });

  test("holds no secrets", async () => {
    await fresh();
    const { status, json } = await call("POST", "", customManifest({ headers: { "X-Api-Token": "s3cr3t" } }));
    expect(status).toBe(422);
    expect(pathsOf(json)).toEqual(["/headers/X-Api-Token"]);
    expect(JSON.stringify(json)).not.toContain("s3cr3t");
  });

  test.each([
    ["http://127.0.0.1:9000", "127.0.0.1"],
    ["https://169.254.169.254", "169.254.169.254"],
    ["https://10.0.0.8", "10.0.0.8"],
    ["https://[::1]", "[::1]"],
    ["https://db.internal", "db.internal"],
    ["https://localhost", "localhost"],
    ["http://api.example.com", "api.example.com"],
  ])("refuses the address %s", async (baseUrl, host) => {
    await fresh();
    const servers = [{ environment: "PRODUCTION" as const, baseUrl, allowedHosts: [host] }];
    const { status, json } = await call("POST", "", customManifest({ servers }));
    expect(status).toBe(422);
    expect(pathsOf(json)).toContain("/servers/0/baseUrl");
  });

  test("leaves the codes of built-in providers alone", async () => {
    await fresh();
    expect((await call("POST", "", customManifest({ code: "XERO" }))).json["code"]).toBe("conflict");
    expect((await call("PUT", "/XERO", { name: "Mine" })).json["code"]).toBe("conflict");
    expect((await call("DELETE", "/XERO")).json["code"]).toBe("conflict");
  });

  test("two at once: one is made, one conflicts", async () => {
    await fresh();
    const answers = await Promise.all([1, 2].map(() => call("POST", "", customManifest())));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
  });

  test("is another tenant's business for nobody", async () => {
    await fresh();
    await call("POST", "", customManifest());
    await fresh();
    const missing = await call("GET", "/NOTHING");
    for (const [method, body] of [["GET"], ["PUT", { name: "x" }], ["DELETE"]] as const) {
      const answer = await call(method, "/ACME_TMS", body);
      expect(answer.status).toBe(404);
      expect(answer.json["title"]).toBe(missing.json["title"]);
    }
    expect((await call("POST", "", customManifest())).status).toBe(201);
  });
});

describe("PUT /api/v1/integrations/providers/:code", () => {
  test("changes what is present, takes away what is null, and makes the next version", async () => {
    await fresh();
    await call("POST", "", customManifest({ description: "first" }));
    const { status, json } = await call("PUT", "/ACME_TMS", { name: "Acme 2", description: null });
    expect(status).toBe(200);
    expect(json).toMatchObject({ version: 2, name: "Acme 2", description: null, integrationsKept: 0 });
    expect((await call("PUT", "/ACME_TMS", { name: "Acme 2" })).json["version"]).toBe(2);
    expect(pathsOf((await call("PUT", "/ACME_TMS", { code: "OTHER" })).json)).toEqual(["/code"]);
    expect(pathsOf((await call("PUT", "/ACME_TMS", { servers: null })).json)).toEqual(["/servers"]);
    const entries = await hub.runtime.sqlSystem`
      select verb, changed_fields from audit_log where tenant_id = ${tenant.id} and verb like 'provider.%' order by id`;
    expect(entries.map(({ verb }) => verb)).toEqual(["provider.create", "provider.update"]);
  });

  test("an integration keeps working when a field is added that it does not have", async () => {
    await fresh();
    const { json } = await call("POST", "", customManifest());
    const plain = await insertIntegration(json["id"], { apiKey: { last4: "1234" }, account: "a" });
    const rich = await insertIntegration(json["id"], { apiKey: {}, account: "a", region: "EU" }, "SANDBOX");
    const fields = [
      ...customManifest().fields,
      {
        name: "region",
        label: "Region",
        kind: "connection" as const,
        type: "string" as const,
        required: true,
      },
    ];
    const changed = await call("PUT", "/ACME_TMS", { fields, headers: { "X-Region": "{region}" } });
    expect(changed.json).toMatchObject({ version: 2, integrationsKept: 1 });
    expect([await pinOf(plain), await pinOf(rich)]).toEqual([1, null]);
    const [used] = await hub.runtime.sqlSystem<{ manifest: unknown }[]>`
      select v.manifest from integration_provider_versions v
      join integrations i on i.provider_id = v.provider_id and i.provider_version = v.version
      where i.id = ${plain}`;
    expect(used?.manifest).toEqual(customManifest());
    await call("PUT", "/ACME_TMS", { name: "Third" });
    expect([await pinOf(plain), await pinOf(rich)]).toEqual([1, null]);
  });

  test("an integration takes part in a change that it has all for", async () => {
    await fresh();
    const { json } = await call("POST", "", customManifest());
    const id = await insertIntegration(json["id"], { apiKey: {}, account: "a" });
    const fields = [
      ...customManifest().fields,
      {
        name: "region",
        label: "Region",
        kind: "connection" as const,
        type: "string" as const,
        required: false,
      },
    ];
    await call("PUT", "/ACME_TMS", { fields, headers: { "X-Region": "[[{region}]]" } });
    expect(await pinOf(id)).toBeNull();
    await call("PUT", "/ACME_TMS", { servers: [customManifest().servers[1]] });
    expect(await pinOf(id)).toBe(2);
  });
});

describe("DELETE /api/v1/integrations/providers/:code", () => {
  test("waits until no integration uses it, and frees the code", async () => {
    await fresh();
    const { json } = await call("POST", "", customManifest());
    const id = await insertIntegration(json["id"], { apiKey: {}, account: "a" });
    expect((await call("DELETE", "/ACME_TMS")).json["code"]).toBe("in_use");
    await hub.runtime.sqlSystem`update integrations set deleted_at = now() where id = ${id}`;
    expect((await call("DELETE", "/acme_tms")).status).toBe(204);
    expect((await call("GET", "/ACME_TMS")).status).toBe(404);
    expect((await call("POST", "", customManifest())).status).toBe(201);
  });
});

describe("storeBuiltIns()", () => {
  test("is done by several at once, and a second time changes nothing", async () => {
    const { sqlSystem } = hub.runtime;
    await sqlSystem`update integration_providers set manifest = '{}' where tenant_id is null`;
    const counts = await Promise.all([1, 2, 3, 4].map(() => storeBuiltIns(sqlSystem)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(12);
    expect(await storeBuiltIns(sqlSystem)).toBe(0);
  });
});
