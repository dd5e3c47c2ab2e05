import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { SignJWT } from "jose";
import { keyManifest, startTestProvider } from "../integrations/test-provider.ts";
import { CanaryHub, type CallAnswer } from "./canary-hub.ts";
import { driveOAuth } from "./drive-oauth.ts";
import { formsOf, search } from "./needles.ts";

const hub = new CanaryHub();
const provider = startTestProvider();
const PROVIDERS = "/api/v1/integrations";
const ISSUER = "https://auth.example";
const AUDIENCE = "integration-hub";
let apiKey = "";
let slug = "";

interface Endpoint {
  id: string;
  endpointPath: string;
}

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
  body: JSON.stringify(body),
});

async function makeEndpoint(input: Record<string, unknown>): Promise<Endpoint> {
  const answer = await hub.call("/api/v1/webhooks/endpoints", json({ handlerType: "CUSTOM", ...input }), {
    showsSecretOnce: true,
  });
  if (answer.status !== 201) throw new Error(answer.text);
  return JSON.parse(answer.text) as Endpoint;
}

/** Sends as a partner does, with credentials that partners attach to everything. */
function send(
  endpoint: Endpoint,
  body: string,
  headers: Record<string, string> = {},
  query = "",
): Promise<CallAnswer> {
  return hub.call(`/webhooks/${slug}/${endpoint.endpointPath}${query}`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      cookie: `sid=${cookie}`,
      "x-api-key": partnerKey,
      ...headers,
    },
  });
}

const cookie = hub.secret("cookie of a sender");
const partnerKey = hub.secret("x-api-key of a sender");
const signatureOf = (secret: string, body: string): string =>
  createHmac("sha256", secret).update(body).digest("hex");
const github = (secret: string, body: string, id: string = crypto.randomUUID()): Record<string, string> => ({
  "x-hub-signature-256": `sha256=${signatureOf(secret, body)}`,
  "x-github-delivery": id,
  "x-github-event": "push",
});
const get = (path: string): Promise<CallAnswer> =>
  hub.call(path, { headers: { authorization: `Bearer ${apiKey}` } });

beforeAll(async () => {
  const jwtSecret = hub.secret("AUTH_JWT_SECRET");
  await hub.start({
    AUTH_JWT_SECRET: jwtSecret,
    AUTH_ISSUER: ISSUER,
    AUTH_AUDIENCE: AUDIENCE,
    EGRESS_ALLOW_CIDRS: "127.0.0.0/8",
    EGRESS_ALLOW_HTTP: "true",
  });
  const made = (await hub.command("tenants", "create", "--slug", "canary")) as {
    tenant: { slug: string };
    apiKey: string;
  };
  apiKey = hub.secret("first API key", made.apiKey);
  slug = made.tenant.slug;
  await driveManagement(jwtSecret);
  await driveWebhooks();
  await driveFailures();
  await driveIntegrations();
  await driveOAuth(hub, { slug, post: json });
  await driveCrash();
  await readEverything();
}, 120_000);

afterAll(async () => {
  await provider.stop();
  await hub.stop();
});

async function driveManagement(jwtSecret: string): Promise<void> {
  const idempotent = json({ name: "second", role: "viewer" });
  idempotent.headers = { ...(idempotent.headers as Record<string, string>), "idempotency-key": "canary-1" };
  for (let repeat = 0; repeat < 2; repeat++) {
    const answer = await hub.call("/api/v1/api-keys", idempotent, { showsSecretOnce: true });
    if (repeat === 0) hub.secret("second API key", (JSON.parse(answer.text) as { apiKey: string }).apiKey);
  }
  const token = await new SignJWT({ tenant: slug, scope: "webhooks:read logs:read" })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject("somebody")
    .setExpirationTime("5m")
    .sign(new TextEncoder().encode(jwtSecret));
  hub.secret("JWT", token);
  expect(
    (await hub.call("/api/v1/api-logs/search", { headers: { authorization: `Bearer ${token}` } })).status,
  ).toBe(200);
  for (const wrong of [hub.secret("wrong key"), `${hub.secret("JWT with a wrong signature", `${token}x`)}`]) {
    expect(
      (await hub.call("/api/v1/api-keys", { headers: { authorization: `Bearer ${wrong}` } })).status,
    ).toBe(401);
  }
  const echoed = hub.secret("secret that the input check refuses");
  for (const body of [
    { handlerType: "CUSTOM", signatureScheme: "github", secretKey: { deep: echoed } },
    { handlerType: "CUSTOM", signatureScheme: "basic", secretKey: echoed },
    { handlerType: "CUSTOM", signatureScheme: "stripe", secretKey: `${echoed}\u0000` },
  ]) {
    expect([400, 422]).toContain((await hub.call("/api/v1/webhooks/endpoints", json(body))).status);
  }
  const inUrl = hub.secret("password in a service's URL");
  const service = json({ kind: "HTTP", url: `http://user:${inUrl}@127.0.0.1:9/x` });
  expect((await hub.call("/api/v1/services/leaky", { ...service, method: "PUT" })).status).toBe(422);
}

