import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestApp, type TestApp } from "../edge/app-fixture.ts";

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp();
});
afterAll(() => hub.stop());

const PATH = "/api/v1/tenants";
const MAIN = join(import.meta.dir, "../../src/cli/main.ts");

async function admin(): Promise<string> {
  const tenant = await hub.newTenant();
  return (await hub.newKey(tenant, { scopes: ["platform:admin"] })).key;
}

describe("createTenant()", () => {
  test("answers the tenant and an owner's key that works", async () => {
    const slug = `made-${crypto.randomUUID().slice(0, 8)}`;
    const created = await hub.call("POST", PATH, { key: await admin(), body: { slug } });
    expect(created.status).toBe(201);
    expect(created.json).toEqual({ tenant: { id: expect.any(String), slug }, apiKey: expect.any(String) });
    const keys = await hub.call("GET", "/api/v1/api-keys", { key: String(created.json["apiKey"]) });
    expect((keys.json["data"] as { role: string }[]).map(({ role }) => role)).toEqual(["owner"]);
  });

  test("refuses an actor without platform:admin, an owner too", async () => {
    const { apiKey } = await hub.newTenant();
    const answer = await hub.call("POST", PATH, { key: apiKey, body: { slug: "mine" } });
    expect([answer.status, answer.json["code"]]).toEqual([403, "forbidden"]);
  });

  test("answers 409 for a slug that is taken, and leaves nothing behind", async () => {
    const taken = await hub.newTenant();
    const answer = await hub.call("POST", PATH, { key: await admin(), body: { slug: taken.slug } });
    expect([answer.status, answer.json["code"]]).toEqual([409, "conflict"]);
    const rows = await hub.runtime.sqlSystem`select id from tenants where slug = ${taken.slug}`;
    expect(rows.length).toBe(1);
  });

  test.each(["", "-x", "a/b", "a b", "é", "x".repeat(101), "01a20809-d011-7185-930e-f4339748bd4a"])(
    "refuses the slug %p",
    async (slug) => {
      const answer = await hub.call("POST", PATH, { key: await admin(), body: { slug } });
      expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
    },
  );

  test("writes the audit rows into the new tenant's log", async () => {
    const { apiKey, id } = await hub.newTenant();
    const log = await hub.call("GET", "/api/v1/audit-log", { key: apiKey });
    expect((log.json["data"] as { verb: string }[]).map(({ verb }) => verb)).toEqual([
      "api_key.create",
      "tenant.create",
    ]);
    expect(log.text).toContain(id);
  });
});

describe("hub tenants create", () => {
  async function run(args: string[], env: Record<string, string>) {
    const child = Bun.spawn([process.execPath, MAIN, ...args], {
      env: { PATH: process.env["PATH"] ?? "", ...env },
      cwd: tmpdir(),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { code: await child.exited, out, err };
  }

  test("prints exactly the tenant and the key", async () => {
    const { code, out, err } = await run(["tenants", "create", "--slug", "by-command"], hub.env);
    expect([code, err]).toEqual([0, ""]);
    const made = JSON.parse(out) as { tenant: object; apiKey: string };
    expect(made).toEqual({
      tenant: { id: expect.any(String), slug: "by-command" },
      apiKey: expect.any(String),
    });
    expect((await hub.call("GET", "/api/v1/api-keys", { key: made.apiKey })).status).toBe(200);
  });

  test("finds the services of a running start by HUB_HOME", async () => {
    const home = await mkdtemp(join(tmpdir(), "hub-home-"));
    const [databaseUrl, redisUrl] = [hub.env["DATABASE_URL"]!, hub.env["REDIS_URL"]!];
    const encryptionKey = hub.env["INTEGRATION_ENCRYPTION_KEY"]!;
    await Bun.write(join(home, "services.json"), JSON.stringify({ databaseUrl, redisUrl, encryptionKey }));
    const { code, err } = await run(["tenants", "create", "--slug", "by-home"], {
      HUB_HOME: home,
      // What start's services do not name: the logins of this test's roles.
      DATABASE_APP_URL: hub.env["DATABASE_APP_URL"]!,
      DATABASE_SYSTEM_URL: hub.env["DATABASE_SYSTEM_URL"]!,
    });
    await rm(home, { recursive: true });
    expect([code, err]).toEqual([0, ""]);
  });

  test("says what is missing where no hub runs", async () => {
    const { code, err } = await run(["tenants", "create", "--slug", "x"], { HUB_HOME: "/nonexistent" });
    expect(code).toBe(1);
    expect(err).toContain("/nonexistent/services.json");
  });

  test("explains itself for an unknown command, option or a missing one", async () => {
    for (const args of [
      ["nonsense"],
      ["tenants", "create"],
      ["tenants", "create", "--slug", "x", "--colour", "red"],
    ]) {
      const { code, out, err } = await run(args, hub.env);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain("Usage:");
    }
  });

  test("refuses a taken slug with one line and code 1", async () => {
    const { slug } = await hub.newTenant();
    const { code, err } = await run(["tenants", "create", "--slug", slug], hub.env);
    expect([code, err]).toEqual([1, `The slug "${slug}" is taken.\n`]);
  });
});
