import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { verifyIdleIntegrations } from "../../src/domain/gateway/verify-idle-integrations.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { OutcomeRecorder } from "../../src/domain/integrations/record-outcome.ts";
import { loadIntegration, openCredentials } from "../../src/domain/integrations/load-integration.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { type Answer, startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import {
  GOOD_KEY,
  insertProvider,
  keyManifest,
  startTestProvider,
  type TestProvider,
} from "./test-provider.ts";

const PATH = "/api/v1/integrations";

let nowMs = Date.now();
let hub: TestApp;
let provider: TestProvider;

beforeAll(async () => {
  hub = await startTestApp({
    env: { EGRESS_ALLOW_CIDRS: "127.0.0.0/8", EGRESS_ALLOW_HTTP: "true", API_RATE_LIMIT: "100000/60" },
    clock: { nowMs: () => nowMs },
  });
  provider = startTestProvider();
});
afterEach(() => {
  provider.answer = undefined;
  provider.seen.length = 0;
});
afterAll(async () => {
  await hub.stop();
  await provider.stop();
});

/** A tenant with the test's provider, subscribed to all events. */
async function newTenant(more: Parameters<typeof keyManifest>[1] = {}): Promise<TestTenant> {
  const tenant = await hub.newTenant();
  await insertProvider(hub.runtime.sqlSystem, tenant.id, keyManifest(provider.url, more));
  await createSubscription(tenant.ctx, { name: "all", url: "http://127.0.0.1:9/x", eventTypes: ["*"] });
  return tenant;
}

const create = (tenant: TestTenant, more: Record<string, unknown> = {}, query = ""): Promise<Answer> =>
  hub.call("POST", `${PATH}${query}`, {
    key: tenant.apiKey,
    body: { providerCode: "ACME", name: "Acme", config: { apiKey: GOOD_KEY }, ...more },
  });
const call = (tenant: TestTenant, method: string, path: string, body?: unknown): Promise<Answer> =>
  hub.call(method, path, { key: tenant.apiKey, ...(body === undefined ? {} : { body }) });

async function made(tenant: TestTenant, more: Record<string, unknown> = {}): Promise<string> {
  const answer = await create(tenant, more);
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.json["id"] as string;
}

async function eventsOf(tenant: TestTenant): Promise<{ type: string; payload: Record<string, unknown> }[]> {
  const rows = await hub.runtime.sqlSystem<{ type: string; payload: Record<string, unknown> }[]>`
    select event_type as type, payload from outbox where tenant_id = ${tenant.id} order by id`;
  return [...rows];
}
const typesOf = async (tenant: TestTenant): Promise<string[]> =>
  (await eventsOf(tenant)).map(({ type }) => type);
const errorsOf = (answer: Answer) => answer.json["errors"] as { path: string; message: string }[];

/** A provider that gives a machine its token, and tells its realm with it. */
const machineManifest = (): Parameters<typeof keyManifest>[1] => ({
  fields: [
    { name: "clientId", label: "Id", kind: "operator", type: "string", required: true },
    { name: "clientSecret", label: "Secret", kind: "secret", type: "string", required: true },
    { name: "plan", label: "Plan", kind: "connection", type: "string", required: false, default: "free" },
    {
      name: "realm",
      label: "R",
      kind: "derived",
      type: "string",
      required: false,
      from: { token: "/realm" },
    },
  ],
  servers: [
    {
      environment: "PRODUCTION",
      baseUrl: provider.url,
      urls: { token: `${provider.url}/token` },
      allowedHosts: ["127.0.0.1"],
    },
  ],
  auth: {
    type: "OAUTH2_CLIENT_CREDENTIALS",
    scopes: { default: [] },
    token: {
      server: "token",
      clientAuth: "body",
      answer: {
        accessToken: "/access_token",
        expires: { pointer: "/expires_in", format: "delta_s" },
        capture: { realm: "/realm" },
      },
    },
    refresh: { rotation: "none", defaultLifeSeconds: 3600, finalErrors: [] },
    place: [{ in: "header", name: "Authorization", value: "Bearer {accessToken}" }],
  },
  verify: { request: { method: "GET", path: "/v1/me" }, expect: { status: [200] } },
});

