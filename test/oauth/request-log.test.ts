import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { apiLogWriterOf } from "../../src/domain/api-logs/api-log-writer.ts";
import { integrationCacheOf } from "../../src/domain/integrations/integration-cache.ts";
import { loadIntegration, openCredentials } from "../../src/domain/integrations/load-integration.ts";
import { ensureFreshToken } from "../../src/domain/oauth/ensure-fresh-token.ts";
import type { ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import type { TestApp, TestTenant } from "../edge/app-fixture.ts";
import { formsOf } from "../canary/needles.ts";
import { keyManifest, startTestProvider, type TestProvider } from "../integrations/test-provider.ts";
import { insertProvider } from "../integrations/test-provider.ts";
import { CALLBACK, connected, startLoginHub } from "./login-fixture.ts";
import { CLIENT_SECRET, oauthManifest, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

let hub: TestApp;
let server: OAuthServer;
let provider: TestProvider;

beforeAll(async () => {
  server = await startOAuthServer({ redirectUri: CALLBACK });
  provider = startTestProvider();
  hub = await startLoginHub();
});
afterEach(() => {
  server.instead = undefined;
  provider.answer = undefined;
});
afterAll(async () => {
  await hub.stop();
  await Promise.all([server.stop(), provider.stop()]);
});

interface Row {
  method: string;
  path: string;
  status: string;
  responseStatus: number | null;
  errorCode: string | null;
  correlationId: string;
  whole: string;
}

async function rowsOf(tenant: TestTenant, id: string): Promise<Row[]> {
  await apiLogWriterOf(hub.runtime).flush();
  const rows = await hub.runtime.sqlSystem<
    (Omit<Row, "whole"> & { body: Uint8Array | null; text: string })[]
  >`
    select method, path, status, response_status as "responseStatus", error_code as "errorCode",
      correlation_id as "correlationId", l::text as text
    from api_request_logs l where tenant_id = ${tenant.id} and integration_id = ${id} order by id`;
  return Promise.all(
    rows.map(async ({ text, ...row }) => {
      const shown = await hub.call("GET", `/api/v1/api-logs/search?integrationId=${id}`, {
        key: tenant.apiKey,
      });
      return { ...row, whole: text + shown.text };
    }),
  );
}

async function secretsOf(tenant: TestTenant, id: string): Promise<Record<string, string>> {
  integrationCacheOf(hub.runtime).invalidate(id);
  return openCredentials(tenant.ctx, await loadIntegration(tenant.ctx, id));
}

const expire = (id: string) => hub.runtime.sqlSystem`
  update integrations set oauth_expires_at = now() - interval '1 second', oauth_refresh_at = now() - interval '5 minutes'
  where id = ${id}`;

function expectNone(rows: readonly Row[], secrets: readonly string[]): void {
  const places = rows.map(({ whole }) => Buffer.from(whole));
  const found = secrets.flatMap((secret) =>
    formsOf(secret).filter(({ needle }) => places.some((bytes) => bytes.includes(needle))),
  );
  expect(found).toEqual([]);
}

describe("requests of log-ins", () => {
  test("exchangeToken() leaves a row of each log-in and refresh, without code, verifier, secret or token", async () => {
    const { tenant, id } = await connected(hub, server, oauthManifest(server));
    const first = await secretsOf(tenant, id);
    await expire(id);
    integrationCacheOf(hub.runtime).invalidate(id);
    const ctx = { ...tenant.ctx, requestId: "call-that-needed-a-token" };
    await ensureFreshToken(ctx, await loadIntegration(ctx, id));
    const second = await secretsOf(tenant, id);
    const rows = await rowsOf(tenant, id);
    expect(
      rows.map(({ method, path, status, responseStatus }) => [method, path, status, responseStatus]),
    ).toEqual([
      ["POST", "/token", "SUCCESS", 200],
      ["GET", "/api/me", "SUCCESS", 200],
      ["GET", "/api/me", "SUCCESS", 200],
      ["POST", "/token", "SUCCESS", 200],
    ]);
    expect(rows[3]!.correlationId).toBe("call-that-needed-a-token");
    // Bodies are there, and what is harmless in them can be read.
    const [{ body } = { body: null }] = await hub.runtime.sqlSystem<{ body: Uint8Array | null }[]>`
      select body from api_request_logs where integration_id = ${id} order by id desc limit 1`;
    expect(Buffer.from(body!).toString()).toContain("grant_type=refresh_token");
    expectNone(rows, [CLIENT_SECRET, ...Object.values(first), ...Object.values(second)]);
  });

  test("exchangeToken() leaves a row of a refusal with its code, and of an answer that never came", async () => {
    const { tenant, id } = await connected(
      hub,
      server,
      oauthManifest(server, { refresh: { rotation: "none" } }),
    );
    const { refreshToken } = await secretsOf(tenant, id);
    const refresh = () =>
      hub.call("POST", `/api/v1/integrations/${id}/refresh-oauth`, { key: tenant.apiKey });
    server.instead = (ctx) => {
      ctx.status = 400;
      // A server that repeats what it was sent.
      ctx.body = {
        error: "invalid_client",
        error_description: `unknown ${refreshToken} of ${CLIENT_SECRET}`,
      };
      return true;
    };
    expect((await refresh()).status).toBe(503);
    server.instead = (ctx) => {
      ctx.req.socket.destroy();
      return true;
    };
    expect((await refresh()).status).toBe(503);
    server.instead = (ctx) => {
      ctx.status = 200;
      ctx.body = "<html>maintenance</html>";
      return true;
    };
    expect((await refresh()).status).toBe(503);
    const rows = (await rowsOf(tenant, id)).slice(-3);
    expect(rows.map(({ status, responseStatus, errorCode }) => [status, responseStatus, errorCode])).toEqual([
      ["CLIENT_ERROR", 400, "invalid_client"],
      ["SERVER_ERROR", null, "connection_closed"],
      ["CLIENT_ERROR", 200, "token_missing"],
    ]);
    expectNone(rows, [refreshToken!, CLIENT_SECRET]);
  });

  test("a log-in in steps shows no token, in rows and in the test's result, whatever the members are called", async () => {
    const tenant = await hub.newTenant();
    const token = "the-token-under-a-harmless-name";
    const manifest: ProviderManifest = keyManifest(provider.url, {
      redact: ["/account/taxNumber"],
      auth: {
        type: "TOKEN_REQUEST",
        steps: [
          {
            name: "one",
            request: { method: "POST", path: "/first", body: { type: "json", value: { k: "{apiKey}" } } },
            capture: { accessToken: "/data/t" },
          },
        ],
        lifeSeconds: 600,
        place: [{ in: "header", name: "X-Odd", value: "{accessToken}" }],
      },
    });
    await insertProvider(hub.runtime.sqlSystem, tenant.id, manifest);
    provider.answer = (request) =>
      request.url.endsWith("/first")
        ? Response.json({ data: { t: token, hint: `${token} again` } })
        : Response.json({
            account: { name: "Acme", taxNumber: "DE-4711-4711", seen: request.headers.get("x-odd") },
          });
    const made = await hub.call("POST", "/api/v1/integrations", {
      key: tenant.apiKey,
      body: { providerCode: "ACME", name: "Acme", config: { apiKey: "key-of-some-length-0815" } },
    });
    expect([made.status, made.json["status"]]).toEqual([201, "ACTIVE"]);
    const id = made.json["id"] as string;
    const tested = await hub.call("POST", `/api/v1/integrations/${id}/test`, { key: tenant.apiKey });
    await expire(id);
    const refreshed = await hub.call("POST", `/api/v1/integrations/${id}/refresh-oauth`, {
      key: tenant.apiKey,
    });
    expect([tested.status, refreshed.status]).toEqual([200, 200]);
    const rows = await rowsOf(tenant, id);
    expect(rows.at(-1)).toMatchObject({ path: "/first", status: "SUCCESS" });
    const all = [...rows, { ...rows[0]!, whole: made.text + tested.text + refreshed.text }];
    expectNone(all, [token, "key-of-some-length-0815", "DE-4711-4711"]);
  });

  test("the metrics tell what came of requests to token endpoints", async () => {
    const { tenant, id } = await connected(hub, server, oauthManifest(server));
    const count = async () =>
      Number(
        /hub_oauth_requests_total\{result="final"\} (\d+)/.exec(await hub.runtime.metrics.metrics())?.[1] ??
          "-1",
      );
    const before = await count();
    server.instead = (ctx) => {
      ctx.status = 400;
      ctx.body = { error: "invalid_grant" };
      return true;
    };
    const refused = await hub.call("POST", `/api/v1/integrations/${id}/refresh-oauth`, {
      key: tenant.apiKey,
    });
    expect([refused.status, await count()]).toEqual([409, before + 1]);
    expect(await hub.runtime.metrics.metrics()).toContain("hub_oauth_request_seconds_count");
  });
});