async function driveWebhooks(): Promise<void> {
  const signing = hub.secret("signing secret of hmac");
  const hmac = await makeEndpoint({
    secretKey: signing,
    signatureHeader: "X-Sig",
    eventIdSource: { pointer: "/id" },
  });
  const rotated = hub.secret("signing secret after a rotation");
  for (const secret of [signing, rotated]) {
    for (let n = 0; n < 5; n++) {
      const body = JSON.stringify({ id: `${secret === signing}-${n}` });
      expect((await send(hmac, body, { "x-sig": signatureOf(secret, body) })).status).toBe(200);
    }
    if (secret === signing) {
      const rotation = json({ secretKey: rotated, overlapSeconds: 3600 });
      await hub.call(`/api/v1/webhooks/endpoints/${hmac.id}/rotate-secret`, rotation, {
        showsSecretOnce: true,
      });
    }
  }
  const inHeader = hub.secret("token in a header");
  const bearer = await makeEndpoint({
    signatureScheme: "token",
    signatureHeader: "X-Odd-Name",
    secretKey: inHeader,
    eventIdSource: { pointer: "/id" },
  });
  expect((await send(bearer, '{"id":"1"}', { "x-odd-name": inHeader })).status).toBe(200);
  const inQuery = hub.secret("token in the query");
  const query = await makeEndpoint({
    signatureScheme: "token",
    signatureSettings: { query: "k" },
    secretKey: inQuery,
  });
  expect((await send(query, '{"q":1}', {}, `?a=1&k=${inQuery}&b=2`)).status).toBe(200);
  const inBody = hub.secret("token in the body");
  const pointer = await makeEndpoint({
    signatureScheme: "token",
    signatureSettings: { pointer: "/auth/k" },
    secretKey: inBody,
    maxBodyBytes: 10_000_000,
  });
  for (const padding of ["", "x".repeat(200_000)]) {
    const body = JSON.stringify({ padding, auth: { k: inBody }, n: padding.length });
    expect((await send(pointer, body)).status).toBe(200);
  }
  const password = hub.secret("password of basic authentication");
  const basic = await makeEndpoint({ signatureScheme: "basic", secretKey: `partner:${password}` });
  const authorization = `Basic ${Buffer.from(`partner:${password}`).toString("base64")}`;
  expect((await send(basic, '{"b":1}', { authorization })).status).toBe(200);
}

