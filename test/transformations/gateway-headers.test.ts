import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { CallRunner } from "../../src/domain/gateway/run-calls.ts";
import { createTransformation } from "../../src/domain/transformations/create-transformation.ts";
import { startTestGateway, type TestGateway, type TestIntegration } from "../gateway/gateway-fixture.ts";
import { startTestProvider, type TestProvider } from "../integrations/test-provider.ts";

const CSV_TO_LOADS = {
  code: "csv-to-loads",
  name: "CSV to loads",
  sourceFormat: "CSV",
  targetFormat: "JSON",
  mappingRules: { rules: [{ target: "loads", from: { each: "$item", do: "id" } }] },
} as const;

let hub: TestGateway;
let provider: TestProvider;
let integration: TestIntegration;
beforeAll(async () => {
  hub = await startTestGateway();
  provider = startTestProvider();
  integration = await hub.newIntegration(provider.url);
  await createTransformation(integration.tenant.ctx, {
    code: "load-to-xml",
    name: "Load to XML",
    sourceFormat: "JSON",
    targetFormat: "XML",
    mappingRules: { rules: [{ target: "Load.Id", from: "id", required: true }] },
  });
  await createTransformation(integration.tenant.ctx, CSV_TO_LOADS);
}, 60_000);
afterEach(() => {
  provider.answer = undefined;
  provider.seen.length = 0;
});
afterAll(async () => {
  await hub.stop();
  await provider.stop();
}, 60_000);

const post = (body: string, headers: Record<string, string>): Promise<Response> =>
  integration.proxy("/v1/loads", {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });

