import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Answer, startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";

let hub: TestApp;
let tenant: TestTenant;
beforeAll(async () => {
  hub = await startTestApp({ env: { API_RATE_LIMIT: "100000/60", WEBHOOK_MAX_RETRIES: "7" } });
  tenant = await hub.newTenant();
});
afterAll(() => hub.stop());

const PATH = "/api/v1/webhooks/subscriptions";
const GOOD = { name: "Orders", url: "https://receiver.example.com/hooks", eventTypes: ["order.created"] };

const create = (more: object = {}): Promise<Answer> =>
  hub.call("POST", PATH, { key: tenant.apiKey, body: { ...GOOD, ...more } });
const change = (id: unknown, body: object): Promise<Answer> =>
  hub.call("PUT", `${PATH}/${String(id)}`, { key: tenant.apiKey, body });
const act = (id: unknown, action: string, body?: object): Promise<Answer> =>
  hub.call("POST", `${PATH}/${String(id)}/${action}`, {
    key: tenant.apiKey,
    ...(body === undefined ? {} : { body }),
  });
const show = (id: unknown): Promise<Answer> =>
  hub.call("GET", `${PATH}/${String(id)}`, { key: tenant.apiKey });
const errorsOf = ({ json }: Answer): string[] =>
  ((json["errors"] ?? []) as { path: string }[]).map(({ path }) => path);
const rowOf = async (id: unknown): Promise<string> => {
  const [row] = await hub.runtime.sqlSystem<{ text: string }[]>`
    select s::text as text from webhook_subscriptions s where id = ${String(id)}`;
  return row!.text;
};

const previousCount = async (id: unknown): Promise<number> => {
  const [row] = await hub.runtime.sqlSystem<{ count: number }[]>`
    select jsonb_array_length(previous_secrets) as count from webhook_subscriptions where id = ${String(id)}`;
  return row!.count;
};