describe("POST /integrations", () => {
  test("createIntegration() tests the connection and is ACTIVE, with nothing of a secret in the answer", async () => {
    const tenant = await newTenant();
    const answer = await create(tenant, { config: { apiKey: GOOD_KEY, accountCode: "AB1234" } });
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({
      providerCode: "ACME",
      environment: "PRODUCTION",
      authType: "API_KEY",
      status: "ACTIVE",
      isEnabled: true,
      config: { accountCode: "AB1234" },
      secrets: { apiKey: { last4: "1234" } },
      timeoutSeconds: 45,
      maxRetries: 3,
      lastError: null,
    });
    expect(answer.json["lastTest"]).toMatchObject({
      passed: true,
      code: "ok",
      accountName: "Acme Freight",
      fields: [],
    });
    expect(provider.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(["GET /v1/me"]);
    expect(provider.seen[0]!.headers.get("x-plan")).toBe("free");
    expect(answer.text).not.toContain(GOOD_KEY);
    const [row] = await hub.runtime.sqlSystem`
      select config::text || api_key_encrypted || coalesce(last_test::text, '') as text, api_key_encrypted is not null as sealed
      from integrations where id = ${answer.json["id"] as string}`;
    expect(row!["sealed"]).toBe(true);
    expect(row!["text"]).not.toContain(GOOD_KEY);
    expect(await typesOf(tenant)).toEqual(["integration.created", "integration.connected"]);
    expect(JSON.stringify(await eventsOf(tenant))).not.toContain(GOOD_KEY);
    const got = await call(tenant, "GET", `${PATH}/${answer.json["id"] as string}`);
    expect(got.json).toEqual(answer.json);
  });

  test("createIntegration() stores a failed connection as ERROR, disabled, and names the field to blame", async () => {
    const tenant = await newTenant();
    const wrong = "wrong-key-of-some-length-9876";
    const answer = await create(tenant, { config: { apiKey: wrong } });
    expect([answer.status, answer.json["status"], answer.json["isEnabled"]]).toEqual([201, "ERROR", false]);
    const result = answer.json["lastTest"] as Record<string, unknown>;
    expect(result).toMatchObject({
      passed: false,
      kind: "auth",
      code: "unauthorized",
      fields: ["/config/apiKey"],
    });
    const [step] = result["steps"] as {
      request: { url: string };
      response: { status: number; body: string };
    }[];
    expect(step!.request.url).toBe(`${provider.url}/v1/me`);
    expect(step!.response.status).toBe(401);
    expect(answer.text).not.toContain(wrong);
    expect(await typesOf(tenant)).toEqual(["integration.created"]);
  });

  test("createIntegration() with ?test=false asks nobody and is PAUSED until it is enabled", async () => {
    const tenant = await newTenant();
    const answer = await create(tenant, {}, "?test=false");
    expect([answer.status, answer.json["status"], answer.json["lastTest"]]).toEqual([201, "PAUSED", null]);
    expect(provider.seen).toEqual([]);
    const enabled = await call(tenant, "POST", `${PATH}/${answer.json["id"] as string}/enable`);
    expect([enabled.status, enabled.json["status"]]).toEqual([200, "ACTIVE"]);
  });

  test("createIntegration() uses a one-time value in the test and does not store it", async () => {
    const tenant = await newTenant();
    const code = "one-time-value-8421";
    const answer = await create(tenant, { config: { apiKey: GOOD_KEY, setupCode: code } });
    expect(provider.seen[0]!.path).toContain(code);
    expect(answer.text).not.toContain(code);
    const [row] = await hub.runtime
      .sqlSystem`select t::text as text from integrations t where tenant_id = ${tenant.id}`;
    expect(row!["text"]).not.toContain(code);
    const logs = await hub.runtime
      .sqlSystem`select t::text as text from api_request_logs t where tenant_id = ${tenant.id}`;
    expect(logs).toHaveLength(1);
    expect(String(logs[0]!["text"])).not.toContain(code);
    expect(String(logs[0]!["text"])).not.toContain(GOOD_KEY);
  });

  test("createIntegration() gets a token from a machine's log-in, keeps it, and learns derived values", async () => {
    const tenant = await newTenant(machineManifest());
    const answer = await create(tenant, { config: { clientId: "me", clientSecret: GOOD_KEY } });
    expect(answer.json).toMatchObject({ status: "ACTIVE", authType: "OAUTH2", derived: { realm: "r-17" } });
    expect(provider.seen.map(({ path }) => path)).toEqual(["/token", "/v1/me"]);
    expect(answer.text).not.toContain(GOOD_KEY);
    expect(answer.json["oauthExpiresAt"]).toBe(new Date(nowMs + 600_000).toISOString());
    const id = answer.json["id"] as string;
    const loaded = await loadIntegration(tenant.ctx, id);
    expect(await openCredentials(tenant.ctx, loaded)).toEqual({
      clientSecret: GOOD_KEY,
      accessToken: `token for ${GOOD_KEY}`,
    });
    const health = await call(tenant, "GET", `${PATH}/${id}/health`);
    expect(health.json["token"]).toEqual({
      expiresAt: answer.json["oauthExpiresAt"],
      loginEndsAt: null,
      secondsLeft: 600,
    });
    // The derived value is read-only; the same value again is no change.
    const changed = await call(tenant, "PUT", `${PATH}/${id}`, { config: { realm: "other" } });
    expect([changed.status, errorsOf(changed)[0]!.path]).toEqual([422, "/config/realm"]);
    expect((await call(tenant, "PUT", `${PATH}/${id}`, { config: { realm: "r-17" } })).status).toBe(200);
  });

  test("createIntegration() reads an answer that begins with a mark, and an id that is longer than a double", async () => {
    const tenant = await newTenant(machineManifest());
    provider.answer = (request) =>
      new Response(
        new URL(request.url).pathname === "/token"
          ? '\ufeff{"access_token":"a token of some length","realm":17841400000000000001}'
          : "{}",
      );
    const answer = await create(tenant, { config: { clientId: "me", clientSecret: GOOD_KEY } });
    expect(answer.json).toMatchObject({ status: "ACTIVE", derived: { realm: "17841400000000000001" } });
  });

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ["a missing field", { config: {} }, "/config/apiKey", /needed/],
    [
      "an unknown field, with a hint",
      { config: { apiKey: GOOD_KEY, api_key: "x" } },
      "/config/api_key",
      /did you mean "apiKey"/,
    ],
    ["an unknown field", { config: { apiKey: GOOD_KEY, zzz: "x" } }, "/config/zzz", /its fields are/],
    [
      "a name of Object's",
      { config: { apiKey: GOOD_KEY, constructor: "x" } },
      "/config/constructor",
      /no field/,
    ],
    ["a value off the list", { config: { apiKey: GOOD_KEY, plan: "gold" } }, "/config/plan", /free, pro/],
    [
      "a value that does not match",
      { config: { apiKey: GOOD_KEY, accountCode: "ab1234" } },
      "/config/accountCode",
      /AB1234/,
    ],
    [
      "a value that matches in part",
      { config: { apiKey: GOOD_KEY, accountCode: "AB12345" } },
      "/config/accountCode",
      /match/,
    ],
    ["a number for a text", { config: { apiKey: 12345678 } }, "/config/apiKey", /text/],
    ["an object for a secret", { config: { apiKey: { a: 1 } } }, "/config/apiKey", /text/],
    ["a short secret", { config: { apiKey: "short" } }, "/config/apiKey", /8 characters/],
    ["a placeholder", { config: { apiKey: "<your API key>" } }, "/config/apiKey", /placeholder/],
    ["an empty secret", { config: { apiKey: "   " } }, "/config/apiKey", /empty/],
    ["a line break", { config: { apiKey: `${GOOD_KEY}\n` } }, "/config/apiKey", /space or line break/],
    ["a derived field", { config: { apiKey: GOOD_KEY, realm: "x" } }, "/config/realm", /read-only/],
    ["an unknown provider", { providerCode: "NOBODY" }, "/providerCode", /names no provider/],
    ["no provider", { providerCode: undefined }, "/providerCode", /needed/],
    [
      "an override of what is verified",
      { overrides: { "/auth/type": "NONE" } },
      "/overrides/~1auth~1type",
      /verified/,
    ],
    [
      "an override of nothing",
      { overrides: { "/quotas/9/limit": 1 } },
      "/overrides/~1quotas~19~1limit",
      /nothing there/,
    ],
    ["an override of a wrong kind", { overrides: { "/quotas/0/limit": "x" } }, "/overrides", /quotas/],
  ])("createIntegration() refuses %s", async (_name, body, path, message) => {
    const tenant = await newTenant();
    const answer = await create(tenant, body);
    expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
    const fault = errorsOf(answer).find((error) => error.path === path);
    expect(fault?.message).toMatch(message);
    expect(answer.text).not.toContain(GOOD_KEY);
    expect(provider.seen).toEqual([]);
  });

  test("createIntegration() tells every fault at once", async () => {
    const tenant = await newTenant();
    const answer = await create(tenant, { config: { plan: "gold", accountCode: "x", nothing: 1 } });
    expect(
      errorsOf(answer)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(["/config/accountCode", "/config/apiKey", "/config/nothing", "/config/plan"]);
  });

  test.each(["../x", "a/%2e%2e/b", "a//b", "a?b", "a#b", "a\\b"])(
    "createIntegration() refuses %s where a path is asked for",
    async (path) => {
      const fields = [{ name: "path", label: "Path", kind: "connection", type: "path", required: false }];
      const tenant = await newTenant({ fields: [...keyManifest(provider.url).fields, ...fields] as never });
      const answer = await create(tenant, { config: { apiKey: GOOD_KEY, path } });
      expect([answer.status, errorsOf(answer).map((error) => error.path)]).toEqual([422, ["/config/path"]]);
      expect((await create(tenant, { config: { apiKey: GOOD_KEY, path: "/a/b" } })).status).toBe(201);
    },
  );

  test("SANDBOX of a provider without a sandbox is refused, and PRODUCTION's host sees nothing", async () => {
    const tenant = await newTenant();
    const answer = await create(tenant, { environment: "SANDBOX" });
    expect([answer.status, answer.json["code"]]).toEqual([422, "no_sandbox"]);
    expect(provider.seen).toEqual([]);
  });

  test("of two creations of one provider and environment at once, one is refused", async () => {
    const tenant = await newTenant();
    const answers = await Promise.all([create(tenant), create(tenant), create(tenant)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect(answers.find(({ status }) => status === 409)!.json["code"]).toBe("conflict");
    expect(await typesOf(tenant)).toEqual(["integration.created", "integration.connected"]);
  });

  test("a repetition under one Idempotency-Key makes one integration and answers the same", async () => {
    const tenant = await newTenant();
    const body = { providerCode: "acme", name: "Acme", config: { apiKey: GOOD_KEY } };
    const send = () =>
      hub.call("POST", PATH, { key: tenant.apiKey, body, headers: { "idempotency-key": "once" } });
    const first = await send();
    const second = await send();
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.json).toEqual(first.json);
    expect(provider.seen).toHaveLength(1);
  });

  test.each<[string, () => Response | Promise<Response>, Record<string, unknown>]>([
    [
      "HTML",
      () => new Response("<html>log in</html>", { headers: { "content-type": "text/html" } }),
      { code: "html_answer", kind: "outage" },
    ],
    ["a 200 without what is expected", () => Response.json({ other: 1 }), { code: "unexpected_answer" }],
    ["429", () => new Response("", { status: 429 }), { code: "rate_limited", kind: "limit" }],
    ["500", () => new Response("", { status: 500 }), { code: "server_error", kind: "outage" }],
    ["a redirect to another host", () => Response.redirect("http://127.0.0.2:1/x"), { code: "redirected" }],
  ])("createIntegration() judges %s", async (_name, answer, expected) => {
    const tenant = await newTenant({ answerType: "json" });
    provider.answer = answer;
    const created = await create(tenant);
    expect([created.status, created.json["status"]]).toEqual([201, "ERROR"]);
    expect(created.json["lastTest"]).toMatchObject({ passed: false, ...expected });
  });
});

describe("PUT /integrations/:id", () => {
  test("updateIntegration() changes what is present, keeps secrets that are left out, and resets with null", async () => {
    const tenant = await newTenant();
    const id = await made(tenant, {
      config: { apiKey: GOOD_KEY, accountCode: "AB1234", signingKey: "abc-def-ghi-jkl-mno" },
      timeoutSeconds: 5,
    });
    const changed = await call(tenant, "PUT", `${PATH}/${id}`, {
      name: "New name",
      timeoutSeconds: null,
      config: { accountCode: null, plan: "pro", signingKey: null },
    });
    expect(changed.status).toBe(200);
    expect(changed.json).toMatchObject({
      name: "New name",
      timeoutSeconds: 45,
      config: { plan: "pro" },
      status: "ACTIVE",
    });
    expect(Object.keys(changed.json["secrets"] as object)).toEqual(["apiKey"]);
    expect((await call(tenant, "POST", `${PATH}/${id}/test`)).json["passed"]).toBe(true);
    const updated = (await eventsOf(tenant)).filter(({ type }) => type === "integration.updated");
    expect(updated).toHaveLength(1);
    expect((updated[0]!.payload["changedFields"] as string[]).sort()).toEqual([
      "config.accountCode",
      "config.plan",
      "config.signingKey",
      "name",
      "timeoutSeconds",
    ]);
    expect(JSON.stringify(updated)).not.toContain("AB1234");
    const same = await call(tenant, "PUT", `${PATH}/${id}`, { name: "New name" });
    expect(same.json["updatedAt"]).toBe(changed.json["updatedAt"]);
  });

  test("updateIntegration() refuses to take away what is needed, and another environment", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    const without = await call(tenant, "PUT", `${PATH}/${id}`, { config: { apiKey: null } });
    expect([without.status, errorsOf(without)[0]!.path]).toEqual([422, "/config/apiKey"]);
    expect((await call(tenant, "PUT", `${PATH}/${id}`, { environment: "SANDBOX" })).status).toBe(422);
  });

  test("isEnabled is the shorthand for disabling, and for enabling with its test", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    const off = await call(tenant, "PUT", `${PATH}/${id}`, { isEnabled: false });
    expect([off.json["status"], off.json["isEnabled"]]).toEqual(["PAUSED", false]);
    provider.answer = () => new Response("", { status: 403 });
    const refused = await call(tenant, "PUT", `${PATH}/${id}`, { isEnabled: true });
    expect([refused.status, refused.json["code"]]).toEqual([409, "connection_test_failed"]);
    expect(errorsOf(refused)[0]!.path).toBe("/config/apiKey");
    provider.answer = undefined;
    const on = await call(tenant, "PUT", `${PATH}/${id}`, { isEnabled: true });
    expect([on.status, on.json["status"]]).toEqual([200, "ACTIVE"]);
  });

  test("an override of an unverified fact counts for this integration alone", async () => {
    const tenant = await newTenant();
    const id = await made(tenant, { overrides: { "/quotas/0/limit": 7 } });
    expect((await loadIntegration(tenant.ctx, id)).manifest.quotas[0]!.limit).toBe(7);
  });
});