async function driveFailures(): Promise<void> {
  const secret = hub.secret("secret of an endpoint that fails");
  const scheme = { signatureScheme: "github", secretKey: secret };
  const services = json({ kind: "HTTP", url: "http://127.0.0.1:9/down" });
  expect((await hub.call("/api/v1/services/down", { ...services, method: "PUT" })).status).toBeLessThan(300);
  const endpoints = [
    await makeEndpoint({ ...scheme, targetService: "down" }),
    await makeEndpoint({ ...scheme, handlerType: "LOAD_STATUS" }),
    await makeEndpoint({ ...scheme, transformTemplate: { engine: "jsonata", expression: "$error('no')" } }),
    await makeEndpoint({ ...scheme, status: "PAUSED" }),
  ];
  for (const endpoint of endpoints) {
    const body = JSON.stringify({ n: endpoint.id });
    expect((await send(endpoint, body, github(secret, body))).status).toBe(200);
    expect((await send(endpoint, "{", github(secret, "{"))).status).toBe(200);
    const wrong = hub.secret("authorization of a refused request");
    expect(
      (await send(endpoint, body, { ...github("another", body), authorization: `Bearer ${wrong}` })).status,
    ).toBe(401);
  }
  const wrongToken = hub.secret("wrong token in the query");
  const query = await makeEndpoint({
    signatureScheme: "token",
    signatureSettings: { query: "k" },
    secretKey: hub.secret("token that nobody sent"),
  });
  expect((await send(query, "{}", {}, `?k=${wrongToken}`)).status).toBe(401);
}

/** A provider that gives back every credential it gets, in headers, bodies and errors. */
async function driveIntegrations(): Promise<void> {
  provider.answer = async (request) => {
    const seen = `${request.headers.get("authorization")} ${request.url} ${await request.text()}`;
    const status = seen.includes("refused") ? 401 : 200;
    const headers = { "x-seen": encodeURIComponent(seen), "set-cookie": `sid=${encodeURIComponent(seen)}` };
    return Response.json({ account: { name: seen }, error: seen }, { status, headers });
  };
  const manifest = JSON.stringify(keyManifest(provider.url)).replaceAll("'", "''");
  await hub.query(`
    insert into integration_providers (tenant_id, code, name, category, config_schema, auth_type, manifest)
    select id, 'ACME', 'Acme', 'OTHER', '{}', 'API_KEY', '${manifest}' from tenants where slug = '${slug}'`);
  const config = {
    apiKey: hub.secret("API key of an integration"),
    signingKey: hub.secret("second secret of an integration"),
    setupCode: hub.secret("one-time value of an integration"),
  };
  const made = await hub.call(PROVIDERS, json({ providerCode: "ACME", name: "Acme", config }));
  expect([made.status, (JSON.parse(made.text) as { status: string }).status]).toEqual([201, "ACTIVE"]);
  const path = `${PROVIDERS}/${(JSON.parse(made.text) as { id: string }).id}`;
  const put = (body: unknown) => hub.call(path, { ...json(body), method: "PUT" });
  const wrong = hub.secret("API key that the provider refuses", `refused-${crypto.randomUUID()}`);
  expect((await put({ config: { apiKey: wrong } })).status).toBe(200);
  expect((await hub.call(`${path}/test`, json({}))).status).toBe(200);
  expect((await hub.call(`${path}/enable`, json({}))).status).toBe(409);
  const misplaced = hub.secret("secret in a field that does not exist");
  expect((await put({ config: { apikey: misplaced, accountCode: misplaced } })).status).toBe(422);
  for (const shown of [path, `${path}/health`, `${path}/logs`, PROVIDERS, "/api/v1/health/integrations"])
    expect((await get(shown)).status).toBe(200);
  const rotation = (await hub.command("vault", "reencrypt", "--tenant", slug)) as { data: unknown[] };
  expect(rotation.data).toHaveLength(1);
}

async function driveCrash(): Promise<void> {
  const secret = hub.secret("secret of an endpoint whose processes die");
  const endpoint = await makeEndpoint({ signatureScheme: "github", secretKey: secret });
  const flood = (deliver: (body: string) => Promise<unknown>): Promise<unknown>[] =>
    Array.from({ length: 300 }, (_, n) => deliver(JSON.stringify({ n, at: crypto.randomUUID() })));
  const deliverOnce = (body: string) => send(endpoint, body, github(secret, body)).catch(() => undefined);
  await hub.kill("worker");
  await Promise.all(
    flood(async (body) => {
      while ((await deliverOnce(body))?.status !== 200) await Bun.sleep(50);
    }),
  );
  const cut = flood(deliverOnce);
  await hub.kill("edge");
  await Promise.all(cut);
  await Promise.all([hub.spawn("edge"), hub.spawn("worker")]);
  await untilWorkedOff();
}

