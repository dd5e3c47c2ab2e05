import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Answer, startTestApp, type TestApp, type TestTenant } from "./app-fixture.ts";

let hub: TestApp;
let tenant: TestTenant;
beforeAll(async () => {
  hub = await startTestApp({ env: { PUBLIC_URL: "https://hub.example.test", API_RATE_LIMIT: "100000/60" } });
  tenant = await hub.newTenant();
});
afterAll(() => hub.stop());

const PATH = "/api/v1/webhooks/endpoints";
const SECRET = "It's a Secret to Everybody";

const create = (body: object, key = tenant.apiKey): Promise<Answer> => hub.call("POST", PATH, { key, body });
const change = (id: unknown, body: object): Promise<Answer> =>
  hub.call("PUT", `${PATH}/${String(id)}`, { key: tenant.apiKey, body });
const show = (id: unknown): Promise<Answer> =>
  hub.call("GET", `${PATH}/${String(id)}`, { key: tenant.apiKey });

describe("POST /api/v1/webhooks/endpoints", () => {
  test("creates an endpoint under a generated path with a generated secret", async () => {
    const { status, json } = await create({ handlerType: "CUSTOM" });
    expect(status).toBe(201);
    expect(json["endpointPath"]).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(json["url"]).toBe(
      `https://hub.example.test/webhooks/${tenant.slug}/${String(json["endpointPath"])}`,
    );
    expect(String(json["secretKey"]).length).toBeGreaterThanOrEqual(32);
    expect(json).toMatchObject({
      signatureScheme: "hmac",
      status: "ACTIVE",
      isEnabled: true,
      eventTypes: [],
      dedupeWindowSeconds: 259_200,
      maxBodyBytes: 1_048_576,
      rateLimit: null,
      totalReceived: 0,
    });
  });

  test("takes the provider's own secret and shows of it the last four characters only", async () => {
    const created = await create({ handlerType: "CUSTOM", signatureScheme: "github", secretKey: SECRET });
    expect(created.json).toMatchObject({ secretKey: SECRET, secretLast4: "body" });
    const shown = await show(created.json["id"]);
    expect(shown.json["secretLast4"]).toBe("body");
    expect(shown.text).not.toContain(SECRET);
    expect((await hub.call("GET", PATH, { key: tenant.apiKey })).text).not.toContain(SECRET);
    const rows = await hub.runtime.sqlSystem`
      select e::text as row from webhook_endpoints e where id = ${String(created.json["id"])}`;
    expect(JSON.stringify(rows)).not.toContain(SECRET);
  });

  test("answers 409 for a path that is taken in this tenant, and takes it in another", async () => {
    const body = { handlerType: "CUSTOM", endpointPath: "orders" };
    expect((await create(body)).status).toBe(201);
    const again = await create(body);
    expect([again.status, again.json["code"]]).toEqual([409, "conflict"]);
    const other = await hub.newTenant();
    expect((await create(body, other.apiKey)).status).toBe(201);
  });

  test("answers 404 for another tenant's integration, like for one that does not exist", async () => {
    const answer = await create({ handlerType: "CUSTOM", integrationId: crypto.randomUUID() });
    expect([answer.status, answer.json["code"]]).toEqual([404, "not_found"]);
  });

  test.each<[string, object]>([
    ["no handler type", {}],
    ["an unknown handler type", { handlerType: "OTHER" }],
    ["a path with a slash", { handlerType: "CUSTOM", endpointPath: "a/b" }],
    ["a path of 201 characters", { handlerType: "CUSTOM", endpointPath: "a".repeat(201) }],
    ["an unknown scheme", { handlerType: "CUSTOM", signatureScheme: "rot13" }],
    ["a secret that is too short", { handlerType: "CUSTOM", signatureScheme: "github", secretKey: "x" }],
    ["a whitelist that holds no address", { handlerType: "CUSTOM", ipWhitelist: ["example.test"] }],
    ["a body limit over 25 MiB", { handlerType: "CUSTOM", maxBodyBytes: 26_214_401 }],
    [
      "a transformation that does not compile",
      { handlerType: "CUSTOM", transformTemplate: { engine: "jsonata", expression: "$(" } },
    ],
    ["a field of the row that is not the caller's", { handlerType: "CUSTOM", totalReceived: 7 }],
  ])("refuses %s with the field's path", async (_name, body) => {
    const answer = await create(body);
    expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
    expect((answer.json["errors"] as { path: string }[])[0]!.path).toMatch(/^\//);
  });

  test.each<[object, string, string]>([
    [{ eventIdSource: { header: "x id" } }, "/eventIdSource/header", "match"],
    [{ eventIdSource: { header: "X-Signature" } }, "/eventIdSource", "never stored"],
    [{ eventTypeSource: { header: "Cookie" } }, "/eventTypeSource", "never stored"],
    [{ signatureScheme: "zoho", eventIdSource: { pointer: "/token" } }, "/eventIdSource", "never stored"],
    [{ signatureScheme: "slack", eventIdSource: { pointer: "/token" } }, "/eventIdSource", "never stored"],
    [{ eventTypeSource: { header: "é" } }, "/eventTypeSource/header", "match"],
    [{ eventIdSource: { pointer: "id" } }, "/eventIdSource/pointer", "match"],
    [{ eventIdSource: { pointer: "/a~2" } }, "/eventIdSource/pointer", "match"],
    [{ eventIdSource: { body: "md5" } }, "/eventIdSource/body", "sha256"],
    [{ eventIdSource: {} }, "/eventIdSource", '{ header }, { pointer }, { body: "sha256" }, null'],
    [{ rateLimit: { limit: 0, windowSeconds: 1 } }, "/rateLimit/limit", "greater or equal to 1"],
    [{ rateLimit: { limit: 1 } }, "/rateLimit/windowSeconds", "is missing"],
    [{ rateLimit: { limit: 1, windowSeconds: 1, more: 1 } }, "/rateLimit/more", "Unexpected property"],
  ])("says of %j what is wrong, at its place", async (fields, path, words) => {
    const { status, json } = await create({ handlerType: "CUSTOM", ...fields });
    const [first] = json["errors"] as { path: string; message: string }[];
    expect([status, first!.path]).toEqual([422, path]);
    expect(first!.message).toContain(words);
  });

  test("makes one endpoint for one Idempotency-Key", async () => {
    const other = await hub.newTenant();
    const request = {
      key: other.apiKey,
      body: { handlerType: "CUSTOM" },
      headers: { "idempotency-key": "register-1" },
    };
    const first = await hub.call("POST", PATH, request);
    const again = await hub.call("POST", PATH, request);
    expect(again.json).toEqual(first.json);
    const list = await hub.call("GET", PATH, { key: other.apiKey });
    expect((list.json["data"] as unknown[]).length).toBe(1);
  });
});

describe("PUT /api/v1/webhooks/endpoints/:id", () => {
  test("changes the fields present, and null resets one", async () => {
    const { json } = await create({
      handlerType: "CUSTOM",
      eventTypes: ["order.*"],
      targetService: "billing",
    });
    const changed = await change(json["id"], {
      eventTypes: null,
      targetService: null,
      dedupeWindowSeconds: 60,
    });
    expect(changed.status).toBe(200);
    expect(changed.json).toMatchObject({
      eventTypes: [],
      targetService: null,
      dedupeWindowSeconds: 60,
      handlerType: "CUSTOM",
      endpointPath: json["endpointPath"],
    });
    expect((await show(json["id"])).json).toEqual(changed.json);
  });

  test("keeps isEnabled and status in step", async () => {
    const { json } = await create({ handlerType: "CUSTOM" });
    expect((await change(json["id"], { isEnabled: false })).json).toMatchObject({
      status: "DISABLED",
      isEnabled: false,
    });
    expect((await change(json["id"], { isEnabled: true })).json).toMatchObject({
      status: "ACTIVE",
      isEnabled: true,
    });
    const paused = await change(json["id"], { status: "PAUSED" });
    expect(paused.json).toMatchObject({ status: "PAUSED", isEnabled: false });
    expect((await change(json["id"], { status: null })).json["status"]).toBe("ACTIVE");
    await change(json["id"], { status: "PAUSED" });
    // Read and written back, nothing changes.
    expect((await change(json["id"], { status: "PAUSED", isEnabled: false })).json["status"]).toBe("PAUSED");
  });

  test("makes no shared secret of a public key or a name that others know", async () => {
    const publicKey = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    const known: [string, string, string][] = [
      ["discord", publicKey, "github"],
      ["telnyx", Buffer.from(publicKey, "hex").toString("base64"), "standard-webhooks"],
      ["standard-webhooks", `whpk_${Buffer.from(publicKey, "hex").toString("base64")}`, "token"],
      ["aws-sns", "arn:aws:sns:us-east-1:123456789012:loads", "hmac"],
      ["salesforce", "00DU0000000Iyev123", "hmac"],
    ];
    for (const [from, secretKey, to] of known) {
      const { json } = await create({ handlerType: "CUSTOM", signatureScheme: from, secretKey });
      const changed = await change(json["id"], { signatureScheme: to });
      expect([from, changed.status, changed.json["errors"]]).toEqual([
        from,
        422,
        [
          {
            path: "/secretKey",
            message: "is needed: others know the stored one, which is a public key or a name",
          },
        ],
      ]);
    }
    const shared = await create({ handlerType: "CUSTOM", signatureScheme: "github", secretKey: publicKey });
    expect((await change(shared.json["id"], { signatureScheme: "ed25519" })).status).toBe(422);
  });

  test("makes no shared secret of a public key by way of the scheme none", async () => {
    const { json } = await create({
      handlerType: "CUSTOM",
      signatureScheme: "discord",
      secretKey: "ab".repeat(32),
      ipWhitelist: ["192.0.2.1"],
    });
    expect((await change(json["id"], { signatureScheme: "none" })).status).toBe(200);
    const changed = await change(json["id"], { signatureScheme: "github" });
    expect([changed.status, changed.json["errors"]]).toEqual([
      422,
      [{ path: "/secretKey", message: "is needed: the scheme none has no secret" }],
    ]);
  });

  test("ends earlier public keys when a scheme with a shared secret takes over", async () => {
    const key = (byte: number): string => Buffer.alloc(32, byte).toString("hex");
    const { json } = await create({ handlerType: "CUSTOM", signatureScheme: "discord", secretKey: key(1) });
    await hub.call("POST", `${PATH}/${String(json["id"])}/rotate-secret`, {
      key: tenant.apiKey,
      body: { secretKey: key(2) },
    });
    const stretched = await change(json["id"], { signatureSettings: { toleranceSeconds: 60 } });
    expect(stretched.json["previousSecretExpiresAt"]).toBeString();
    const changed = await change(json["id"], {
      signatureScheme: "github",
      signatureSettings: null,
      secretKey: SECRET,
    });
    expect([changed.status, changed.json["previousSecretExpiresAt"]]).toEqual([200, null]);
  });

  test("names the changed fields in the audit log, never a value", async () => {
    const { json } = await create({ handlerType: "CUSTOM" });
    await change(json["id"], { targetService: "canary-service", maxBodyBytes: 1000 });
    const log = await hub.call(
      "GET",
      `/api/v1/audit-log?objectId=${String(json["id"])}&verb=webhook_endpoint.update`,
      {
        key: tenant.apiKey,
      },
    );
    expect(log.json["data"]).toEqual([
      expect.objectContaining({ changedFields: ["targetService", "maxBodyBytes"] }),
    ]);
    expect(log.text).not.toContain("canary-service");
  });
});

describe("POST /api/v1/webhooks/endpoints/:id/rotate-secret", () => {
  const rotate = (id: unknown, body?: object): Promise<Answer> =>
    hub.call("POST", `${PATH}/${String(id)}/rotate-secret`, {
      key: tenant.apiKey,
      ...(body ? { body } : {}),
    });

  test("makes a new secret without a body, the old one being good for a day", async () => {
    const { json } = await create({ handlerType: "CUSTOM", signatureScheme: "github" });
    const rotated = await rotate(json["id"]);
    expect(rotated.status).toBe(200);
    expect(rotated.json["secretKey"]).not.toBe(json["secretKey"]);
    const aheadMs = Date.parse(String(rotated.json["previousExpiresAt"])) - Date.now();
    expect(Math.abs(aheadMs - 86_400_000)).toBeLessThan(60_000);
    expect((await show(json["id"])).json["previousSecretExpiresAt"]).toBe(rotated.json["previousExpiresAt"]);
  });

  test.each(["[]", "0", "true", '""'])("takes %s for no body that was left out", async (body) => {
    const { json } = await create({ handlerType: "CUSTOM", signatureScheme: "github" });
    const answer = await hub.call("POST", `${PATH}/${String(json["id"])}/rotate-secret`, {
      key: tenant.apiKey,
      body,
    });
    expect([answer.status, answer.json["errors"]]).toEqual([422, [{ path: "", message: "Expected object" }]]);
    expect((await show(json["id"])).json["previousSecretExpiresAt"]).toBeNull();
  });

  test("takes a given secret, without overlap at 0, and refuses more than 7 days", async () => {
    const { json } = await create({ handlerType: "CUSTOM", signatureScheme: "github" });
    const rotated = await rotate(json["id"], { secretKey: SECRET, overlapSeconds: 0 });
    expect(rotated.json).toEqual({ secretKey: SECRET, previousExpiresAt: null });
    expect((await rotate(json["id"], { overlapSeconds: 604_801 })).status).toBe(422);
    expect((await rotate(json["id"], { secretKey: "x" })).status).toBe(422);
  });
});

describe("DELETE /api/v1/webhooks/endpoints/:id", () => {
  test("takes the endpoint away and frees its path", async () => {
    const body = { handlerType: "CUSTOM", endpointPath: "short-lived" };
    const { json } = await create(body);
    const gone = await hub.call("DELETE", `${PATH}/${String(json["id"])}`, { key: tenant.apiKey });
    expect([gone.status, gone.text]).toEqual([204, ""]);
    expect((await show(json["id"])).status).toBe(404);
    expect((await hub.call("DELETE", `${PATH}/${String(json["id"])}`, { key: tenant.apiKey })).status).toBe(
      404,
    );
    expect((await create(body)).status).toBe(201);
  });
});

describe("GET /api/v1/webhooks/endpoints", () => {
  test("narrows by status and pages newest first", async () => {
    const other = await hub.newTenant();
    const make = async (status: string): Promise<unknown> =>
      (await create({ handlerType: "CUSTOM", status }, other.apiKey)).json["id"];
    const ids = [await make("ACTIVE"), await make("PAUSED"), await make("ACTIVE")];
    const list = async (query: string): Promise<Answer> =>
      hub.call("GET", `${PATH}?${query}`, { key: other.apiKey });
    const first = await list("limit=2");
    expect((first.json["data"] as { id: string }[]).map(({ id }) => id) as unknown[]).toEqual([
      ids[2],
      ids[1],
    ]);
    const second = await list(`limit=2&cursor=${String(first.json["nextCursor"])}`);
    expect((second.json["data"] as { id: string }[]).map(({ id }) => id) as unknown[]).toEqual([ids[0]]);
    expect(second.json["nextCursor"]).toBeNull();
    expect(((await list("status=PAUSED")).json["data"] as unknown[]).length).toBe(1);
  });
});