describe("enable, disable and test", () => {
  test("disableIntegration() keeps the configuration; enableIntegration() tests first", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    const off = await call(tenant, "POST", `${PATH}/${id}/disable`);
    expect([off.status, off.json["status"]]).toEqual([200, "PAUSED"]);
    expect((await call(tenant, "POST", `${PATH}/${id}/disable`)).json["status"]).toBe("PAUSED");
    // A test of a paused one tells its result and starts nothing.
    expect((await call(tenant, "POST", `${PATH}/${id}/test`)).json["passed"]).toBe(true);
    expect((await call(tenant, "GET", `${PATH}/${id}`)).json["status"]).toBe("PAUSED");
    provider.answer = () => new Response("", { status: 401 });
    const refused = await call(tenant, "POST", `${PATH}/${id}/enable`);
    expect([refused.status, refused.json["code"]]).toEqual([409, "connection_test_failed"]);
    expect((await call(tenant, "GET", `${PATH}/${id}`)).json["status"]).toBe("PAUSED");
    provider.answer = undefined;
    const on = await call(tenant, "POST", `${PATH}/${id}/enable`);
    expect(on.json).toMatchObject({ status: "ACTIVE", secrets: { apiKey: { last4: "1234" } } });
    expect(await typesOf(tenant)).toEqual([
      "integration.created",
      "integration.connected",
      "integration.connected",
    ]);
  });

  test("verifyIntegration() takes a broken connection out of ACTIVE and a mended one back, with one event each", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    provider.answer = () => new Response("", { status: 401 });
    for (let n = 0; n < 2; n++)
      expect((await call(tenant, "POST", `${PATH}/${id}/test`)).json["passed"]).toBe(false);
    const broken = await call(tenant, "GET", `${PATH}/${id}`);
    expect(broken.json).toMatchObject({ status: "ERROR", isEnabled: false, errorCount: 2 });
    provider.answer = undefined;
    await call(tenant, "POST", `${PATH}/${id}/test`);
    expect((await call(tenant, "GET", `${PATH}/${id}`)).json["status"]).toBe("ACTIVE");
    const events = await eventsOf(tenant);
    expect(events.map(({ type }) => type)).toEqual([
      "integration.created",
      "integration.connected",
      "integration.disconnected",
      "integration.connected",
    ]);
    expect(events[2]!.payload).toMatchObject({
      integrationId: id,
      status: "ERROR",
      error: { code: "unauthorized" },
    });
  });

  test("a paused integration holds what its webhook endpoints receive", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    await call(tenant, "POST", "/api/v1/webhooks/endpoints", {
      handlerType: "CUSTOM",
      signatureScheme: "github",
      integrationId: id,
    });
    const paused = async (): Promise<unknown> => {
      const [row] = await hub.runtime.sqlSystem`
        select i.status = 'PAUSED' as paused from webhook_endpoints e join integrations i on i.id = e.integration_id
        where e.tenant_id = ${tenant.id}`;
      return row!["paused"];
    };
    expect(await paused()).toBe(false);
    await call(tenant, "POST", `${PATH}/${id}/disable`);
    expect(await paused()).toBe(true);
    const inUse = await call(tenant, "DELETE", `${PATH}/${id}`);
    expect([inUse.status, inUse.json["code"]]).toEqual([409, "in_use"]);
  });
});