describe("POST /api/v1/webhooks/subscriptions", () => {
  test("creates one with the specification's defaults and a Standard Webhooks secret that is shown once", async () => {
    const { status, json } = await create();
    expect(status).toBe(201);
    expect(json).toMatchObject({
      ...GOOD,
      description: null,
      authType: "NONE",
      authConfig: null,
      contentType: "application/json",
      headers: {},
      retryEnabled: true,
      maxRetries: 7,
      retryIntervals: [60, 300, 900, 3600, 7200],
      signature: { scheme: "STANDARD_WEBHOOKS" },
      orderingMode: "NONE",
      status: "ACTIVE",
      isEnabled: true,
      disabledReason: null,
      totalSent: 0,
      consecutiveFailures: 0,
      publicKey: null,
    });
    const secret = String(json["secretKey"]);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const shown = await show(json["id"]);
    expect(shown.json["secretLast4"]).toBe(secret.slice(-4));
    expect(shown.text + (await rowOf(json["id"]))).not.toContain(secret);
  });

  test("stores patterns dotted, each once", async () => {
    const { json } = await create({ eventTypes: ["ORDER_CREATED", "order.created", "LOAD_*", "*"] });
    expect(json["eventTypes"]).toEqual(["order.created", "load.*", "*"]);
  });

  test("makes an Ed25519 key when asked, and shows its public half", async () => {
    const { json } = await create({ secretKey: "whsk_" });
    expect(Buffer.from(String(json["secretKey"]).slice(5), "base64").byteLength).toBe(64);
    const publicKey = Buffer.from(String(json["publicKey"]).slice(5), "base64");
    expect(publicKey.equals(Buffer.from(String(json["secretKey"]).slice(5), "base64").subarray(32))).toBe(
      true,
    );
  });

  test.each<[string, object, string]>([
    ["plain http", { url: "http://receiver.example.com/" }, "/url"],
    ["a private address", { url: "https://10.0.0.1/" }, "/url"],
    ["loopback in decimal", { url: "https://2130706433/" }, "/url"],
    ["loopback in hexadecimal", { url: "https://0x7f.1/" }, "/url"],
    ["mapped loopback", { url: "https://[::ffff:127.0.0.1]/" }, "/url"],
    ["metadata", { url: "https://169.254.169.254/latest" }, "/url"],
    ["localhost with a dot", { url: "https://localhost./" }, "/url"],
    ["user info", { url: "https://user:pass@receiver.example.com/" }, "/url"],
    ["a mail port", { url: "https://receiver.example.com:25/" }, "/url"],
    ["a file", { url: "file:///etc/passwd" }, "/url"],
    ["no event types", { eventTypes: [] }, "/eventTypes"],
    ["a star in the middle", { eventTypes: ["order.*.created"] }, "/eventTypes/0"],
    ["an unknown operator", { filter: { "data.a": { $where: 1 } } }, "/filter/data.a/$where"],
    ["a line break in a header", { headers: { "X-A": "a\r\nB: c" } }, "/headers/x-a"],
    [
      "a header of the connection",
      { headers: { "Transfer-Encoding": "chunked" } },
      "/headers/transfer-encoding",
    ],
    ["a header in two spellings", { headers: { "x-a": "1", "X-A": "2" } }, "/headers/X-A"],
    [
      "a key in the header of the signature",
      {
        signature: { scheme: "HMAC", header: "X-Sig" },
        authType: "API_KEY",
        authConfig: { value: "k", name: "x-sig" },
      },
      "/authConfig/name",
    ],
    [
      "two HMAC headers of one name",
      { signature: { scheme: "HMAC" }, authType: "HMAC", authConfig: { secretKey: "s" } },
      "/authConfig/header",
    ],
    [
      "a signature in the header of its time",
      { signature: { scheme: "HMAC", header: "x-sig", timestampHeader: "X-Sig" } },
      "/signature/timestampHeader",
    ],
    [
      "a header that the authentication writes",
      { headers: { "X-Key": "1" }, authType: "API_KEY", authConfig: { value: "k", name: "x-key" } },
      "/headers/x-key",
    ],
    ["a header of the hub", { headers: { "Webhook-Id": "x" } }, "/headers/webhook-id"],
    ["the mark of a replay", { headers: { "Hub-Replay": "x" } }, "/headers/hub-replay"],
    ["a secret header", { headers: { Authorization: "Bearer x" } }, "/headers/authorization"],
    ["no retry intervals", { retryIntervals: [] }, "/retryIntervals"],
    ["21 retry intervals", { retryIntervals: Array.from({ length: 21 }, () => 60) }, "/retryIntervals"],
    ["an interval of 0", { retryIntervals: [0] }, "/retryIntervals/0"],
    ["21 retries", { maxRetries: 21 }, "/maxRetries"],
    ["authentication without its settings", { authType: "BASIC" }, "/authConfig"],
    ["settings without authentication", { authConfig: { username: "u" } }, "/authConfig"],
    ["no password", { authType: "BASIC", authConfig: { username: "u" } }, "/authConfig/password"],
    [
      "a private token address",
      {
        authType: "OAUTH2",
        authConfig: { tokenUrl: "https://127.0.0.1/", clientId: "a", clientSecret: "b" },
      },
      "/authConfig/tokenUrl",
    ],
    ["a secret that is no whsec_", { secretKey: "short" }, "/secretKey"],
    ["a secret of 8 bytes", { secretKey: `whsec_${Buffer.alloc(8).toString("base64")}` }, "/secretKey"],
    [
      "a template that does not compile",
      { transformTemplate: { engine: "jsonata", expression: "$(" } },
      "/transformTemplate/expression",
    ],
    ["the status FAILED", { status: "FAILED" }, "/status"],
    ["an unknown field", { colour: "red" }, "/colour"],
    ["a name of 201 characters", { name: "x".repeat(201) }, "/name"],
  ])("refuses %s with its path", async (_name, more, path) => {
    const answer = await create(more);
    expect([answer.status, errorsOf(answer)[0]]).toEqual([422, path]);
  });

  test.each<[string, string, object, string]>([
    ["BASIC", "password", { username: "u" }, "pass-word-1"],
    ["API_KEY", "value", { name: "X-Key", in: "query" }, "key-value-1"],
    [
      "OAUTH2",
      "clientSecret",
      { tokenUrl: "https://auth.example.com/token", clientId: "c" },
      "client-secret-1",
    ],
    ["HMAC", "secretKey", { header: "X-Sig", encoding: "hex" }, "hmac-secret-1"],
  ])("seals the secret of %s and never shows it", async (authType, field, config, secret) => {
    const created = await create({ authType, authConfig: { ...config, [field]: secret } });
    expect(created.status).toBe(201);
    expect(created.json["authConfig"]).toEqual(config as never);
    const stored = await rowOf(created.json["id"]);
    const listed = await hub.call("GET", PATH, { key: tenant.apiKey });
    expect(created.text + stored + listed.text).not.toContain(secret);
  });
});