describe("Hub-Transform-Request and Hub-Transform-Response", () => {
  test("callThroughTemplates() maps the body on its way out and the answer on its way back", async () => {
    provider.answer = () =>
      new Response(gzipSync("id,weight\nL-1,10\nL-2,20\n"), {
        headers: { "content-type": "text/csv", "content-encoding": "gzip", etag: '"7"' },
      });
    const answer = await post(JSON.stringify({ id: "L-1" }), {
      "hub-transform-request": "load-to-xml@1",
      "hub-transform-response": "csv-to-loads",
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ loads: ["L-1", "L-2"] });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("etag")).toBeNull();
    expect(answer.headers.get("content-encoding")).toBeNull();
    expect(answer.headers.get("hub-log-id")).not.toBeNull();
    const [seen] = provider.seen;
    expect(seen!.headers.get("content-type")).toBe("application/xml");
    expect(seen!.body).toContain("<Load><Id>L-1</Id></Load>");
    expect([...seen!.headers.keys()].filter((name) => name.startsWith("hub-"))).toEqual([]);
  });

  test("callThroughTemplates() sends nothing when the body does not fit: 422 with the place", async () => {
    const answer = await post("{}", { "hub-transform-request": "load-to-xml" });
    const problem = (await answer.json()) as { code: string; errors: { path: string }[] };
    expect([answer.status, problem.code]).toEqual([422, "transformation_failed"]);
    expect(problem.errors[0]).toMatchObject({ message: expect.stringContaining("required_missing") });
    expect(provider.seen).toHaveLength(0);
  });

  test("enqueueCall() refuses a body that does not fit at once, and stores one that does as it will be sent", async () => {
    const later = { prefer: "respond-async", "hub-transform-request": "load-to-xml" };
    const refused = await post("{}", later);
    const problem = (await refused.json()) as { code: string; errors: { path: string }[] };
    expect([refused.status, problem.code]).toEqual([422, "transformation_failed"]);
    expect(problem.errors[0]).toMatchObject({ message: expect.stringContaining("required_missing") });
    const accepted = await post(JSON.stringify({ id: "L-3" }), later);
    expect(accepted.status).toBe(202);
    const stored = await hub.runtime.sqlSystem<{ body: Buffer; type: string; options: object }[]>`
      select body, headers->>'content-type' as type, options from gateway_calls
      where integration_id = ${integration.id}`;
    expect(stored).toMatchObject([{ type: "application/xml" }]);
    expect(stored[0]!.body.toString()).toContain("<Load><Id>L-3</Id></Load>");
    expect(stored[0]!.options).not.toHaveProperty("transformRequest");
  });

  test("CallRunner tells every fault of an answer that does not fit", async () => {
    provider.answer = () => new Response('id,weight\n"L-1,10\n', { headers: { "content-type": "text/csv" } });
    const accepted = await post("{}", { prefer: "respond-async", "hub-transform-response": "csv-to-loads" });
    const runner = new CallRunner(hub.runtime);
    const location = accepted.headers.get("location")!;
    const { apiKey: key } = integration.tenant;
    let json: Record<string, unknown>;
    do {
      await Bun.sleep(20);
      ({ json } = await hub.call("GET", location, { key }));
    } while (json["finishedAt"] === null);
    await runner.stop();
    expect(json).toMatchObject({
      status: "FAILED",
      error: {
        code: "answer_not_transformed",
        errors: [{ message: expect.stringContaining("invalid_csv") }],
      },
    });
  });

  test("callThroughTemplates() undoes the encoding of the body, and refuses one that it cannot undo", async () => {
    const send = (body: Uint8Array | string, encoding: string) =>
      integration.proxy("/v1/loads", {
        method: "POST",
        body: body as BodyInit,
        headers: {
          "content-type": "application/json",
          "content-encoding": encoding,
          "hub-transform-request": "load-to-xml",
        },
      });
    expect((await send(gzipSync('{"id":"L-2"}'), "gzip")).status).toBe(200);
    expect(provider.seen[0]!.body).toContain("<Load><Id>L-2</Id></Load>");
    expect(provider.seen[0]!.headers.get("content-encoding")).toBeNull();
    const codeOf = async (answer: Response) => [
      answer.status,
      ((await answer.json()) as { code: string }).code,
    ];
    expect(await codeOf(await send("x", "zstd"))).toEqual([415, "unsupported_media_type"]);
    expect(await codeOf(await send("no gzip", "gzip"))).toEqual([400, "bad_request"]);
    const bomb = gzipSync(Buffer.alloc(12 * 1024 * 1024));
    expect(await codeOf(await send(bomb, "gzip"))).toEqual([413, "body_too_large"]);
    expect(provider.seen).toHaveLength(1);
  });

  test("callThroughTemplates() answers 502 to a bomb, and to an answer that breaks off before it is whole", async () => {
    const ask = async ({ proxy }: TestIntegration) => {
      const answer = await proxy("/v1/loads", {
        headers: { "hub-transform-response": "csv-to-loads", "hub-retries": "0" },
      });
      return [
        answer.status,
        ((await answer.json()) as { code: string }).code,
        answer.headers.has("hub-log-id"),
      ];
    };
    provider.answer = () =>
      new Response(gzipSync(Buffer.alloc(200 * 1024 * 1024, "a")), {
        headers: { "content-type": "text/csv", "content-encoding": "gzip" },
      });
    expect(await ask(integration)).toEqual([502, "answer_not_transformed", true]);
    const cutter = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () =>
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n${"a".repeat(200_000)}`),
      );
    });
    await new Promise<void>((resolve) => cutter.listen(0, "127.0.0.1", resolve));
    const cut = await hub.newIntegration(`http://127.0.0.1:${(cutter.address() as AddressInfo).port}`);
    await createTransformation(cut.tenant.ctx, CSV_TO_LOADS);
    expect(await ask(cut)).toEqual([502, "upstream_failed", true]);
    cutter.close();
  });

  test("callThroughTemplates() answers 502 when the answer does not fit, and tells its log row", async () => {
    provider.answer = () => new Response('id,"broken', { headers: { "content-type": "text/csv" } });
    const answer = await post("{}", { "hub-transform-response": "csv-to-loads" });
    const problem = (await answer.json()) as { code: string };
    expect([answer.status, problem.code]).toEqual([502, "answer_not_transformed"]);
    expect(answer.headers.get("hub-log-id")).not.toBeNull();
  });

  test("callThroughTemplates() leaves answers of errors as they came", async () => {
    provider.answer = () => Response.json({ error: "no" }, { status: 404 });
    const answer = await post("{}", { "hub-transform-response": "csv-to-loads" });
    expect([answer.status, await answer.json()]).toEqual([404, { error: "no" }]);
  });

  test.each(["nothing", "load-to-xml@9", "a b", "@1"])("refuse %p before the call", async (name) => {
    const answer = await post("{}", { "hub-transform-request": name });
    const problem = (await answer.json()) as { errors: { path: string }[] };
    expect([answer.status, problem.errors[0]?.path]).toEqual([422, "Hub-Transform-Request"]);
    expect(provider.seen).toHaveLength(0);
  });

  test("enqueueCall() refuses a template that there is not before it stores the call", async () => {
    const answer = await post("{}", { prefer: "respond-async", "hub-transform-response": "nothing" });
    expect(answer.status).toBe(422);
  });
});