describe("DELETE /integrations/:id", () => {
  test("deleteIntegration() forgets the secrets, and another one can be made", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    expect((await call(tenant, "DELETE", `${PATH}/${id}`)).status).toBe(204);
    for (const method of ["GET", "DELETE"])
      expect((await call(tenant, method, `${PATH}/${id}`)).status).toBe(404);
    const [row] = await hub.runtime.sqlSystem`
      select config, api_key_encrypted, oauth_tokens from integrations where id = ${id}`;
    expect(row).toEqual({ config: {}, api_key_encrypted: null, oauth_tokens: null });
    expect((await typesOf(tenant)).at(-1)).toBe("integration.deleted");
    await made(tenant);
  });
});

describe("another tenant", () => {
  test.each([
    ["GET", ""],
    ["PUT", ""],
    ["DELETE", ""],
    ["POST", "/test"],
    ["POST", "/enable"],
    ["POST", "/disable"],
    ["GET", "/health"],
    ["GET", "/stats"],
  ])("%s :id%s answers 404, like for what does not exist", async (method, path) => {
    const [owner, other] = [await newTenant(), await newTenant()];
    const id = await made(owner);
    provider.seen.length = 0;
    const body = method === "PUT" ? { name: "mine" } : undefined;
    const theirs = await call(other, method, `${PATH}/${id}${path}`, body);
    const none = await call(other, method, `${PATH}/${newId()}${path}`, body);
    expect([theirs.status, none.status]).toEqual([404, 404]);
    expect({ ...theirs.json, requestId: "" }).toEqual({ ...none.json, requestId: "" });
    expect(provider.seen).toEqual([]);
    expect((await call(owner, "GET", `${PATH}/${id}`)).json).toMatchObject({
      name: "Acme",
      status: "ACTIVE",
    });
    await expect(loadIntegration(other.ctx, id)).rejects.toMatchObject({ code: "not_found" });
  });

  test("the lists show the tenant's own only, by status, environment and provider", async () => {
    const [owner, other] = [await newTenant(), await newTenant()];
    const id = await made(owner);
    const ids = (answer: Answer) =>
      (answer.json["data"] as { id?: string; integrationId?: string }[]).map(
        (row) => row.id ?? row.integrationId,
      );
    for (const path of [
      PATH,
      `${PATH}?status=ACTIVE&environment=PRODUCTION&providerCode=acme`,
      "/api/v1/health/integrations",
    ]) {
      expect(ids(await call(owner, "GET", path))).toEqual([id]);
      expect(ids(await call(other, "GET", path))).toEqual([]);
    }
    expect(ids(await call(owner, "GET", `${PATH}?status=PAUSED`))).toEqual([]);
  });
});

