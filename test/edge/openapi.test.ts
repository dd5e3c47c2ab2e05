import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { SCOPES } from "../../src/domain/context.ts";
import type { OpenApiDocument } from "../../src/edge/openapi.ts";
import { PROXY } from "../../src/edge/gateway/proxy-document.ts";
import { INGRESS } from "../../src/edge/ingress/ingress-document.ts";
import { PUBLIC_ROUTES } from "../../src/edge/public-routes.ts";
import { type Answer, scopesWithout, startTestApp, type TestApp, type TestTenant } from "./app-fixture.ts";
import { ROUTE_FIXTURES, type RouteFixture } from "./route-fixtures.ts";

let hub: TestApp;
let document: OpenApiDocument;
beforeAll(async () => {
  // All cases share a few tenants; the limit has its own test.
  hub = await startTestApp({
    env: { API_RATE_LIMIT: "100000/60", EGRESS_ALLOW_CIDRS: "127.0.0.0/8", EGRESS_ALLOW_HTTP: "true" },
  });
  document = (await hub.call("GET", "/openapi.json")).json as unknown as OpenApiDocument;
});
afterAll(() => hub.stop());

function operations(): { name: string; path: string; method: string; statuses: string[] }[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { responses }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      path,
      method: method.toUpperCase(),
      statuses: Object.keys(responses),
    })),
  );
}

/** Inbound webhooks are signed instead, and never enter the app; their tests are in test/inbound. */
const INGRESS_NAME = `POST ${INGRESS.path}`;
/** The gateway's proxy streams and never enters the app either; its tests are in test/gateway. */
const isOutsideApp = (name: string): boolean => name === INGRESS_NAME || name.endsWith(` ${PROXY.path}`);
/** The document writes {name} where a route has :name. */
const PUBLIC_NAMES = new Set(Object.keys(PUBLIC_ROUTES).map((name) => name.replaceAll(/:(\w+)/g, "{$1}")));
const isPublic = (name: string): boolean => PUBLIC_NAMES.has(name) || isOutsideApp(name);
const guarded = () => operations().filter(({ name }) => !isPublic(name));

/** The fixture's object under a path, or what stands for one that does not exist. */
function pathOf(template: string, params: Record<string, string>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_match, name: string) => params[name] ?? crypto.randomUUID());
}

const send = (method: string, path: string, fixture: RouteFixture, key: string): Promise<Answer> =>
  hub.call(method, path, { key, ...(fixture.body === undefined ? {} : { body: fixture.body() }) });

const withoutRequestId = ({ status, json }: Answer) => ({ status, json: { ...json, requestId: "" } });

/** A tenant with a key that holds every scope. */
async function fullTenant(): Promise<TestTenant & { fullKey: string }> {
  const tenant = await hub.newTenant();
  return { ...tenant, fullKey: (await hub.newKey(tenant, { scopes: [...SCOPES] })).key };
}

describe("createDocument()", () => {
  test("is valid OpenAPI 3.1", async () => {
    const result = await new Validator().validate(structuredClone(document) as never);
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(document.openapi).toBe("3.1.0");
  });

  test("describes every registered route, except those that are hidden", () => {
    const hidden = hub.app.routes.filter(({ hooks }) => hooks["detail"]?.hide === true);
    const derived = operations().filter(({ name }) => !isOutsideApp(name));
    expect(derived.length).toBe(hub.app.routes.length - hidden.length);
  });

  test("gives every operation a unique id, a summary, a tag and an answer for success", () => {
    const all = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(new Set(all.map(({ operationId }) => operationId)).size).toBe(all.length);
    for (const operation of all) {
      expect(operation.summary ?? "").not.toBe("");
      expect(operation.tags?.length).toBe(1);
      expect(Object.keys(operation.responses).some((status) => status.startsWith("2"))).toBe(true);
    }
  });

  test("names problem documents as application/problem+json and JSON bodies only", () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const { responses, requestBody } of Object.values(methods)) {
        for (const [status, { content }] of Object.entries(responses)) {
          const isProblem = JSON.stringify(content ?? {}).includes("urn:hub:error:");
          if (status >= "400" && isProblem)
            expect(Object.keys(content!)).toEqual(["application/problem+json"]);
        }
        if (path === PROXY.path) continue;
        expect(Object.keys(requestBody?.content ?? { "application/json": 1 })).toEqual(["application/json"]);
      }
    }
  });

  test("names what reading a body can end in, and which bodies may be left out", () => {
    const bodies = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).filter(
        ({ operationId, requestBody }) => requestBody && !/Proxy/.test(operationId),
      ),
    );
    for (const { operationId, responses } of bodies) {
      expect({ operationId, statuses: Object.keys(responses) }).toMatchObject({
        statuses: expect.arrayContaining(["413", "415"]),
      });
    }
    const rotate = document.paths["/api/v1/webhooks/endpoints/{id}/rotate-secret"]!["post"]!;
    const create = document.paths["/api/v1/webhooks/endpoints"]!["post"]!;
    expect([rotate.requestBody!.required, create.requestBody!.required]).toEqual([false, true]);
  });

  test("names Idempotency-Key wherever it counts, and Last-Event-ID", () => {
    const headersOf = (method: string, path: string) =>
      (document.paths[path]![method]!.parameters ?? [])
        .filter((parameter) => parameter.in === "header")
        .map(({ name }) => name.toLowerCase());
    for (const path of [
      "/api/v1/webhooks/endpoints",
      "/api/v1/events",
      "/api/v1/webhooks/subscriptions/{id}/replay",
      "/api/v1/transformations/{id}/rollback",
    ])
      expect({ path, headers: headersOf("post", path) }).toEqual({ path, headers: ["idempotency-key"] });
    expect(headersOf("get", "/api/v1/events/stream")).toEqual(["last-event-id"]);
  });

  test("gives the media type of what is no JSON", () => {
    const typeOf = (path: string) => Object.keys(document.paths[path]!["get"]!.responses["200"]!.content!);
    expect(typeOf("/api/v1/events/stream")).toEqual(["text/event-stream"]);
    expect(typeOf("/metrics")).toEqual(["text/plain"]);
  });

  test("keeps no word of the framework", () => {
    expect(JSON.stringify(document)).not.toMatch(/"(elysiaMeta|numeric|Kind|void)"|"type":"Date"/);
  });
});