/** Receipts are written once their entries have left the streams. */
async function untilWorkedOff(): Promise<void> {
  for (;;) {
    const { text } = await hub.call("/metrics");
    if (text.includes('hub_stream_depth{topic="inbound"} 0')) return;
    await Bun.sleep(100);
  }
}

async function readEverything(): Promise<void> {
  const lists = [
    "/api/v1/webhooks/endpoints",
    "/api/v1/webhooks/receipts",
    "/api/v1/webhooks/rejections",
    "/api/v1/dead-letters",
    "/api/v1/services",
    "/api/v1/api-logs/search",
    "/api/v1/api-keys",
    "/api/v1/audit-log",
    "/health/ready",
    "/metrics",
  ];
  for (const list of lists) {
    const { status, text } = await get(list);
    if (status !== 200 || !text.startsWith('{"data"')) continue;
    for (const { id } of (JSON.parse(text) as { data: { id: string }[] }).data.slice(0, 25)) {
      await get(`${list.replace(/\/search$/, "")}/${id}`);
    }
  }
}

describe("canaries", () => {
  test("search() finds a planted secret in every kind of place, also base64-encoded and as bytes", async () => {
    const planted = `cnry_${crypto.randomUUID()}`;
    await hub.plant(planted);
    const finds = search([{ slot: "planted", secret: planted }], await hub.haystacks());
    const kinds = new Set(finds.map((find) => find.place.split(" ")[0]!));
    expect([...kinds].sort()).toEqual(["AOF", "HTTP", "WAL", "process", "table"]);
    expect(finds.some((find) => find.place.startsWith("AOF") && find.form.startsWith("base64"))).toBe(true);
    expect(finds.some((find) => find.place === "table public.planted" && find.form === "hexadecimal")).toBe(
      true,
    );
  });

  test("the flows did what they were to do", async () => {
    const [counts] = await hub.query<Record<string, number>>(`
      select count(*) filter (where status = 'PROCESSED')::int as processed, count(*) filter (where status = 'DEAD')::int as dead,
             count(*) filter (where status = 'RETRYING')::int as retrying, count(*) filter (where status = 'HELD')::int as held
      from webhook_receipts`);
    expect(counts!["processed"]).toBeGreaterThanOrEqual(300);
    expect(counts!["dead"]).toBeGreaterThanOrEqual(1);
    expect(counts!["retrying"]).toBeGreaterThanOrEqual(1);
    expect(counts!["held"]).toBeGreaterThanOrEqual(1);
  });

  test("the log-in went all its ways, and each left a row", async () => {
    const [counts] = await hub.query<Record<string, number>>(`
      select count(*) filter (where path = '/token' and response_status = 200)::int as given,
             count(*) filter (where path = '/token' and response_status = 400)::int as refused,
             count(*) filter (where path = '/token' and response_status is null)::int as lost,
             count(*) filter (where path = '/token/revocation')::int as revoked,
             count(*) filter (where path = '/api/echo')::int as echoed
      from api_request_logs`);
    expect(counts).toEqual({ given: 2, refused: 1, lost: 1, revoked: 1, echoed: 2 });
    const slots = ["code that was sent", "code_verifier that was sent", "refresh_token that was sent"];
    slots.push("access_token that came", "refresh_token that came", "state of a log-in", "client secret");
    for (const slot of slots) expect(hub.canaries.some((canary) => canary.slot === slot)).toBe(true);
  });

  test("no secret stands in a log, an answer, a table, the WAL or the AOF, in no form", async () => {
    expect(hub.canaries.length).toBeGreaterThan(20);
    expect(search(hub.canaries, await hub.haystacks())).toEqual([]);
  }, 60_000);
});

describe("formsOf()", () => {
  test("formsOf() finds a secret inside base64, whatever stands before and behind it", () => {
    const secret = "cnry_~?>secret";
    for (let before = 0; before < 6; before++) {
      for (let behind = 0; behind < 4; behind++) {
        const text = Buffer.from(`${"a".repeat(before)}${secret}${"z".repeat(behind)}`).toString("base64");
        expect(formsOf(secret).some(({ needle }) => Buffer.from(text).includes(needle))).toBe(true);
      }
    }
  });
});
