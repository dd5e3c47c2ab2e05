import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { loginEnd, nextWarning } from "../../src/domain/oauth/login-end.ts";
import { warnOfEndingLogins } from "../../src/domain/oauth/warn-of-ending-logins.ts";
import type { RefreshPolicy } from "../../src/domain/providers/auth-schema.ts";
import { refreshIntegration } from "../../src/domain/oauth/refresh-integration.ts";
import type { TestApp, TestTenant } from "../edge/app-fixture.ts";
import { startTestApp } from "../edge/app-fixture.ts";
import { CALLBACK, connected, eventTypes, PUBLIC_URL } from "./login-fixture.ts";
import { oauthManifest, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;
const policy = (more: Partial<RefreshPolicy>): RefreshPolicy => ({
  rotation: "none",
  defaultLifeSeconds: 3_600,
  finalErrors: [],
  ...more,
});
const facts = {
  nowMs: NOW,
  loginAtMs: NOW - 10 * DAY,
  accessEndsAtMs: NOW + 3_600_000,
  hasRefreshToken: true,
};
const days = (date: Date | null): number | null =>
  date === null ? null : Math.round(((date.getTime() - NOW) / DAY) * 10) / 10;

describe("loginEnd()", () => {
  test.each<[string, Partial<RefreshPolicy>, object, [number | null, number | null, boolean]]>([
    ["no end that anybody told of", {}, {}, [null, null, false]],
    ["an absolute life from the log-in on", { absoluteLifeSeconds: 365 * 86_400 }, {}, [355, 325, true]],
    ["an idle life from now on", { idleLifeSeconds: 60 * 86_400 }, {}, [60, 48, false]],
    [
      "whichever is first",
      { idleLifeSeconds: 60 * 86_400, absoluteLifeSeconds: 40 * 86_400 },
      {},
      [30, 22, true],
    ],
    ["what the answer says", { absoluteLifeSeconds: 86_400 }, { toldLoginMs: 100 * DAY }, [100, 78, true]],
    ["a refresh token's own life", {}, { toldRefreshMs: 10 * DAY }, [10, 8, false]],
    [
      "the access token's without another one",
      { idleLifeSeconds: 1 },
      { hasRefreshToken: false },
      [0, 0, false],
    ],
  ])("%s", (_name, given, more, [endsIn, warnIn, isFixed]) => {
    const end = loginEnd(policy(given), { ...facts, ...more });
    expect([days(end.endsAt), days(end.warnAt), end.isFixed]).toEqual([endsIn, warnIn, isFixed]);
  });

  test("nextWarning() comes 7 days and a day before the end, and then no more", () => {
    const end = new Date(NOW + 30 * DAY);
    const second = nextWarning(end, NOW + 1)!;
    const third = nextWarning(end, second.getTime())!;
    expect([days(second), days(third), nextWarning(end, third.getTime())]).toEqual([23, 29, null]);
  });
});

describe("log-ins that end", () => {
  let hub: TestApp;
  let server: OAuthServer;
  let aheadMs = 0;
  beforeAll(async () => {
    server = await startOAuthServer({ redirectUri: CALLBACK });
    hub = await startTestApp({
      env: {
        PUBLIC_URL,
        EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
        EGRESS_ALLOW_HTTP: "true",
        ALERT_WEBHOOK_URL: "http://127.0.0.1:9/alerts",
      },
      clock: { nowMs: () => Date.now() + aheadMs },
    });
  });
  afterEach(() => {
    aheadMs = 0;
  });
  afterAll(async () => {
    await hub.stop();
    await server.stop();
  });

  const alertsOf = async (tenant: TestTenant): Promise<string[]> =>
    (
      await hub.runtime.sqlSystem<{ title: string }[]>`
        select title from operator_alerts where tenant_id = ${tenant.id} order by created_at`
    ).map(({ title }) => title);

  test("warnOfEndingLogins() tells operators and subscribers three times, however often tokens are replaced", async () => {
    const manifest = oauthManifest(server, { refresh: { absoluteLifeSeconds: 365 * 86_400 } });
    const { tenant, id } = await connected(hub, server, manifest);
    const shown = await hub.call("GET", `/api/v1/integrations/${id}`, { key: tenant.apiKey });
    const endsAt = new Date(shown.json["oauthLoginEndsAt"] as string);
    expect(Math.round((endsAt.getTime() - Date.now()) / DAY)).toBe(365);
    const run = async (day: number): Promise<void> => {
      aheadMs = day * DAY;
      await Promise.all([warnOfEndingLogins(hub.runtime), warnOfEndingLogins(hub.runtime)]);
      await refreshIntegration(tenant.ctx, { id });
      await warnOfEndingLogins(hub.runtime);
    };
    await run(300);
    expect(await alertsOf(tenant)).toEqual([]);
    for (const day of [336, 340, 359, 364.5, 364.9]) await run(day);
    expect(await alertsOf(tenant)).toEqual(
      ["29 days", "6 days", "12 hours"].map(
        (left) => `Log-in ends in ${left}: Acme (ACME, PRODUCTION); somebody has to log in again`,
      ),
    );
    const types = (await eventTypes(hub, tenant)).filter((type) => type === "integration.login_ending");
    expect(types).toHaveLength(3);
    const health = await hub.call("GET", `/api/v1/integrations/${id}/health`, { key: tenant.apiKey });
    expect(health.json["token"]).toMatchObject({ loginEndsAt: endsAt.toISOString() });
  });

  test("warnOfEndingLogins() says nothing of an idle life that refreshes put off, and tells of one that nobody refreshes", async () => {
    const manifest = oauthManifest(server, { refresh: { idleLifeSeconds: 60 * 86_400 } });
    const { tenant, id } = await connected(hub, server, manifest);
    for (const day of [20, 40, 60, 80]) {
      aheadMs = day * DAY;
      await refreshIntegration(tenant.ctx, { id });
      await warnOfEndingLogins(hub.runtime);
    }
    expect(await alertsOf(tenant)).toEqual([]);
    aheadMs = (80 + 50) * DAY;
    await warnOfEndingLogins(hub.runtime);
    expect(await alertsOf(tenant)).toEqual([expect.stringContaining("10 days")]);
  });

  test("learnTokenEnd() asks when a token ends whose answer does not say so, and goes on without an answer", async () => {
    const introspect = {
      request: {
        method: "POST",
        server: "introspect",
        path: "",
        body: { type: "form", fields: { token: "{token}" } },
      },
      clientAuth: "basic",
      token: "access",
    };
    const silent = (more: object) =>
      oauthManifest(server, {
        refresh: { defaultLifeSeconds: 60 },
        auth: {
          introspect,
          token: {
            server: "token",
            clientAuth: "basic",
            answer: { accessToken: "/access_token", refreshToken: "/refresh_token" },
          },
          ...more,
        },
      });
    const secondsLeft = async (tenant: TestTenant, id: string): Promise<number> => {
      const shown = await hub.call("GET", `/api/v1/integrations/${id}`, { key: tenant.apiKey });
      const left = new Date(shown.json["oauthExpiresAt"] as string).getTime() - Date.now();
      return Math.round(left / 60_000) * 60;
    };
    const told = await connected(hub, server, silent({}));
    expect(await secondsLeft(told.tenant, told.id)).toBe(3_600);
    await refreshIntegration(told.tenant.ctx, { id: told.id });
    expect(await secondsLeft(told.tenant, told.id)).toBe(3_600);
    const wrong = { ...introspect, request: { ...introspect.request, path: "/nowhere" } };
    const untold = await connected(hub, server, silent({ introspect: wrong }));
    expect(await secondsLeft(untold.tenant, untold.id)).toBe(60);
  });
});
