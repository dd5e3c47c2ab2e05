import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BUILT_IN_PROVIDERS } from "../../src/domain/providers/built-in-providers.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { Browser } from "../oauth/browser.ts";
import { manifestOfCode, VALUES } from "./provider-values.ts";
import { REQUEST_ROWS, type RequestRow } from "./request-rows.ts";
import { onLoopback, startStrictServer, type StrictServer } from "./strict-server.ts";

const PUBLIC_URL = "https://hub.example.com";
let hub: TestApp;
let server: StrictServer;

beforeAll(async () => {
  server = startStrictServer(manifestOfCode);
  hub = await startTestApp({
    env: {
      PUBLIC_URL,
      EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
      EGRESS_ALLOW_HTTP: "true",
      API_RATE_LIMIT: "100000/60",
    },
  });
  // The stored manifests are the catalogue's, but for where the servers are.
  const sql = hub.runtime.sqlSystem;
  for (const manifest of BUILT_IN_PROVIDERS) {
    const moved = onLoopback(manifest, server.url);
    // oxlint-disable-next-line no-await-in-loop -- twelve
    await sql`
      update integration_providers set manifest = ${sql.json(moved as never)}
      where code = ${manifest.code} and tenant_id is null`;
  }
});
afterAll(async () => {
  await hub.stop();
  await server.stop();
});

/** What a tenant types in for a provider: everything of the table's values that is no token and not found out. */
function configOf(code: string): Record<string, unknown> {
  const { config, credentials } = VALUES[code]!;
  const asked = new Set(
    manifestOfCode(code)
      .fields.filter(({ kind }) => kind !== "derived")
      .map(({ name }) => name),
  );
  const given = Object.entries({ ...config, ...credentials })
    .filter(([name]) => asked.has(name) && !(code === "XERO" && name === "tenantId"))
    .map(([name, value]) => [
      name,
      name === "apiBaseUrl" ? String(value).replace("https://", `${server.url}/`) : value,
    ]);
  return Object.fromEntries(given) as Record<string, unknown>;
}

const nameOf = ({ what }: RequestRow): string =>
  what === "verify" ? what : "step" in what ? `step ${what.step + 1}` : what.type;
const namesOf = (rows: readonly RequestRow[]): string[] => [...new Set(rows.map(nameOf))].toSorted();

async function logIn(tenant: TestTenant, id: string): Promise<string> {
  const started = await hub.call("POST", `/api/v1/integrations/${id}/authorize`, { key: tenant.apiKey });
  expect(started.status).toBe(200);
  // The proxy in front ends TLS: what reaches the hub is plain http.
  const front = async (request: Request): Promise<Response> =>
    hub.app.handle(new Request(request.url.replace(/^https:/, "http:"), request));
  const browser = new Browser(new Map([[PUBLIC_URL, front]]));
  return (await browser.open(started.json["url"] as string)).html;
}

describe("the twelve providers over the API", () => {
  test.each(BUILT_IN_PROVIDERS.map(({ code }) => code))(
    "%s is configured, logged in with, verified and refreshed with exactly the requests of the documents",
    async (code) => {
      server.on = code;
      server.taken.length = 0;
      server.refused.length = 0;
      const tenant = await hub.newTenant();
      const { apiKey: key } = tenant;
      const isLogIn = manifestOfCode(code).auth.type === "OAUTH2_CODE";
      const made = await hub.call("POST", "/api/v1/integrations", {
        key,
        body: { providerCode: code, name: code, config: configOf(code) },
      });
      expect([made.status, made.json["status"], server.refused]).toEqual([
        201,
        isLogIn ? "PENDING_AUTH" : "ACTIVE",
        [],
      ]);
      const id = made.json["id"] as string;
      if (isLogIn) expect(await logIn(tenant, id)).toContain("<h1>Connected</h1>");
      const tested = await hub.call("POST", `/api/v1/integrations/${id}/test`, { key });
      expect([tested.json["passed"], server.refused]).toEqual([true, []]);
      const own = REQUEST_ROWS.filter((row) => row.code === code);
      if (own.some(({ what }) => what !== "verify")) {
        const refreshed = await hub.call("POST", `/api/v1/integrations/${id}/refresh-oauth`, { key });
        expect([refreshed.status, server.refused]).toEqual([200, []]);
      }
      expect(namesOf(server.taken)).toEqual(namesOf(own));
      const shown = await hub.call("GET", `/api/v1/integrations/${id}`, { key });
      expect(shown.json).toMatchObject({ status: "ACTIVE", isEnabled: true });
      for (const secret of [
        "client-secret",
        "access-token",
        "refresh-token",
        "dat-password",
        "samsara_api_test",
      ])
        expect(shown.text).not.toContain(secret);
    },
  );

  test("a credential that the provider refuses is ERROR, and the fields to blame are named", async () => {
    server.on = "SAMSARA";
    const tenant = await hub.newTenant();
    const made = await hub.call("POST", "/api/v1/integrations", {
      key: tenant.apiKey,
      body: { providerCode: "SAMSARA", name: "Samsara", config: { apiToken: "samsara_api_other" } },
    });
    expect([made.status, made.json["status"]]).toEqual([201, "ERROR"]);
    expect(server.refused.at(-1)).toContain("Bearer samsara_api_other");
  });
});
