import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { type Answer, startTestApp, type TestApp } from "../edge/app-fixture.ts";

const ISSUER = "https://auth.example.test/";
const AUDIENCE = "integration-hub";
const PATH = "/api/v1/audit-log";

const keys = await generateKeyPair("RS256", { extractable: true });
const strangerKeys = await generateKeyPair("RS256", { extractable: true });
const publicJwk = { ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "RS256", use: "sig" };

let keySetAnswer: () => Response | Promise<Response> = () => Response.json({ keys: [publicJwk] });
let keySetCalls = 0;
const keySet = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch() {
    keySetCalls++;
    return keySetAnswer();
  },
});

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp({
    env: { AUTH_JWKS_URL: `${keySet.url.href}jwks`, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE },
  });
});
afterAll(async () => {
  await hub.stop();
  await keySet.stop(true);
});

const claims = (more: Record<string, unknown> = {}): JWTPayload => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "user-1",
  exp: Math.floor(Date.now() / 1000) + 300,
  tenant: `tok-${crypto.randomUUID().slice(0, 8)}`,
  scope: "logs:read",
  ...more,
});

const sign = (
  payload: JWTPayload,
  header: Record<string, unknown> = {},
  key = keys.privateKey,
): Promise<string> =>
  new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: "k1", ...header }).sign(key);

const ask = (token: string): Promise<Answer> => hub.call("GET", PATH, { key: token });

