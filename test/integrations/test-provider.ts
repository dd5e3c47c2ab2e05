import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import type { Sql } from "../../src/platform/postgres/client.ts";
import { newId } from "../../src/platform/uuid.ts";

/** One request that the provider saw. */
export interface SeenRequest {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}

/** A provider on loopback that takes one API key and does what a test tells it. */
export interface TestProvider {
  url: string;
  seen: SeenRequest[];
  /** Answers instead of the usual one. */
  answer: ((request: Request) => Response | Promise<Response>) | undefined;
  stop(): Promise<void>;
}

export const GOOD_KEY = "key-that-the-provider-takes-1234";

/** Starts it: `GET /v1/me` tells the account to who sends the good key, `POST /token` gives a token for the good secret. */
export function startTestProvider(): TestProvider {
  const provider: TestProvider = { url: "", seen: [], answer: undefined, stop: async () => undefined };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const body = await request.clone().text();
      provider.seen.push({
        method: request.method,
        path: url.pathname + url.search,
        headers: request.headers,
        body,
      });
      if (provider.answer !== undefined) return provider.answer(request);
      if (url.pathname === "/token" && new URLSearchParams(body).get("client_secret") === GOOD_KEY)
        return Response.json({ access_token: `token for ${GOOD_KEY}`, expires_in: 600, realm: "r-17" });
      const isKnown = [`Key ${GOOD_KEY}`, `Bearer token for ${GOOD_KEY}`].includes(
        request.headers.get("authorization") ?? "",
      );
      return isKnown
        ? Response.json({ account: { name: "Acme Freight" }, echoed: GOOD_KEY })
        : Response.json({ error: `bad credential ${request.headers.get("authorization")}` }, { status: 401 });
    },
  });
  provider.url = `http://127.0.0.1:${server.port}`;
  provider.stop = () => server.stop(true);
  return provider;
}

/** Its manifest: an API key in a header. */
export function keyManifest(url: string, more: Partial<ProviderManifest> = {}): ProviderManifest {
  return {
    manifestVersion: 1,
    code: "ACME",
    name: "Acme",
    category: "OTHER",
    status: "ACTIVE",
    features: { webhooks: false, batch: false, realtime: false, rateLimiting: true },
    fields: [
      { name: "apiKey", label: "API key", kind: "secret", type: "string", required: true, minLength: 8 },
      {
        name: "accountCode",
        label: "Account",
        kind: "connection",
        type: "string",
        required: false,
        pattern: "[A-Z]{2}\\d{4}",
        example: "AB1234",
      },
      {
        name: "plan",
        label: "Plan",
        kind: "connection",
        type: "string",
        required: false,
        enum: ["free", "pro"],
        default: "free",
      },
      { name: "signingKey", label: "Signing key", kind: "secret", type: "string", required: false },
      { name: "setupCode", label: "Set-up code", kind: "one-time", type: "string", required: false },
      {
        name: "realm",
        label: "Realm",
        kind: "derived",
        type: "string",
        required: false,
        from: { token: "/realm" },
      },
    ],
    servers: [{ environment: "PRODUCTION", baseUrl: url, allowedHosts: ["127.0.0.1"] }],
    auth: { type: "API_KEY", place: [{ in: "header", name: "Authorization", value: "Key {apiKey}" }] },
    verify: {
      request: {
        method: "GET",
        path: "/v1/me",
        headers: { "X-Plan": "{plan}" },
        query: { setup: "[[{setupCode}]]" },
      },
      expect: { status: [200], present: ["/account"] },
      accountName: "/account/name",
      blame: [{ status: [401, 403], fields: ["apiKey"] }],
    },
    quotas: [{ name: "minute", limit: 100, windowSeconds: 60, scope: "integration" }],
    rateHeaders: [],
    classification: [],
    timeouts: { totalSeconds: 45 },
    facts: {
      "": { source: "test", mark: "verified" },
      "/quotas/0/limit": { source: "nowhere", mark: "unverified" },
    },
    ...more,
  };
}

/** Stores a manifest as the tenant's own provider. */
export async function insertProvider(
  sql: Sql,
  tenantId: string,
  manifest: ProviderManifest,
): Promise<string> {
  const id = newId();
  await sql`
    insert into integration_providers (id, tenant_id, code, name, category, config_schema, auth_type, manifest)
    values (${id}, ${tenantId}, ${manifest.code}, ${manifest.name}, ${manifest.category}, '{}', 'API_KEY',
      ${sql.json(manifest as never)})`;
  return id;
}
