import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { openCredentials, loadIntegration } from "../../src/domain/integrations/load-integration.ts";
import type { TestApp } from "../edge/app-fixture.ts";
import { keyManifest } from "../integrations/test-provider.ts";
import {
  authorizeUrl,
  CALLBACK,
  eventTypes,
  logIn,
  newBrowser,
  newIntegration,
  PUBLIC_URL,
  startLoginHub,
} from "./login-fixture.ts";
import { CLIENT_SECRET, oauthManifest, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

let nowMs = 0;
let hub: TestApp;
let server: OAuthServer;

beforeAll(async () => {
  server = await startOAuthServer({ redirectUri: CALLBACK });
  hub = await startLoginHub({ nowMs: () => Date.now() + nowMs });
});
afterEach(() => {
  nowMs = 0;
  server.redirectExtras = {};
  server.tokenCalls.length = 0;
  server.beforeAnswer = undefined;
  server.instead = undefined;
});
afterAll(async () => {
  await hub.stop();
  await server.stop();
});

const statusOf = async (made: { tenant: { apiKey: string }; id: string }) =>
  (await hub.call("GET", `/api/v1/integrations/${made.id}`, { key: made.tenant.apiKey })).json;

describe("the log-in with a provider", () => {
  test("a person logs in with PKCE, and the integration is ACTIVE with what the redirect and the account told", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    expect(made.status).toBe("PENDING_AUTH");
    server.redirectExtras = { realmId: "9341452699999999" };
    const browser = newBrowser(hub);
    const url = await authorizeUrl(hub, made, {
      scopes: ["openid", "offline_access", "orders"],
      config: { loginHint: "ann" },
    });
    expect(url).toStartWith(`${PUBLIC_URL}/oauth/start/`);
    const page = await logIn(browser, url);
    expect([page.status, page.html]).toEqual([200, expect.stringContaining("<h1>Connected</h1>")]);
    expect(page.html).toContain("Acme &lt;Freight&gt;");
    const asked = new URL(browser.visited.find((at) => at.startsWith(`${server.url}/auth?`))!).searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: "code",
      redirect_uri: CALLBACK,
      scope: "openid offline_access orders",
      code_challenge_method: "S256",
      login_hint: "ann",
      prompt: "consent",
    });
    expect(asked.get("code_challenge")).toMatch(/^[\w-]{43}$/);
    const shown = await statusOf(made);
    expect(shown).toMatchObject({
      status: "ACTIVE",
      derived: { realmId: "9341452699999999", accountRealm: "r-1" },
      lastTest: { passed: true, accountName: "Acme <Freight>" },
    });
    expect(await eventTypes(hub, made.tenant)).toEqual(["integration.created", "integration.connected"]);
    const credentials = await openCredentials(
      made.tenant.ctx,
      await loadIntegration(made.tenant.ctx, made.id),
    );
    const api = await fetch(`${server.url}/api/me`, {
      headers: { authorization: `Bearer ${credentials["accessToken"]}` },
    });
    expect(api.status).toBe(200);
    const [row] = await hub.runtime.sqlSystem<{ text: string }[]>`
      select (select string_agg(s::text, ' ') from oauth_sessions s where tenant_id = ${made.tenant.id})
        || (select i::text from integrations i where id = ${made.id})
        || (select string_agg(a::text, ' ') from audit_log a where tenant_id = ${made.tenant.id})
        || (select string_agg(l::text, ' ') from api_request_logs l where tenant_id = ${made.tenant.id}) as text`;
    const code = new URL(page.url).searchParams.get("code")!;
    const state = new URL(page.url).searchParams.get("state")!;
    for (const secret of [...Object.values(credentials), code, state, url.split("/").at(-1)!, CLIENT_SECRET])
      expect(row!.text).not.toContain(secret);
    expect(JSON.stringify(shown)).not.toContain(credentials["accessToken"]!);
  });

  test("pages carry no secret, load nothing, are not framed, cached or referred", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const browser = newBrowser(hub);
    const page = await logIn(browser, await authorizeUrl(hub, made));
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(page.html).not.toContain("<script");
    for (const secret of ["code", "state"])
      expect(page.html).not.toContain(new URL(page.url).searchParams.get(secret)!);
    // The cookie of the log-in is taken away with it.
    expect(browser.cookies(PUBLIC_URL)).toEqual([]);
  });

  test("a state that was used already is refused, also in the same browser", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const browser = newBrowser(hub);
    const before = await logIn(browser, await authorizeUrl(hub, made), CALLBACK);
    const cookie = browser.cookies(PUBLIC_URL).join("; ");
    expect((await browser.open(before.url)).html).toContain("<h1>Connected</h1>");
    const again = await hub.call("GET", before.url.slice(PUBLIC_URL.length), { headers: { cookie } });
    expect([again.status, again.text]).toEqual([410, expect.stringContaining("used already")]);
    expect(server.tokenCalls).toHaveLength(1);
  });

  test("of two callbacks with one state at once, one connects", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const browser = newBrowser(hub);
    const before = await logIn(browser, await authorizeUrl(hub, made), CALLBACK);
    const cookie = browser.cookies(PUBLIC_URL).join("; ");
    const path = before.url.slice(PUBLIC_URL.length);
    const answers = await Promise.all([1, 2, 3].map(() => hub.call("GET", path, { headers: { cookie } })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 410, 410]);
    expect(server.tokenCalls).toHaveLength(1);
  });

  test("another browser cannot finish, and the right one still can", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const browser = newBrowser(hub);
    const before = await logIn(browser, await authorizeUrl(hub, made), CALLBACK);
    const stranger = await newBrowser(hub).open(before.url);
    expect([stranger.status, stranger.html]).toEqual([403, expect.stringContaining("another browser")]);
    expect(server.tokenCalls).toEqual([]);
    expect((await browser.open(before.url)).status).toBe(200);
  });

  test("the cookie of another tenant's log-in does not serve for this one", async () => {
    const [mine, theirs] = [
      await newIntegration(hub, oauthManifest(server)),
      await newIntegration(hub, oauthManifest(server)),
    ];
    const attacker = newBrowser(hub);
    const victim = newBrowser(hub);
    const before = await logIn(attacker, await authorizeUrl(hub, theirs), CALLBACK);
    await victim.open(await authorizeUrl(hub, mine), `${server.url}/`);
    const page = await victim.open(before.url);
    expect(page.status).toBe(403);
    expect((await statusOf(mine))["status"]).toBe("PENDING_AUTH");
    expect((await statusOf(theirs))["status"]).toBe("PENDING_AUTH");
    // Renaming the own cookie to the other log-in's name does not help: its value is another one.
    const [own] = victim.cookies(PUBLIC_URL);
    const [name] = attacker.cookies(PUBLIC_URL)[0]!.split("=");
    const forged = await hub.call("GET", before.url.slice(PUBLIC_URL.length), {
      headers: { cookie: `${name}=${own!.split("=")[1]}` },
    });
    expect(forged.status).toBe(403);
    expect(server.tokenCalls).toEqual([]);
  });

  test.each<[string, (url: URL) => void]>([
    ["forged", (url) => url.searchParams.set("state", "A".repeat(43))],
    ["missing", (url) => url.searchParams.delete("state")],
    ["doubled", (url) => url.searchParams.append("state", url.searchParams.get("state")!)],
    ["cut", (url) => url.searchParams.set("state", url.searchParams.get("state")!.slice(0, 42))],
  ])("a %s state is refused", async (_name, change) => {
    const made = await newIntegration(hub, oauthManifest(server));
    const browser = newBrowser(hub);
    const url = new URL((await logIn(browser, await authorizeUrl(hub, made), CALLBACK)).url);
    change(url);
    const page = await browser.open(url.href);
    expect([page.status, page.html]).toEqual([400, expect.stringContaining("not known")]);
    expect(server.tokenCalls).toEqual([]);
  });

  test.each<[string, (url: URL) => void, RegExp]>([
    ["another issuer", (url) => url.searchParams.set("iss", "https://evil.example"), /another provider/],
    ["a doubled code", (url) => url.searchParams.append("code", "x"), /malformed/],
    ["no code", (url) => url.searchParams.delete("code"), /without a code/],
    ["a wrong code", (url) => url.searchParams.set("code", "x"), /invalid_grant/],
    ["a realm that does not fit", (url) => url.searchParams.set("realmId", "1/../2"), /realmId.*must match/],
  ])(
    "a callback with %s connects nothing and says why, to person and operator",
    async (_name, change, why) => {
      const made = await newIntegration(hub, oauthManifest(server));
      const browser = newBrowser(hub);
      const url = new URL((await logIn(browser, await authorizeUrl(hub, made), CALLBACK)).url);
      change(url);
      const page = await browser.open(url.href);
      expect(page.status).toBe(502);
      expect(page.html.replaceAll("&quot;", '"')).toMatch(why);
      const shown = await statusOf(made);
      expect([shown["status"], shown["lastError"]]).toEqual(["PENDING_AUTH", expect.stringMatching(why)]);
    },
  );

  test("a person who says no is told that nothing was connected", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const browser = newBrowser(hub);
    const login = await browser.open(await authorizeUrl(hub, made));
    const abort = /href="([^"]*\/abort)"/.exec(login.html)![1]!;
    const page = await browser.open(new URL(abort, login.url).href);
    expect([page.status, page.html]).toEqual([403, expect.stringContaining("not granted")]);
    expect(await statusOf(made)).toMatchObject({
      status: "PENDING_AUTH",
      lastError: expect.stringContaining("login_denied"),
    });
  });

  test("a ticket works in one browser, for ten minutes", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const url = await authorizeUrl(hub, made);
    const path = url.slice(PUBLIC_URL.length);
    // A mail program that looks at the link does not use it up.
    const preview = await hub.call("HEAD", path);
    expect([preview.status, preview.headers.get("set-cookie")]).toEqual([200, null]);
    const ahead = await hub.call("GET", path, { headers: { "sec-purpose": "prefetch" } });
    expect([ahead.status, ahead.headers.get("location")]).toEqual([200, null]);
    const browser = newBrowser(hub);
    expect((await browser.open(url)).url).toStartWith(`${server.url}/interaction/`);
    expect((await newBrowser(hub).open(url)).html).toContain("used already");
    // The same browser may come back; its first state is void then.
    expect((await browser.open(url)).url).toStartWith(`${server.url}/`);
    nowMs = 10 * 60_000 + 1_000;
    const late = await browser.open(url);
    expect([late.status, late.html]).toEqual([410, expect.stringContaining("expired")]);
    expect((await newBrowser(hub).open(`${PUBLIC_URL}/oauth/start/${"x".repeat(43)}`)).status).toBe(400);
  });

  test("a callback after ten minutes is refused", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const browser = newBrowser(hub);
    const before = await logIn(browser, await authorizeUrl(hub, made), CALLBACK);
    nowMs = 10 * 60_000 + 1_000;
    const page = await browser.open(before.url);
    expect([page.status, page.html]).toEqual([410, expect.stringContaining("expired")]);
    expect(server.tokenCalls).toEqual([]);
  });

  test("a log-in page that asks for headers is opened by the hub and its redirect passed on", async () => {
    const manifest = oauthManifest(server, {
      auth: {
        authorize: {
          server: "authorize",
          pkce: "S256",
          headers: { "X-Version": "1.3" },
          params: { prompt: "consent" },
        },
      },
    });
    const made = await newIntegration(hub, manifest);
    const opened = await newBrowser(hub).open(await authorizeUrl(hub, made), `${server.url}/`);
    expect(opened.url).toStartWith(`${server.url}/interaction/`);
  });

  test("authorizeIntegration() refuses scopes and fields that the provider does not know, and providers without a log-in", async () => {
    const made = await newIntegration(hub, oauthManifest(server));
    const ask = (id: string, body: unknown) =>
      hub.call("POST", `/api/v1/integrations/${id}/authorize`, { key: made.tenant.apiKey, body });
    const refused = await ask(made.id, { scopes: ["admin"], config: { clientId: "x" } });
    expect(refused.status).toBe(422);
    expect((refused.json["errors"] as { path: string }[]).map(({ path }) => path)).toEqual([
      "/scopes/0",
      "/config/clientId",
    ]);
    const other = await newIntegration(hub, oauthManifest(server));
    expect((await ask(other.id, {})).status).toBe(404);
    const machine = await newIntegration(hub, keyManifest(`${server.url}/api`), {
      config: { apiKey: "a-key-of-some-length" },
    });
    const answer = await hub.call("POST", `/api/v1/integrations/${machine.id}/authorize`, {
      key: machine.tenant.apiKey,
    });
    expect([answer.status, answer.json["code"]]).toEqual([409, "not_oauth"]);
    const refresh = await hub.call("POST", `/api/v1/integrations/${machine.id}/refresh-oauth`, {
      key: machine.tenant.apiKey,
    });
    expect([refresh.status, refresh.json["code"]]).toEqual([409, "not_oauth"]);
  });
});