function unsigned(header: object, payload: JWTPayload): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(payload)}`;
}

describe("authenticate() with a token of a key set", () => {
  test("takes a good token, adds its tenant and its user on first sight, once", async () => {
    const payload = claims({ email: "a@example.test", name: "Ann" });
    const token = await sign(payload);
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(token)));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const users = await hub.runtime.sqlSystem`
      select u.subject, u.email, u.name from users u join tenants t on t.id = u.tenant_id
      where t.slug = ${payload["tenant"] as string}`;
    expect([...users]).toEqual([{ subject: "user-1", email: "a@example.test", name: "Ann" }]);
    const audit = (await ask(token)).json["data"] as { verb: string }[];
    expect(audit.filter(({ verb }) => verb === "tenant.create")).toHaveLength(1);
  });

  test("finds a known tenant by slug and by id", async () => {
    const tenant = await hub.newTenant();
    const bySlug = await ask(await sign(claims({ tenant: tenant.slug })));
    const byId = await ask(await sign(claims({ tenant: undefined, tenant_id: tenant.id })));
    expect(bySlug.text).toContain(tenant.id);
    expect(byId.text).toContain(tenant.id);
  });

  test("refuses a token whose tenant_id and tenant disagree", async () => {
    const [one, two] = [await hub.newTenant(), await hub.newTenant()];
    expect((await ask(await sign(claims({ tenant: one.slug, tenant_id: two.id })))).status).toBe(401);
    expect((await ask(await sign(claims({ tenant: one.slug, tenant_id: crypto.randomUUID() })))).status).toBe(
      401,
    );
  });

  test("grants what scope, scopes and role name, and nothing else", async () => {
    expect((await ask(await sign(claims({ scope: "webhooks:read everything" })))).status).toBe(403);
    expect((await ask(await sign(claims({ scope: undefined, scopes: ["logs:read"] })))).status).toBe(200);
    expect((await ask(await sign(claims({ scope: undefined, role: "viewer" })))).status).toBe(200);
    expect((await ask(await sign(claims({ scope: undefined, role: "__proto__" })))).status).toBe(403);
    expect((await ask(await sign(claims({ scope: undefined })))).status).toBe(403);
  });

  test.each<[string, Record<string, unknown>]>([
    ["a wrong issuer", { iss: "https://evil.example.test/" }],
    ["a wrong audience", { aud: "another-service" }],
    ["an expiry in the past", { exp: Math.floor(Date.now() / 1000) - 60 }],
    ["no expiry", { exp: undefined }],
    ["a start in the future", { nbf: Math.floor(Date.now() / 1000) + 600 }],
    ["no subject", { sub: undefined }],
    ["no tenant", { tenant: undefined }],
    ["a tenant that is no slug", { tenant: "../other" }],
    ["a tenant_id that is no UUID", { tenant_id: "1 or 1=1" }],
  ])("refuses a token with %s", async (_name, more) => {
    const payload = Object.fromEntries(
      Object.entries(claims(more)).filter(([, value]) => value !== undefined),
    );
    expect((await ask(await sign(payload))).status).toBe(401);
  });

  test.each(["none", "NONE", "None"])("refuses alg %s", async (alg) => {
    expect((await ask(`${unsigned({ alg, kid: "k1" }, claims())}.`)).status).toBe(401);
  });

  test("refuses HS256 signed with the public key as the secret", async () => {
    const pem = await exportSPKI(keys.publicKey);
    const head = unsigned({ alg: "HS256", kid: "k1" }, claims());
    const signature = createHmac("sha256", pem).update(head).digest("base64url");
    expect((await ask(`${head}.${signature}`)).status).toBe(401);
  });

  test("refuses a key that the token brings along", async () => {
    const jwk = await exportJWK(strangerKeys.publicKey);
    expect((await ask(await sign(claims(), { jwk }, strangerKeys.privateKey))).status).toBe(401);
    const jku = { jku: "http://127.0.0.1:1/keys" };
    expect((await ask(await sign(claims(), jku, strangerKeys.privateKey))).status).toBe(401);
  });

  test("refuses a changed payload", async () => {
    const [header, , signature] = (await sign(claims())).split(".");
    const payload = Buffer.from(JSON.stringify(claims({ scope: "platform:admin" }))).toString("base64url");
    expect((await ask(`${header}.${payload}.${signature}`)).status).toBe(401);
  });

  test("fetches the key set at most once a second for unknown key ids", async () => {
    await ask(await sign(claims()));
    const before = keySetCalls;
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, index) => sign(claims(), { kid: `made-up-${index}` })),
    );
    const startedMs = performance.now();
    const answers = await Promise.all(tokens.map(ask));
    const seconds = (performance.now() - startedMs) / 1000;
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(401));
    expect(keySetCalls - before).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
  });

  test("takes new keys at once, however lately the set was fetched", async () => {
    try {
      for (const kid of ["k2", "k3"]) {
        const next = await generateKeyPair("ES256", { extractable: true });
        const jwk = { ...(await exportJWK(next.publicKey)), kid, alg: "ES256", use: "sig" };
        keySetAnswer = () => Response.json({ keys: [publicJwk, jwk] });
        expect((await ask(await sign(claims(), { alg: "ES256", kid }, next.privateKey))).status).toBe(200);
      }
    } finally {
      keySetAnswer = () => Response.json({ keys: [publicJwk] });
    }
  });
});

describe("authenticate() with a key set that cannot be had", () => {
  const outages: [string, () => Response | Promise<Response>][] = [
    ["answers 500", () => new Response("no", { status: 500 })],
    ["redirects", () => Response.redirect("http://127.0.0.1:1/elsewhere", 302)],
    ["is no key set", () => new Response("<html>")],
    ["does not end", () => new Response("x".repeat(300_000))],
  ];
  test.each(outages)("answers 503, not 401, when it %s", async (_name, answer) => {
    keySetAnswer = answer;
    const cold = await startTestApp({
      env: { AUTH_JWKS_URL: `${keySet.url.href}jwks`, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE },
    });
    try {
      const refused = await cold.call("GET", PATH, { key: await sign(claims()) });
      expect([refused.status, refused.json["code"]]).toEqual([503, "unavailable"]);
      expect(refused.headers.get("retry-after")).toBe("5");
    } finally {
      keySetAnswer = () => Response.json({ keys: [publicJwk] });
      await cold.stop();
    }
  });
});

describe("authenticate() with a shared secret", () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const bytes = new TextEncoder().encode(secret);

  test("takes HS256 with the secret only", async () => {
    const shared = await startTestApp({
      env: { AUTH_JWT_SECRET: secret, AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE },
    });
    try {
      const make = (alg: string, key: Uint8Array): Promise<string> =>
        new SignJWT(claims()).setProtectedHeader({ alg }).sign(key);
      const status = async (key: string): Promise<number> => (await shared.call("GET", PATH, { key })).status;
      expect(await status(await make("HS256", bytes))).toBe(200);
      expect(await status(await make("HS256", bytes.toReversed()))).toBe(401);
      expect(await status(await make("HS512", new Uint8Array(64).fill(1)))).toBe(401);
      expect(await status(await sign(claims()))).toBe(401);
    } finally {
      await shared.stop();
    }
  });
});
