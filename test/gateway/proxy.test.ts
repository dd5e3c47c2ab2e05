import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { GOOD_KEY, startTestProvider, type TestProvider } from "../integrations/test-provider.ts";
import { startTestGateway, type TestGateway } from "./gateway-fixture.ts";

let hub: TestGateway;
let provider: TestProvider;

beforeAll(async () => {
  hub = await startTestGateway();
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

/** Sends bytes as they are, which no client would, and reads until the hub closes. */
function sendRaw(text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(hub.port, "127.0.0.1", () => socket.write(text));
  socket.on("data", (bytes) => (answer += bytes.toString()));
  socket.on("close", () => resolve(answer));
  socket.on("error", reject);
  return promise;
}

describe("ANY /integrations/:id/proxy/*", () => {
  test("callProvider() passes method, path, query, headers and body on, and the answer back unchanged", async () => {
    const { proxy, id } = await hub.newIntegration(provider.url);
    provider.answer = () =>
      new Response(`{"a":1}`, {
        status: 207,
        headers: { "content-type": "application/vnd.x+json", etag: `"7"`, "x-request-id": "of-the-provider" },
      });
    const answer = await proxy("/v1/loads/7?b=2&a=1&a=%20x", {
      method: "PATCH",
      body: "hello",
      headers: { "content-type": "text/x-odd", "x-own": "1", "x-request-id": "mine-1" },
    });
    expect(answer.status).toBe(207);
    expect(await answer.text()).toBe(`{"a":1}`);
    expect(answer.headers.get("content-type")).toBe("application/vnd.x+json");
    expect(answer.headers.get("etag")).toBe(`"7"`);
    expect(answer.headers.get("hub-error-source")).toBeNull();
    expect(answer.headers.get("hub-attempts")).toBe("1");
    expect(answer.headers.get("hub-queued-ms")).toBe("0");
    expect(answer.headers.get("hub-rate-remaining")).toBe("9999");
    expect(answer.headers.get("hub-circuit")).toBe("CLOSED");
    const [seen] = provider.seen;
    expect(seen).toMatchObject({ method: "PATCH", path: "/v1/loads/7?b=2&a=1&a=%20x", body: "hello" });
    expect(seen!.headers.get("authorization")).toBe(`Key ${GOOD_KEY}`);
    expect(seen!.headers.get("x-own")).toBe("1");
    expect(seen!.headers.get("content-type")).toBe("text/x-odd");
    const [row] = await hub.logsOf(id);
    expect(row).toMatchObject({
      id: answer.headers.get("hub-log-id"),
      method: "PATCH",
      status: "SUCCESS",
      responseStatus: 207,
      correlationId: "mine-1",
      attemptNumber: 1,
      retryOf: null,
      body: "hello",
      bodySize: 5,
      responseBody: `{"a":1}`,
      responseSize: 7,
    });
    expect(Object.keys(row!.timings).toSorted()).toEqual(
      expect.arrayContaining(["firstByte", "limiter", "queue", "refresh", "total"]),
    );
    expect(row!.whole).not.toContain(GOOD_KEY);
  });

  test("callProvider() passes a provider's errors on as they are", async () => {
    const { proxy } = await hub.newIntegration(provider.url);
    provider.answer = () => Response.json({ odd: true }, { status: 418, headers: { "x-why": "tea" } });
    const answer = await proxy("/pot");
    expect([answer.status, answer.headers.get("x-why"), await answer.json()]).toEqual([
      418,
      "tea",
      { odd: true },
    ]);
    expect(answer.headers.get("hub-error-source")).toBeNull();
  });

  test("callProvider() passes every method on, HEAD with its length", async () => {
    const { proxy } = await hub.newIntegration(provider.url);
    provider.answer = (request) =>
      new Response("12345", { headers: { "x-method": request.method, etag: "e" } });
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]) {
      const answer = await proxy("/x", { method });
      expect(answer.headers.get("x-method")).toBe(method);
      if (method === "HEAD") expect(answer.headers.get("content-length")).toBe("5");
    }
    const refused = await proxy("/x", { method: "PROPFIND" });
    expect([refused.status, refused.headers.get("hub-error-source")]).toEqual([405, "hub"]);
  });

  test("callProvider() keeps the caller's credential, cookies and addresses to itself", async () => {
    const { proxy, id, tenant } = await hub.newIntegration(provider.url);
    await proxy("/x", {
      headers: {
        cookie: "session=1",
        "x-forwarded-for": "10.1.2.3",
        forwarded: "for=10.1.2.3",
        "x-forwarded-host": "inner",
        "hub-priority": "high",
        "x-http-method-override": "DELETE",
        "proxy-authorization": "Basic eDp5",
        te: "trailers",
        "x-keep": "yes",
      },
    });
    const names = [...provider.seen[0]!.headers.keys()];
    for (const name of ["cookie", "x-forwarded-for", "forwarded", "x-forwarded-host", "hub-priority", "te"])
      expect(names).not.toContain(name);
    expect(names).not.toContain("proxy-authorization");
    expect(names).not.toContain("x-http-method-override");
    expect(names).toContain("x-keep");
    const [row] = await hub.logsOf(id);
    expect(row!.whole).not.toContain(tenant.apiKey);
  });

  test.each([
    ["a GET with a length", "GET", 'Content-Length: 7\r\n\r\n{"a":1}'],
    ["a GET in chunks", "GET", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"],
    ["a long HEAD", "HEAD", `Content-Length: 100000\r\n\r\n${"x".repeat(100_000)}`],
    ["an asynchronous GET", "GET", "Prefer: respond-async\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ])("handleProxy() refuses %s, whose body would be lost", async (_name, method, rest) => {
    const { tenant, id } = await hub.newIntegration(provider.url);
    const answer = await sendRaw(
      `${method} /api/v1/integrations/${id}/proxy/x HTTP/1.1\r\nHost: hub\r\n` +
        `Authorization: Bearer ${tenant.apiKey}\r\nConnection: close\r\n${rest}`,
    );
    expect(answer).toStartWith("HTTP/1.1 400");
    if (method === "GET") expect(answer).toContain("A GET with a body cannot be passed on.");
    expect(provider.seen).toHaveLength(0);
  });

  test("callProvider() refuses what it may not do: scope, tenant, status", async () => {
    const { proxy, id } = await hub.newIntegration(provider.url);
    const other = await hub.newTenant();
    const viewer = await hub.newKey(other, { role: "viewer" });
    const as = async (key: string) => {
      const answer = await proxy("/x", { headers: { authorization: `Bearer ${key}` } });
      return [
        answer.status,
        ((await answer.json()) as { code: string }).code,
        answer.headers.get("hub-error-source"),
      ];
    };
    expect(await as(other.apiKey)).toEqual([404, "not_found", "hub"]);
    expect(await as(viewer.key)).toEqual([403, "forbidden", "hub"]);
    expect(await as("hub_nothing")).toEqual([401, "unauthenticated", "hub"]);
    await hub.runtime.sqlSystem`update integrations set status = 'PAUSED' where id = ${id}`;
    const { tenant, proxy: paused, id: pausedId } = await hub.newIntegration(provider.url);
    await hub.call("POST", `/api/v1/integrations/${pausedId}/disable`, { key: tenant.apiKey });
    const answer = await paused("/x");
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      409,
      "integration_paused",
    ]);
    expect(provider.seen).toEqual([]);
  });

  test("readCallOptions() tells each control header that is wrong", async () => {
    const { proxy } = await hub.newIntegration(provider.url);
    const answer = await proxy("/x", {
      headers: {
        "hub-priority": "urgent",
        "hub-timeout-ms": "1.5",
        "hub-retries": "99",
        "hub-queue-timeout-ms": "-1",
      },
    });
    expect(answer.status).toBe(422);
    const { errors } = (await answer.json()) as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path)).toEqual([
      "Hub-Priority",
      "Hub-Timeout-Ms",
      "Hub-Queue-Timeout-Ms",
      "Hub-Retries",
    ]);
  });
});