describe("PUT /api/v1/webhooks/subscriptions/:id", () => {
  test("changes the fields present, and null resets", async () => {
    const { json } = await create({
      description: "d",
      maxRetries: 2,
      headers: { "X-A": "1" },
      concurrencyMax: 3,
    });
    const changed = await change(json["id"], {
      description: null,
      maxRetries: null,
      headers: null,
      concurrencyMax: null,
      eventTypes: ["INVOICE_GENERATED"],
      signature: { scheme: "HMAC", header: "X-Sig" },
    });
    expect(changed.status).toBe(200);
    expect(changed.json).toMatchObject({
      name: "Orders",
      description: null,
      maxRetries: 7,
      headers: {},
      concurrencyMax: null,
      eventTypes: ["invoice.generated"],
      signature: { scheme: "HMAC", header: "X-Sig" },
    });
  });

  test("keeps the stored secret when it is left out, unless it would go elsewhere", async () => {
    const config = { tokenUrl: "https://auth.example.com/token", clientId: "c" };
    const { json } = await create({
      authType: "OAUTH2",
      authConfig: { ...config, clientSecret: "s3cret-1" },
    });
    const before = await rowOf(json["id"]);
    expect((await change(json["id"], { authConfig: { ...config, scope: "a" } })).status).toBe(200);
    expect(await rowOf(json["id"])).not.toBe(before);
    const moved = await change(json["id"], {
      authConfig: { ...config, tokenUrl: "https://elsewhere.example.com/token" },
    });
    expect([moved.status, errorsOf(moved)]).toEqual([422, ["/authConfig/clientSecret"]]);
    const other = await change(json["id"], { authType: "BASIC" });
    expect([other.status, errorsOf(other)]).toEqual([422, ["/authConfig"]]);
    expect((await change(json["id"], { authType: null })).json).toMatchObject({
      authType: "NONE",
      authConfig: null,
    });
  });

  test.each<[string, string, string, object]>([
    ["the password", "BASIC", "password", { username: "u" }],
    ["the key", "API_KEY", "value", {}],
    [
      "the client's secret",
      "OAUTH2",
      "clientSecret",
      { tokenUrl: "https://auth.example.com/", clientId: "c" },
    ],
  ])("asks for %s again when url moves to another origin", async (_name, authType, field, config) => {
    const secret = { [field]: "s3cret-of-the-receiver" };
    const { json } = await create({ authType, authConfig: { ...config, ...secret } });
    expect((await change(json["id"], { url: "https://receiver.example.com/other?a=1" })).status).toBe(200);
    for (const url of ["https://evil.example.com/hooks", "https://receiver.example.com:8443/hooks"]) {
      for (const more of [{}, { authConfig: config }]) {
        const moved = await change(json["id"], { url, ...more });
        expect([moved.status, errorsOf(moved)]).toEqual([422, [`/authConfig/${field}`]]);
      }
    }
    const given = await change(json["id"], {
      url: "https://evil.example.com/hooks",
      authConfig: { ...config, ...secret },
    });
    expect(given.status).toBe(200);
    expect((await change(json["id"], { url: GOOD.url, authType: "NONE" })).status).toBe(200);
  });

  test("moves a subscription whose secrets only sign", async () => {
    const { json } = await create({ authType: "HMAC", authConfig: { secretKey: "s3cret-of-the-receiver" } });
    expect((await change(json["id"], { url: "https://elsewhere.example.com/" })).status).toBe(200);
  });

  test("refuses a signature that the stored secret does not suit", async () => {
    const { json } = await create({ signature: { scheme: "HMAC" }, secretKey: "plain text of some length" });
    const answer = await change(json["id"], { signature: { scheme: "STANDARD_WEBHOOKS" } });
    expect([answer.status, errorsOf(answer)]).toEqual([422, ["/signature"]]);
  });

  test("writes the names of what changed into the audit log, and nothing when nothing changed", async () => {
    const { json } = await create();
    await change(json["id"], { name: "Orders" });
    await change(json["id"], { name: "Renamed", maxRetries: 1 });
    const log = await hub.call("GET", `/api/v1/audit-log?objectId=${String(json["id"])}`, {
      key: tenant.apiKey,
    });
    const entries = log.json["data"] as { verb: string; changedFields: string[] }[];
    expect(entries.map(({ verb }) => verb)).toEqual([
      "webhook_subscription.update",
      "webhook_subscription.create",
    ]);
    expect(entries[0]!.changedFields.toSorted()).toEqual(["maxRetries", "name"]);
  });
});