describe("health and statistics", () => {
  async function insertCalls(
    tenant: TestTenant,
    id: string,
    calls: [agoMs: number, status: string, ms: number][],
  ): Promise<void> {
    for (const [agoMs, status, ms] of calls) {
      const logId = newId(nowMs - agoMs);
      await hub.runtime.sqlSystem`
        insert into api_request_logs (id, tenant_id, integration_id, direction, method, url, status, response_time_ms, body_size, created_at)
        values (${logId}, ${tenant.id}, ${id}, 'OUTBOUND', 'GET', 'https://x', ${status}, ${ms}, 10, ${new Date(timeOfId(logId))})`;
    }
  }

  test("getIntegrationHealth() shows breaker, quotas and the calls of three windows", async () => {
    const tenant = await newTenant();
    const id = (await create(tenant, {}, "?test=false")).json["id"] as string;
    await call(tenant, "POST", `${PATH}/${id}/enable`);
    await hub.runtime.sqlSystem`delete from api_request_logs where integration_id = ${id}`;
    await insertCalls(tenant, id, [
      [1_000, "SUCCESS", 10],
      [2_000, "SUCCESS", 30],
      [3_000, "SERVER_ERROR", 50],
      [4_000, "SUCCESS", 20],
      [5_000, "TIMEOUT", 90],
      [10 * 60_000, "CLIENT_ERROR", 5],
      [3 * 3_600_000, "SUCCESS", 7],
    ]);
    await hub.runtime.sqlSystem`
      insert into circuit_breaker_state (tenant_id, integration_id, state, failure_count, opened_at)
      values (${tenant.id}, ${id}, 'OPEN', 5, ${new Date(nowMs)})`;
    await hub.runtime.sqlSystem`
      insert into rate_limit_buckets (tenant_id, integration_id, bucket_key, window_start, window_end, request_count, max_requests)
      values (${tenant.id}, ${id}, 'minute', ${new Date(nowMs - 1000)}, ${new Date(nowMs + 59_000)}, 40, 100)`;
    const health = (await call(tenant, "GET", `${PATH}/${id}/health`)).json;
    expect(health).toMatchObject({
      status: "ACTIVE",
      health: "failing",
      circuit: { state: "OPEN", failureCount: 5, nextProbeAt: new Date(nowMs + 60_000).toISOString() },
      quotas: [{ name: "minute", limit: 100, used: 40, remaining: 60 }],
      token: null,
      windows: {
        last5Minutes: { calls: 5, successes: 3, successRate: 0.6, averageMs: 40, p50Ms: 30, isSample: false },
        lastHour: { calls: 6, successes: 3 },
        last24Hours: { calls: 7, successes: 4 },
      },
    });
    await hub.runtime
      .sqlSystem`update circuit_breaker_state set state = 'CLOSED' where integration_id = ${id}`;
    expect((await call(tenant, "GET", `${PATH}/${id}/health`)).json["health"]).toBe("degraded");
    const all = (await call(tenant, "GET", "/api/v1/health/integrations")).json["data"] as Record<
      string,
      unknown
    >[];
    expect(all[0]).toMatchObject({
      integrationId: id,
      health: "degraded",
      last5Minutes: { calls: 5, successes: 3 },
    });
  });

  test("getIntegrationStats() counts by hour, empty hours too", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    await hub.runtime.sqlSystem`delete from api_request_logs where integration_id = ${id}`;
    const hour = Math.floor(nowMs / 3_600_000) * 3_600_000;
    await insertCalls(tenant, id, [
      [nowMs - hour + 1, "SUCCESS", 10],
      [nowMs - hour + 2, "TIMEOUT", 30],
      [nowMs - hour + 2 * 3_600_000, "CLIENT_ERROR", 5],
    ]);
    const stats = (await call(tenant, "GET", `${PATH}/${id}/stats`)).json;
    const hours = stats["hours"] as Record<string, unknown>[];
    expect(hours).toHaveLength(24);
    expect(stats["totals"]).toMatchObject({
      calls: 3,
      successes: 1,
      timeouts: 1,
      clientErrors: 1,
      bytesSent: 30,
    });
    expect(hours.filter(({ calls }) => calls !== 0).map(({ hour: at, calls }) => [at, calls])).toEqual([
      [new Date(hour - 2 * 3_600_000).toISOString(), 1],
      [new Date(hour - 3_600_000).toISOString(), 2],
    ]);
    const wrong = await call(
      tenant,
      "GET",
      `${PATH}/${id}/stats?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z`,
    );
    expect([wrong.status, errorsOf(wrong)[0]!.path]).toEqual([422, "from"]);
  });

  test("OutcomeRecorder writes last success and error at once, and a success ends ERROR with one event", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    const recorder = new OutcomeRecorder(hub.runtime);
    recorder.record({ integrationId: id, atMs: nowMs + 1, error: { code: "server_error", message: "500" } });
    recorder.record({ integrationId: id, atMs: nowMs + 2, error: { code: "timeout", message: "late" } });
    await recorder.flush();
    const failed = (await call(tenant, "GET", `${PATH}/${id}`)).json;
    expect(failed).toMatchObject({ status: "ACTIVE", lastError: "timeout: late", errorCount: 2 });
    await hub.runtime
      .sqlSystem`update integrations set status = 'ERROR', is_enabled = false where id = ${id}`;
    const others = [new OutcomeRecorder(hub.runtime), new OutcomeRecorder(hub.runtime)];
    for (const other of others) other.record({ integrationId: id, atMs: nowMs + 10 });
    await Promise.all(others.map((other) => other.flush()));
    const mended = (await call(tenant, "GET", `${PATH}/${id}`)).json;
    expect(mended).toMatchObject({
      status: "ACTIVE",
      isEnabled: true,
      lastSuccessfulCall: new Date(nowMs + 10).toISOString(),
    });
    expect((await typesOf(tenant)).filter((type) => type === "integration.connected")).toHaveLength(2);
  });
});

