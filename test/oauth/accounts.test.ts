import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { InputField, ProviderManifest } from "../../src/domain/providers/manifest-schema.ts";
import type { TestApp } from "../edge/app-fixture.ts";
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
import { oauthManifest, type OAuthServer, startOAuthServer } from "./oauth-server.ts";

let hub: TestApp;
let server: OAuthServer;
let aheadMs = 0;
const NORTH = { id: "acc-north", name: "North & Sons" };
const SOUTH = { id: "acc-south", name: "South" };

beforeAll(async () => {
  server = await startOAuthServer({ redirectUri: CALLBACK });
  hub = await startLoginHub({ nowMs: () => Date.now() + aheadMs });
});
afterEach(() => {
  server.accounts = [];
  server.tokenCalls.length = 0;
  aheadMs = 0;
});
afterAll(async () => {
  await hub.stop();
  await server.stop();
});

const ACCOUNT: InputField = {
  name: "accountId",
  label: "Account",
  kind: "connection",
  type: "string",
  required: false,
  pattern: "acc-[a-z]+",
  visibleWhen: { field: "clientId", equals: ["hub-of-the-test"] },
  options: { request: { method: "GET", path: "/accounts" }, items: "", value: "/id", label: "/name" },
};

/** A provider whose log-ins may reach several accounts; each call names one. */
function manifest(): ProviderManifest {
  const base = oauthManifest(server, { headers: { "X-Account": "[[{accountId}]]" } });
  return { ...base, fields: [...base.fields, ACCOUNT] };
}

const shown = async (made: Awaited<ReturnType<typeof newIntegration>>) =>
  (await hub.call("GET", `/api/v1/integrations/${made.id}`, { key: made.tenant.apiKey })).json;

describe("a log-in that reaches several accounts", () => {
  test("chooseAccount() connects the one that the person chose, in the same browser", async () => {
    server.accounts = [NORTH, SOUTH];
    const made = await newIntegration(hub, manifest());
    const browser = newBrowser(hub);
    const page = await logIn(browser, await authorizeUrl(hub, made));
    expect([page.status, page.html]).toEqual([200, expect.stringContaining("<h1>Account: which one?</h1>")]);
    expect(page.html).toContain("North &amp; Sons</button>");
    expect(page.headers.get("content-security-policy")).toContain("form-action 'self'");
    expect(await shown(made)).toMatchObject({
      status: "PENDING_AUTH",
      lastError: expect.stringContaining("account_choice_needed"),
    });
    const done = await browser.submit(page, { account: SOUTH.id });
    expect([done.status, done.html]).toEqual([200, expect.stringContaining("<h1>Connected</h1>")]);
    expect(done.headers.get("content-security-policy")).toContain("form-action 'none'");
    expect(browser.cookies(PUBLIC_URL)).toEqual([]);
    const after = await shown(made);
    expect(after).toMatchObject({ status: "ACTIVE", config: { accountId: SOUTH.id } });
    expect(JSON.stringify(after["lastTest"])).toContain(`"asked\\":\\"${SOUTH.id}`);
    expect(await eventTypes(hub, made.tenant)).toEqual(["integration.created", "integration.connected"]);
    const audit = await hub.runtime.sqlSystem<{ fields: string[] }[]>`
      select changed_fields as fields from audit_log where object_id = ${made.id} and verb = 'integration.connect'
      order by id`;
    expect(audit.at(-1)!.fields).toEqual(["status", "config.accountId"]);
  });

  test("chooseAccount() refuses what was not offered, another browser, a second time, and after ten minutes", async () => {
    server.accounts = [NORTH, SOUTH];
    const made = await newIntegration(hub, manifest());
    const browser = newBrowser(hub);
    const page = await logIn(browser, await authorizeUrl(hub, made));
    expect((await browser.submit(page, { account: "acc-foreign" })).status).toBe(400);
    expect((await newBrowser(hub).submit(page, { account: NORTH.id })).status).toBe(403);
    const cookie = browser.cookies(PUBLIC_URL).join("; ");
    const post = (body: string) =>
      hub.call("POST", "/oauth/account", {
        body,
        headers: { cookie, "content-type": "application/x-www-form-urlencoded" },
      });
    expect((await post("session=nothing&account=x")).status).toBe(400);
    expect((await post("x".repeat(20_000))).status).toBe(400);
    expect((await shown(made))["status"]).toBe("PENDING_AUTH");
    aheadMs = 11 * 60_000;
    expect((await browser.submit(page, { account: NORTH.id })).status).toBe(410);
    aheadMs = 0;
    const session = /name="session" value="([^"]+)"/.exec(page.html)![1]!;
    const form = new URLSearchParams({ session, account: NORTH.id }).toString();
    const answers = await Promise.all([post(form), post(form), post(form)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 410, 410]);
    expect(await shown(made)).toMatchObject({ status: "ACTIVE", config: { accountId: NORTH.id } });
  });

  test("an operator may choose in place of the person, from the list of the API", async () => {
    server.accounts = [NORTH, SOUTH];
    const made = await newIntegration(hub, manifest());
    const { apiKey } = made.tenant;
    const at = (path: string) => `/api/v1/integrations/${made.id}${path}`;
    await logIn(newBrowser(hub), await authorizeUrl(hub, made));
    const options = await hub.call("GET", at("/options/accountId"), { key: apiKey });
    expect([options.status, options.json]).toEqual([
      200,
      { data: [NORTH, SOUTH].map(({ id, name }) => ({ value: id, label: name })) },
    ]);
    expect((await hub.call("GET", at("/options/clientId"), { key: apiKey })).status).toBe(404);
    const changed = await hub.call("PUT", at(""), { key: apiKey, body: { config: { accountId: NORTH.id } } });
    expect(changed.status).toBe(200);
    expect((await hub.call("POST", at("/test"), { key: apiKey })).json).toMatchObject({ passed: true });
    expect(await shown(made)).toMatchObject({ status: "ACTIVE", config: { accountId: NORTH.id } });
  });

  test("one account is taken without a question, none is told, and a chosen one stays at the next log-in", async () => {
    server.accounts = [SOUTH];
    const one = await newIntegration(hub, manifest());
    expect((await logIn(newBrowser(hub), await authorizeUrl(hub, one))).html).toContain("<h1>Connected</h1>");
    expect(await shown(one)).toMatchObject({ status: "ACTIVE", config: { accountId: SOUTH.id } });
    server.accounts = [NORTH, SOUTH];
    expect((await logIn(newBrowser(hub), await authorizeUrl(hub, one))).html).toContain("<h1>Connected</h1>");
    expect(await shown(one)).toMatchObject({ status: "ACTIVE", config: { accountId: SOUTH.id } });
    server.accounts = [];
    const none = await newIntegration(hub, manifest());
    const page = await logIn(newBrowser(hub), await authorizeUrl(hub, none));
    expect([page.status, page.html]).toEqual([502, expect.stringContaining("reaches no account")]);
  });

  test("a value that does not fit its field connects nothing", async () => {
    server.accounts = [{ id: "../evil", name: "Evil" }];
    const made = await newIntegration(hub, manifest());
    const page = await logIn(newBrowser(hub), await authorizeUrl(hub, made));
    expect([page.status, page.html]).toEqual([502, expect.stringContaining("must match")]);
    expect((await shown(made))["status"]).toBe("PENDING_AUTH");
  });
});