describe("the states of a subscription", () => {
  test("pause holds, resume goes on, and each twice is no error", async () => {
    const { json } = await create();
    for (const action of ["pause", "pause"])
      expect((await act(json["id"], action)).json).toMatchObject({ status: "PAUSED", isEnabled: false });
    for (const action of ["resume", "resume"])
      expect((await act(json["id"], action)).json).toMatchObject({ status: "ACTIVE", isEnabled: true });
  });

  test("resume enables one that was disabled, and counts its failures anew", async () => {
    const { json } = await create();
    await hub.runtime.sqlSystem`
      update webhook_subscriptions set status = 'FAILED', disabled_reason = 'x', consecutive_failures = 10
      where id = ${String(json["id"])}`;
    expect((await show(json["id"])).json).toMatchObject({ status: "FAILED", disabledReason: "x" });
    expect((await change(json["id"], { isEnabled: false })).json).toMatchObject({ status: "FAILED" });
    expect((await change(json["id"], { isEnabled: true })).json).toMatchObject({
      status: "ACTIVE",
      disabledReason: null,
      consecutiveFailures: 0,
    });
  });

  test("delete answers 204, then 404", async () => {
    const { json } = await create();
    const path = `${PATH}/${String(json["id"])}`;
    expect((await hub.call("DELETE", path, { key: tenant.apiKey })).status).toBe(204);
    expect((await hub.call("DELETE", path, { key: tenant.apiKey })).status).toBe(404);
    expect((await show(json["id"])).status).toBe(404);
  });

  test("lists by status and by the type that they take", async () => {
    const own = await hub.newTenant();
    const make = (body: object) => hub.call("POST", PATH, { key: own.apiKey, body: { ...GOOD, ...body } });
    await make({ name: "a", eventTypes: ["order.*"] });
    await make({ name: "b", eventTypes: ["*"], status: "PAUSED" });
    await make({ name: "c", eventTypes: ["load.delivered"] });
    const names = async (query: string): Promise<string[]> =>
      (
        (await hub.call("GET", `${PATH}?${query}`, { key: own.apiKey })).json["data"] as { name: string }[]
      ).map(({ name }) => name);
    expect(await names("eventType=ORDER_CREATED")).toEqual(["b", "a"]);
    expect(await names("status=PAUSED")).toEqual(["b"]);
    expect(await names("limit=2")).toEqual(["c", "b"]);
  });
});

describe("POST …/:id/rotate-secret", () => {
  test("shows the new secret once and keeps the old one for the overlap", async () => {
    const { json } = await create();
    const rotated = await act(json["id"], "rotate-secret", { overlapSeconds: 600 });
    expect(rotated.status).toBe(200);
    expect(rotated.json["secretKey"]).not.toBe(json["secretKey"]);
    const shown = await show(json["id"]);
    expect(shown.json["previousSecretExpiresAt"]).toBe(rotated.json["previousExpiresAt"] as never);
    expect(shown.text).not.toContain(String(rotated.json["secretKey"]));
    const at = Date.parse(String(rotated.json["previousExpiresAt"]));
    expect(Math.abs(at - Date.now() - 600_000)).toBeLessThan(60_000);
  });

  test("without overlap forgets the old one, and refuses an overlap of more than 7 days", async () => {
    const { json } = await create();
    expect(
      (await act(json["id"], "rotate-secret", { overlapSeconds: 0 })).json["previousExpiresAt"],
    ).toBeNull();
    expect((await act(json["id"], "rotate-secret", { overlapSeconds: 604_801 })).status).toBe(422);
  });

  test("keeps a secret that is given again once, and the older ones until their time", async () => {
    const { json } = await create();
    const secretKey = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    const first = await act(json["id"], "rotate-secret", { secretKey });
    const again = await act(json["id"], "rotate-secret", { secretKey });
    expect(again.json).toEqual(first.json);
    expect(await previousCount(json["id"])).toBe(1);
    await act(json["id"], "rotate-secret", { secretKey: json["secretKey"] });
    expect(await previousCount(json["id"])).toBe(1);
    for (let time = 0; time < 6; time++) await act(json["id"], "rotate-secret");
    expect(await previousCount(json["id"])).toBe(7);
  });
});
