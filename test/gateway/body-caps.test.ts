import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { createEndpoint } from "../../src/domain/inbound/create-endpoint.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { serveBeside } from "./served-edge.ts";

const MIB = 1024 * 1024;
let hub: TestApp;
let tenant: TestTenant;
let edge: Awaited<ReturnType<typeof serveBeside>>;
let webhookPath: string;

beforeAll(async () => {
  hub = await startTestApp({ env: { API_RATE_LIMIT: "100000/60" } });
  edge = await serveBeside(hub);
  tenant = await hub.newTenant();
  const endpoint = await createEndpoint(tenant.ctx, {
    handlerType: "CUSTOM",
    signatureScheme: "github",
    secretKey: "a secret of the test",
  });
  webhookPath = `/webhooks/${tenant.slug}/${endpoint.endpointPath}`;
});
afterAll(async () => {
  await edge.stop();
  await hub.stop();
});

const PIECE = Buffer.alloc(64 * 1024, "x");
const CHUNK = Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from("\r\n")]);

/** Sends a body that has no end until an answer comes: its first line, and how much had been taken by then. */
async function sendEndless(
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; sentBytes: number; body: string }> {
  const isChunked = headers["Transfer-Encoding"] === "chunked";
  const lines = Object.entries({ Host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}`);
  let text = "";
  let sentBytes = 0;
  const socket = connect(edge.port, "127.0.0.1");
  const closed = Promise.withResolvers<void>();
  socket.on("error", () => undefined).on("close", () => closed.resolve());
  socket.on("data", (bytes) => {
    text += bytes.toString();
    if (/\r\n\r\n[^]*(?:\}|<\/html>\s*|\r\n0\r\n\r\n)$/.test(text)) socket.destroy();
  });
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  const more = (): void => {
    while (!socket.destroyed && sentBytes < 2 * 1024 * MIB) {
      const goesOn = socket.write(isChunked ? CHUNK : PIECE);
      sentBytes += PIECE.length;
      if (!goesOn) return void socket.once("drain", more);
    }
  };
  more();
  await closed.promise;
  return { status: Number(text.split(" ", 2)[1]), sentBytes, body: text.slice(text.indexOf("\r\n\r\n") + 4) };
}

/** Nobody takes much more than the cap: what is under way in the sockets' buffers. */
const UNDER_WAY = 16 * MIB;

describe("caps of bodies, although the server itself has none", () => {
  const management = (): [string, Record<string, string>] => [
    "/api/v1/integrations",
    { authorization: `Bearer ${tenant.apiKey}`, "content-type": "application/json" },
  ];
  test.each<[string, () => [string, Record<string, string>], number, number]>([
    ["a management call's", management, 413, MIB],
    ["a stranger's", () => ["/api/v1/integrations", { "content-type": "application/json" }], 401, 0],
    ["a webhook's", () => [webhookPath, { "x-hub-signature-256": `sha256=${"0".repeat(64)}` }], 413, MIB],
    [
      "one that is done later",
      () => [proxyPath(), { ...management()[1], prefer: "respond-async" }],
      413,
      10 * MIB,
    ],
    [
      "a form's of the log-in",
      () => ["/oauth/account", { "content-type": "application/x-www-form-urlencoded" }],
      400,
      0,
    ],
  ])(
    "%s body is refused with or without a declared length, and its rest is not taken",
    async (_name, to, status, cap) => {
      const [path, headers] = to();
      for (const framing of [{ "Transfer-Encoding": "chunked" }, { "Content-Length": String(1024 * MIB) }]) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const answer = await sendEndless(path, { ...headers, ...framing });
        expect([answer.status, answer.sentBytes < cap + UNDER_WAY]).toEqual([status, true]);
        if (status === 413)
          expect(JSON.parse(answer.body.replace(/^[^{]*/, ""))).toMatchObject({ code: "body_too_large" });
      }
    },
  );

  const proxyPath = (): string => "/api/v1/integrations/0192f1c4-7c10-7aa1-b0de-8e4f6a2c1b90/proxy/x";
});