describe("every guarded route", () => {
  test("has a fixture here, and no fixture is left over", () => {
    const names = guarded().map(({ name }) => name);
    expect(names.filter((name) => !Object.hasOwn(ROUTE_FIXTURES, name))).toEqual([]);
    expect(Object.keys(ROUTE_FIXTURES).filter((name) => !names.includes(name))).toEqual([]);
  });

  test("answers 401 without a key, with one body", async () => {
    for (const { name, method, path } of guarded()) {
      const answer = await hub.call(method, pathOf(path, {}), method === "GET" ? {} : { body: {} });
      expect({ name, status: answer.status, code: answer.json["code"] }).toEqual({
        name,
        status: 401,
        code: "unauthenticated",
      });
    }
  });

  test("answers 403 to a key with every scope but the one it needs", async () => {
    const tenant = await fullTenant();
    for (const { name, method, path } of guarded()) {
      const fixture = ROUTE_FIXTURES[name]!;
      const params = (await fixture.make?.(hub, tenant)) ?? {};
      const { key } = await hub.newKey(tenant, { scopes: scopesWithout(fixture.scope) });
      const answer = await send(method, pathOf(path, params), fixture, key);
      expect({ name, status: answer.status, code: answer.json["code"] }).toEqual({
        name,
        status: 403,
        code: "forbidden",
      });
    }
  });

  test("answers another tenant's object as one that does not exist, and its own with 2xx", async () => {
    const [mine, theirs] = [await fullTenant(), await fullTenant()];
    for (const { name, method, path, statuses } of guarded()) {
      const fixture = ROUTE_FIXTURES[name]!;
      const params = (await fixture.make?.(hub, mine)) ?? {};
      if (fixture.make !== undefined) {
        const foreign = await send(method, pathOf(path, params), fixture, theirs.fullKey);
        const unknown = await send(method, pathOf(path, {}), fixture, theirs.fullKey);
        expect({ name, status: foreign.status }).toEqual({ name, status: 404 });
        expect(withoutRequestId(foreign)).toEqual(withoutRequestId(unknown));
        expect([...foreign.headers.keys()]).toEqual([...unknown.headers.keys()]);
      }
      const own = await send(method, pathOf(path, params), fixture, mine.fullKey);
      expect({
        name,
        ok: own.status >= 200 && own.status < 300,
        text: own.status < 300 ? "" : own.text,
      }).toEqual({
        name,
        ok: true,
        text: "",
      });
      expect(statuses).toContain(String(own.status));
    }
  });

  test("that creates does so once for one Idempotency-Key", async () => {
    const tenant = await fullTenant();
    for (const { name, method, path, statuses } of guarded()) {
      if (method !== "POST" || !statuses.includes("201")) continue;
      const fixture = ROUTE_FIXTURES[name]!;
      const params = (await fixture.make?.(hub, tenant)) ?? {};
      const request = {
        key: tenant.fullKey,
        body: fixture.body?.(),
        headers: { "idempotency-key": `once ${name}`.replaceAll(" ", "-") },
      };
      const first = await hub.call(method, pathOf(path, params), request);
      const again = await hub.call(method, pathOf(path, params), request);
      expect({ name, status: first.status }).toEqual({ name, status: 201 });
      expect(again.json).toEqual(first.json);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
    }
  });

  test("lists nothing of another tenant", async () => {
    const [mine, theirs] = [await fullTenant(), await fullTenant()];
    for (const { name, method, path } of guarded()) {
      const fixture = ROUTE_FIXTURES[name]!;
      if (method !== "GET" || path.includes("{")) continue;
      for (const other of guarded()) await ROUTE_FIXTURES[other.name]!.make?.(hub, mine);
      const list = await send(method, path, fixture, theirs.fullKey);
      expect({ name, leaks: list.text.includes(mine.id) }).toEqual({ name, leaks: false });
    }
  }, 30_000);
});

describe("every public route", () => {
  test("is registered, and needs no key", async () => {
    for (const name of Object.keys(PUBLIC_ROUTES)) {
      const [method, path] = name.split(" ") as [string, string];
      const answer = await hub.call(method, path);
      expect({ name, refused: [401, 403, 404].includes(answer.status) }).toEqual({ name, refused: false });
    }
  });
});
