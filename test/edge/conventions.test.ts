import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import pino from "pino";
import { ERRORS, HubError } from "../../src/domain/errors.ts";
import { answerHeaders } from "../../src/edge/plugins/answer-headers.ts";
import { answerShape } from "../../src/edge/plugins/answer-shape.ts";
import { methodTable, type RegisteredRoute } from "../../src/edge/plugins/method-table.ts";
import { problemPlugin } from "../../src/edge/plugins/problem.ts";
import { problems } from "../../src/edge/problems.ts";
import { startTestApp, type TestApp } from "./app-fixture.ts";

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp();
});
afterAll(() => hub.stop());

const KEYS = "/api/v1/api-keys";

describe("createApp() with bad input", () => {
  test("answers 401 before it reads or judges the body", async () => {
    for (const body of ["{bad", { unknown: true }, "x".repeat(2_000_000)]) {
      const answer = await hub.call("POST", KEYS, { key: "hub_wrong", body });
      expect([answer.status, answer.json["code"]]).toEqual([401, "unauthenticated"]);
    }
  });

  test("names unknown fields by their path, at every depth", async () => {
    const { apiKey: key } = await hub.newTenant();
    const flat = await hub.call("POST", KEYS, {
      key,
      body: { name: "x", role: "viewer", tenantId: "other" },
    });
    expect(flat.json["errors"]).toEqual([{ path: "/tenantId", message: expect.any(String) }]);
    const nested = await hub.call("POST", "/api/v1/webhooks/endpoints", {
      key,
      body: { handlerType: "CUSTOM", rateLimit: { limit: 1, windowSeconds: 1, colour: "red" } },
    });
    expect(nested.status).toBe(422);
    expect(nested.text).toContain("/rateLimit");
    const query = await hub.call("GET", `${KEYS}?offset=3`, { key });
    expect(query.json["errors"]).toEqual([{ path: "offset", message: expect.any(String) }]);
  });

  test("tells the bound that a value passes, and the parameter that it came in", async () => {
    const tenant = await hub.newTenant();
    const faultsOf = async (method: string, path: string, body?: unknown) => {
      const answer = await hub.call(method, path, {
        key: tenant.apiKey,
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBe(422);
      return Object.fromEntries(
        (answer.json["errors"] as { path: string; message: string }[]).map(({ path: at, message }) => [
          at,
          message,
        ]),
      );
    };
    const input = { name: "x", maxRetries: 11, timeoutSeconds: 1.5, syncFrequency: "WEEKLY" };
    expect(await faultsOf("POST", "/api/v1/integrations", input)).toEqual({
      "/maxRetries": "Expected integer to be less or equal to 10",
      "/timeoutSeconds": "Expected integer",
      "/syncFrequency": 'Expected one of: "REALTIME", "HOURLY", "DAILY", "MANUAL", null',
    });
    expect(await faultsOf("GET", "/api/v1/integrations?limit=0&status=ACTIVE")).toEqual({
      limit: "Expected integer to be greater or equal to 1",
    });
    expect(await faultsOf("GET", "/api/v1/integrations?limit=many")).toEqual({ limit: "Expected number" });
  });

  test("never echoes a value", async () => {
    const { apiKey: key } = await hub.newTenant();
    const answer = await hub.call("POST", KEYS, { key, body: { name: 17, role: "canary-value" } });
    expect(answer.status).toBe(422);
    expect(answer.text).not.toContain("canary-value");
  });

  test.each<[string, string, string, number, string]>([
    ["broken JSON", "{bad", "application/json", 400, "bad_request"],
    ["JSON 100,000 levels deep", "[".repeat(100_000), "application/json", 400, "bad_request"],
    ["a NUL in a string", '{"name":"a\\u0000b","role":"viewer"}', "application/json", 400, "bad_request"],
    ["a lone surrogate", '{"name":"\\ud800","role":"viewer"}', "application/json", 400, "bad_request"],
    [
      "__proto__",
      '{"name":"x","role":"viewer","__proto__":{"a":1}}',
      "application/json",
      422,
      "invalid_input",
    ],
    ["a form", "name=x&role=viewer", "application/x-www-form-urlencoded", 415, "unsupported_media_type"],
    ["text", "hello", "text/plain", 415, "unsupported_media_type"],
    ["more than 1 MiB", `"${"x".repeat(1_048_576)}"`, "application/json", 413, "body_too_large"],
    ["nothing", "", "application/json", 422, "invalid_input"],
    ["null", "null", "application/json", 422, "invalid_input"],
  ])("refuses %s", async (_name, body, contentType, status, code) => {
    const { apiKey: key } = await hub.newTenant();
    const answer = await hub.call("POST", KEYS, { key, body, headers: { "content-type": contentType } });
    expect([answer.status, answer.json["code"]]).toEqual([status, code]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  test("says of a compressed body that it must not be, and takes the coding that changes nothing", async () => {
    const { apiKey: key } = await hub.newTenant();
    const body = JSON.stringify({ name: "x", role: "viewer" });
    const send = (coding: string) =>
      hub.call("POST", KEYS, { key, body, headers: { "content-encoding": coding } });
    const refused = await send("gzip");
    expect([refused.status, refused.json["code"]]).toEqual([415, "unsupported_media_type"]);
    expect(refused.json["detail"]).toContain("Content-Encoding");
    expect((await send("identity")).status).toBe(201);
  });

  test("refuses a NUL in a query, and finds nothing under a name that holds one", async () => {
    const { apiKey: key } = await hub.newTenant();
    for (const query of [
      "audit-log?verb=a%00",
      "webhooks/receipts?eventId=%00",
      "api-logs/search?url=%00",
      "dead-letters?eventType=%00",
    ]) {
      const answer = await hub.call("GET", `/api/v1/${query}`, { key });
      const path = /\?(\w+)=/.exec(query)![1];
      expect([answer.status, answer.json["errors"]]).toEqual([422, [{ path, message: "must not hold NUL" }]]);
      expect((await hub.call("GET", `/api/v1/${query}`)).status).toBe(401);
    }
    const named = await hub.call("GET", "/api/v1/services/a%00", { key });
    expect([named.status, named.json["code"]]).toEqual([404, "not_found"]);
  });

  test("refuses a parameter that is given more than once, instead of choosing one", async () => {
    const { apiKey: key } = await hub.newTenant();
    const path = "/api/v1/webhooks/receipts?status=DEAD&limit=1&%73tatus=PROCESSED";
    const answer = await hub.call("GET", path, { key });
    expect([answer.status, answer.json["errors"]]).toEqual([
      422,
      [{ path: "status", message: "is given more than once" }],
    ]);
    expect((await hub.call("GET", "/api/v1/webhooks/receipts?status=DEAD&limit=1", { key })).status).toBe(
      200,
    );
  });

  test("answers 404 and 405 as problems, the hundredth time like the first", async () => {
    for (let round = 0; round < 3; round++) {
      const unknown = await hub.call("GET", "/api/v1/nothing");
      expect([unknown.status, unknown.json["code"]]).toEqual([404, "not_found"]);
      const method = await hub.call("PATCH", KEYS);
      expect([method.status, method.json["code"]]).toEqual([405, "method_not_allowed"]);
      expect(method.headers.get("allow")).toBe("GET, HEAD, OPTIONS, POST");
    }
  });

  test("answers HEAD like GET without a body, and OPTIONS with the methods, without CORS", async () => {
    const { apiKey: key } = await hub.newTenant();
    const head = await hub.call("HEAD", KEYS, { key });
    expect([head.status, head.text]).toEqual([200, ""]);
    const options = await hub.call("OPTIONS", `${KEYS}/x`, {
      headers: { origin: "https://evil.example.test" },
    });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "DELETE, OPTIONS"]);
    expect([...options.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test.each(["x", "hub", "hub:80", "[::1]", "hub.example.test"])(
    "answers under the host %s",
    async (host) => {
      const { apiKey } = await hub.newTenant();
      const call = (path: string, method = "GET"): Promise<Response> =>
        Promise.resolve(
          hub.app.handle(
            new Request(`http://${host}${path}`, { method, headers: { authorization: `Bearer ${apiKey}` } }),
          ),
        );
      expect((await call("/health/live")).status).toBe(200);
      expect(await (await call(`${KEYS}?limit=1`)).json()).toMatchObject({
        data: [{ name: expect.any(String) }],
      });
      expect((await call(`${KEYS}/x`, "DELETE")).status).toBe(404);
      expect((await call(KEYS, "PATCH")).headers.get("allow")).toBe("GET, HEAD, OPTIONS, POST");
    },
  );

  test("shows nothing of a fault of ours", async () => {
    const { apiKey: key, id } = await hub.newTenant();
    await hub.runtime
      .sqlSystem`update api_keys set scopes = '{keys:write}', role = null where tenant_id = ${id}`;
    await hub.runtime.sqlSystem`update api_keys set created_at = 'infinity' where tenant_id = ${id}`;
    const answer = await hub.call("GET", KEYS, { key });
    expect(answer.json).toEqual({
      type: "urn:hub:error:internal",
      title: ERRORS.internal.title,
      status: 500,
      code: "internal",
      requestId: expect.any(String),
    });
  });
});

describe("createApp() headers", () => {
  test("hands X-Request-Id on, and replaces one that is long or odd", async () => {
    const given = await hub.call("GET", "/nowhere", { headers: { "x-request-id": "trace-1/a:b" } });
    expect(given.headers.get("x-request-id")).toBe("trace-1/a:b");
    expect(given.json["requestId"]).toBe("trace-1/a:b");
    for (const odd of ["x".repeat(101), "a b", "<script>", '"']) {
      const replaced = await hub.call("GET", "/nowhere", { headers: { "x-request-id": odd } });
      expect(replaced.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("forbids sniffing, framing, caching and referring, on errors too", async () => {
    const { apiKey: key } = await hub.newTenant();
    for (const answer of [await hub.call("GET", KEYS, { key }), await hub.call("GET", KEYS)]) {
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    }
  });

  test("serves the docs page without a script or a request that leaves the hub", async () => {
    const page = await hub.call("GET", "/docs");
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(page.text).not.toMatch(/<script|https?:\/\/(?!127\.0\.0\.1)/);
    expect(page.text).toContain("/api/v1/webhooks/endpoints");
    expect(page.headers.get("content-security-policy")).toContain("style-src 'self'");
  });
});

describe("management limits", () => {
  test("count the calls of a tenant and answer 429 with Retry-After", async () => {
    const limited = await startTestApp({ env: { API_RATE_LIMIT: "3/60" } });
    try {
      const [one, two] = [await limited.newTenant(), await limited.newTenant()];
      const ask = (key: string) => limited.call("GET", KEYS, { key });
      for (let index = 0; index < 3; index++) expect((await ask(one.apiKey)).status).toBe(200);
      const refused = await ask(one.apiKey);
      expect([refused.status, refused.json["code"]]).toEqual([429, "rate_limited"]);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect((await ask(two.apiKey)).status).toBe(200);
    } finally {
      await limited.stop();
    }
  });

  test("refuse an address that guesses keys, good keys of other addresses not", async () => {
    const guessed = await startTestApp({ env: { TRUSTED_PROXIES: "127.0.0.0/8" } });
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => guessed.app.handle(request),
    });
    guessed.app.server = server as never;
    const ask = async (key: string, from: string): Promise<number> => {
      const headers = { authorization: `Bearer ${key}`, "x-forwarded-for": from };
      return (await fetch(`${server.url.href}api/v1/api-keys`, { headers })).status;
    };
    try {
      const { apiKey } = await guessed.newTenant();
      for (let index = 0; index < 30; index++) expect(await ask("hub_guess", "192.0.2.1")).toBe(401);
      expect(await ask("hub_guess", "192.0.2.1")).toBe(429);
      expect(await ask(apiKey, "192.0.2.1")).toBe(429);
      expect(await ask(apiKey, "192.0.2.2")).toBe(200);
    } finally {
      await server.stop(true);
      await guessed.stop();
    }
  });
});

describe("problemPlugin() and answerShape()", () => {
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  const registered: RegisteredRoute[] = [];
  const Row = Type.Object({ id: Type.String() });
  const app = new Elysia({ normalize: false })
    .use(problemPlugin(log, methodTable(registered)))
    .use(answerHeaders(true))
    .use(answerShape(registered))
    .get("/leak", () => ({ data: [{ id: "1", secret: "s3cret" }], secret: "s3cret" }) as never, {
      response: { 200: Type.Object({ data: Type.Array(Row) }), ...problems() },
    })
    .get("/breach", () => ({ id: 17 }) as never, { response: { 200: Row, ...problems() } })
    .get("/throws", () => {
      throw new Error("password=hunter2 at /srv/hub/db.ts");
    })
    .get("/text", () => {
      throw "a string";
    })
    .get("/busy", () => {
      throw new HubError("unavailable", undefined, { retryAfterSeconds: 7 });
    });
  registered.push(...app.routes);
  const get = async (path: string): Promise<Response> => app.handle(new Request(`http://localhost${path}`));

  test("answerShape() removes what the schema does not name", async () => {
    expect(await (await get("/leak")).json()).toEqual({ data: [{ id: "1" }] });
  });

  test("an answer that breaks its schema is our fault: 500, logged", async () => {
    const answer = await get("/breach");
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([500, "internal"]);
    expect(lines.some((line) => line.includes("/breach"))).toBe(true);
  });

  test("messages of unknown errors stay in the log", async () => {
    for (const path of ["/throws", "/text"]) {
      const text = await (await get(path)).text();
      expect(text).toContain('"code":"internal"');
      expect(text).not.toMatch(/hunter2|srv|a string/);
    }
    expect(lines.some((line) => line.includes("/throws"))).toBe(true);
  });

  test("Retry-After comes from the error, and https is for ever", async () => {
    const answer = await get("/busy");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "7"]);
    expect(answer.headers.get("strict-transport-security")).toContain("max-age=");
  });
});

describe("ERRORS", () => {
  test("has a status and a title of its own for each code", () => {
    const titles = Object.values(ERRORS).map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
    for (const { status } of Object.values(ERRORS)) expect(status).toBeGreaterThanOrEqual(400);
  });
});
