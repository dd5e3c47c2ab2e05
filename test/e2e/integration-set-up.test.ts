import { afterAll, beforeAll, expect, test } from "bun:test";
import { loadIntegration, openCredentials } from "../../src/domain/integrations/load-integration.ts";
import { startTestGateway, type TestGateway } from "../gateway/gateway-fixture.ts";
import {
  authorizeUrl,
  CALLBACK,
  logIn,
  newBrowser,
  newIntegration,
  PUBLIC_URL,
} from "../oauth/login-fixture.ts";
import { oauthManifest, type OAuthServer, startOAuthServer } from "../oauth/oauth-server.ts";

let hub: TestGateway;
let server: OAuthServer;

beforeAll(async () => {
  server = await startOAuthServer({ redirectUri: CALLBACK });
  hub = await startTestGateway({ env: { PUBLIC_URL } });
});
afterAll(async () => {
  await hub.stop();
  await server.stop();
});

test("an integration is created, authorized, tested, enabled, called, logged and healthy", async () => {
  const made = await newIntegration(hub, oauthManifest(server));
  const { id, tenant } = made;
  const manage = async (method: string, path: string) =>
    hub.call(method, `/api/v1/integrations/${id}${path}`, { key: tenant.apiKey });
  const proxy = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${hub.baseUrl}/api/v1/integrations/${id}/proxy${path}`, {
      headers: { authorization: `Bearer ${tenant.apiKey}`, ...headers },
    });
  expect(made.status).toBe("PENDING_AUTH");
  const early = await proxy("/me");
  expect([early.status, ((await early.json()) as { code: string }).code]).toEqual([
    409,
    "reauthorization_required",
  ]);

  const page = await logIn(newBrowser(hub), await authorizeUrl(hub, made));
  expect([page.status, page.html]).toEqual([200, expect.stringContaining("<h1>Connected</h1>")]);
  expect((await manage("POST", "/test")).json).toMatchObject({ passed: true, accountName: "Acme <Freight>" });
  expect((await manage("POST", "/disable")).json).toMatchObject({ status: "PAUSED", isEnabled: false });
  expect((await manage("POST", "/enable")).json).toMatchObject({ status: "ACTIVE", isEnabled: true });

  const answer = await proxy("/me", { "x-request-id": "set-up-1" });
  expect([answer.status, await answer.json()]).toEqual([
    200,
    { account: { name: "Acme <Freight>", realm: "r-1", asked: null } },
  ]);
  const logId = answer.headers.get("hub-log-id")!;
  const untilLogged = async (wanted: string): Promise<void> => {
    while (!(await hub.logsOf(id)).some((row) => row.id === wanted)) await Bun.sleep(10);
  };
  await untilLogged(logId);
  const row = await hub.call("GET", `/api/v1/api-logs/${logId}`, { key: tenant.apiKey });
  expect(row.json).toMatchObject({
    id: logId,
    integrationId: id,
    direction: "OUTBOUND",
    method: "GET",
    status: "SUCCESS",
    responseStatus: 200,
    correlationId: "set-up-1",
    timings: { total: expect.any(Number) },
  });
  const { accessToken } = await openCredentials(tenant.ctx, await loadIntegration(tenant.ctx, id));
  expect(row.text).not.toContain(accessToken!);

  // The provider forgets the token: one refresh, one retry, and the caller notices nothing.
  await (await server.provider.AccessToken.find(accessToken!))!.destroy();
  const again = await proxy("/me");
  expect([again.status, again.headers.get("hub-attempts"), server.refreshes()]).toEqual([200, "2", 1]);
  await untilLogged(again.headers.get("hub-log-id")!);
  const rows = (await hub.logsOf(id)).slice(-3);
  expect(rows.map(({ method, responseStatus }) => [method, responseStatus])).toEqual([
    ["GET", 401],
    ["POST", 200],
    ["GET", 200],
  ]);

  const health = await manage("GET", "/health");
  expect([health.status, health.json["status"]]).toEqual([200, "ACTIVE"]);
  expect(health.json).toMatchObject({
    circuit: { state: "CLOSED" },
    token: { secondsLeft: expect.any(Number) },
  });
});