describe("GET /api/v1/integrations/:id/health", () => {
  test("getHealthWithLimits() tells what the provider's limits leave, and for how long it wants no call", async () => {
    const quota = { name: "minute", limit: 2, windowSeconds: 60, scope: "integration" } as const;
    const { proxy, id, tenant } = await hub.newIntegration(provider.url, {
      quotas: [quota, { name: "atOnce", limit: 4, scope: "integration" }],
    });
    const health = async () =>
      (await hub.call("GET", `/api/v1/integrations/${id}/health`, { key: tenant.apiKey })).json;
    const unused = { name: "minute", limit: 2, windowSeconds: 60, remaining: 2, nextMs: 0 };
    expect(await health()).toMatchObject({
      health: "healthy",
      limits: { waiting: 0, inFlight: 0, inFlightMax: 4, heldMs: 0, quotas: [unused] },
    });
    await (await proxy("/x")).text();
    expect(await health()).toMatchObject({ health: "healthy", limits: { quotas: [{ remaining: 1 }] } });
    provider.answer = () => new Response("", { status: 429, headers: { "retry-after": "3600" } });
    await (await proxy("/x")).text();
    const { health: word, limits } = await health();
    const { heldMs, quotas } = limits as { heldMs: number; quotas: { remaining: number; nextMs: number }[] };
    expect([word, quotas[0]!.remaining]).toEqual(["degraded", 0]);
    expect([heldMs > 3_500_000, quotas[0]!.nextMs > 0]).toEqual([true, true]);
    // Nothing went out: no attempt is told.
    const refused = await proxy("/x");
    expect([refused.status, refused.headers.get("hub-attempts")]).toEqual([429, "0"]);
  });
});

describe("what leads out of the base address", () => {
  const TRICKS = [
    "//evil.example/x",
    "/a//b",
    "/a%2f..%2fb",
    "/%252e%252e/x",
    "/a%5cb",
    "/..;x/y",
    "/%c0%ae%c0%ae/x",
    "/a%00b",
  ];
  test.each(TRICKS)("callProvider() refuses %s", async (path) => {
    const { proxy } = await hub.newIntegration(`${provider.url}/base`);
    const answer = await proxy(path);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, "path_invalid"]);
    expect(provider.seen).toEqual([]);
  });

  test("callProvider() takes an @ for a part of the path", async () => {
    const { proxy } = await hub.newIntegration(`${provider.url}/base`);
    await proxy("/@evil.example/x");
    expect(provider.seen.map(({ path }) => path)).toEqual(["/base/@evil.example/x"]);
  });
});