describe("verifyIdleIntegrations()", () => {
  test("verifyIdleIntegrations() asks for those that are idle, not for paused ones, those with traffic or wrong credentials", async () => {
    const tenants = await Promise.all(Array.from({ length: 4 }, () => newTenant()));
    const [idle, paused, busy, wrong] = await Promise.all(tenants.map((tenant) => made(tenant)));
    await call(tenants[1]!, "POST", `${PATH}/${paused!}/disable`);
    provider.answer = () => new Response("", { status: 401 });
    await call(tenants[3]!, "POST", `${PATH}/${wrong!}/test`);
    provider.answer = undefined;
    // Whatever the other tests left behind is asked first.
    nowMs += 331_000;
    await hub.runtime
      .sqlSystem`update integrations set last_call_at = ${new Date(nowMs)} where id <> ${idle!} and id <> ${paused!} and id <> ${wrong!}`;
    provider.seen.length = 0;
    expect(await verifyIdleIntegrations(hub.runtime, () => true)).toBe(1);
    expect(provider.seen).toHaveLength(1);
    expect(await verifyIdleIntegrations(hub.runtime, () => true)).toBe(0);
    const tested = await hub.runtime
      .sqlSystem`select last_test_at from integrations where id in ${hub.runtime.sqlSystem([idle!, busy!])} order by last_test_at desc`;
    expect((tested[0]!["last_test_at"] as Date).getTime()).toBe(nowMs);
  });

  test("an outage takes a connection out of ACTIVE when it is seen twice, and a good check brings it back", async () => {
    const tenant = await newTenant();
    const id = await made(tenant);
    const statusAfter = async (): Promise<unknown> => {
      nowMs += 331_000;
      await hub.runtime
        .sqlSystem`update integrations set last_call_at = ${new Date(nowMs)} where id <> ${id}`;
      expect(await verifyIdleIntegrations(hub.runtime, () => true)).toBe(1);
      return (await call(tenant, "GET", `${PATH}/${id}`)).json["status"];
    };
    provider.answer = () => new Response("", { status: 503 });
    expect(await statusAfter()).toBe("ACTIVE");
    expect(await statusAfter()).toBe("ERROR");
    provider.answer = undefined;
    expect(await statusAfter()).toBe("ACTIVE");
    expect(await typesOf(tenant)).toEqual([
      "integration.created",
      "integration.connected",
      "integration.disconnected",
      "integration.connected",
    ]);
  });
});
