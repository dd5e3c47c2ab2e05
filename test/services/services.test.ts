import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createEndpoint } from "../../src/domain/inbound/create-endpoint.ts";
import { deleteEndpoint } from "../../src/domain/inbound/delete-endpoint.ts";
import { checkServiceUrl } from "../../src/domain/services/check-service-url.ts";
import { newId } from "../../src/platform/uuid.ts";
import { startTestApp, type TestApp } from "../edge/app-fixture.ts";

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp();
});
afterAll(() => hub.stop());

const pathOf = (name: string): string => `/api/v1/services/${name}`;

describe("PUT /api/v1/services/:name", () => {
  test("registers with 201 and replaces with 200", async () => {
    const { apiKey } = await hub.newTenant();
    const made = await hub.call("PUT", pathOf("orders"), { key: apiKey, body: { kind: "STREAM" } });
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({ kind: "STREAM", streamKey: "svc:orders", isPlatform: false });
    const body = { kind: "HTTP", url: "http://10.0.0.7:8080/hook", timeoutSeconds: 5 };
    const replaced = await hub.call("PUT", pathOf("orders"), { key: apiKey, body });
    expect(replaced.status).toBe(200);
    const shown = await hub.call("GET", pathOf("orders"), { key: apiKey });
    expect(shown.json).toMatchObject({ ...body, streamKey: null, id: made.json["id"] });
  });

  test.each([
    ["an HTTP service without an address", "orders", { kind: "HTTP" }],
    ["a stream with an address", "orders", { kind: "STREAM", url: "http://10.0.0.7/" }],
    ["a name with capitals", "Orders", { kind: "STREAM" }],
    ["an unknown field", "orders", { kind: "STREAM", colour: "red" }],
    ["the cloud's metadata address", "orders", { kind: "HTTP", url: "http://169.254.169.254/" }],
  ])("refuses %s with 422", async (_what, name, body) => {
    const { apiKey } = await hub.newTenant();
    const answer = await hub.call("PUT", pathOf(name), { key: apiKey, body });
    expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
  });

  test("keeps equal names of two tenants apart", async () => {
    const [mine, theirs] = [await hub.newTenant(), await hub.newTenant()];
    await hub.call("PUT", pathOf("orders"), { key: mine.apiKey, body: { kind: "STREAM" } });
    const answer = await hub.call("GET", pathOf("orders"), { key: theirs.apiKey });
    expect(answer.status).toBe(404);
  });
});

describe("a service of the platform", () => {
  test("is seen by every tenant, hidden by its own one, and deleted by none", async () => {
    const { apiKey } = await hub.newTenant();
    const name = `p-${newId().slice(-12)}`;
    await hub.runtime.sqlSystem`insert into services (name, kind) values (${name}, 'STREAM')`;
    const seen = await hub.call("GET", pathOf(name), { key: apiKey });
    expect(seen.json).toMatchObject({ isPlatform: true, kind: "STREAM" });
    expect((await hub.call("DELETE", pathOf(name), { key: apiKey })).status).toBe(404);

    const body = { kind: "HTTP", url: "http://10.0.0.7/" };
    expect((await hub.call("PUT", pathOf(name), { key: apiKey, body })).status).toBe(201);
    const own = await hub.call("GET", pathOf(name), { key: apiKey });
    expect(own.json).toMatchObject({ isPlatform: false, kind: "HTTP" });
  });
});

describe("DELETE /api/v1/services/:name", () => {
  test("answers 409 while an endpoint routes to it, then 204", async () => {
    const { apiKey, ctx } = await hub.newTenant();
    await hub.call("PUT", pathOf("orders"), { key: apiKey, body: { kind: "STREAM" } });
    const endpoint = await createEndpoint(ctx, {
      handlerType: "CUSTOM",
      signatureScheme: "github",
      targetService: "orders",
    });
    const refused = await hub.call("DELETE", pathOf("orders"), { key: apiKey });
    expect([refused.status, refused.json["code"]]).toEqual([409, "in_use"]);
    expect((await hub.call("GET", pathOf("orders"), { key: apiKey })).status).toBe(200);
    await deleteEndpoint(ctx, { id: endpoint.id });
    expect((await hub.call("DELETE", pathOf("orders"), { key: apiKey })).status).toBe(204);
    expect((await hub.call("GET", pathOf("orders"), { key: apiKey })).status).toBe(404);
  });
});

describe("checkServiceUrl()", () => {
  test.each([
    "ftp://10.0.0.1/",
    "http://user:secret@10.0.0.1/",
    "http://10.0.0.1/#part",
    "http://[fe80::1]/",
    "http://0x7f.1/#x",
    "http://2852039166/",
    "orders",
  ])("refuses %s", (url) => {
    expect(checkServiceUrl(url)).toHaveProperty("problem");
  });

  test("takes private addresses, because services are internal", () => {
    expect(checkServiceUrl("http://10.0.0.1:8080/in")).toEqual({ url: "http://10.0.0.1:8080/in" });
  });
});
