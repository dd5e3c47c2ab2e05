import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { Socket } from "node:net";
import { GOOD_KEY } from "../integrations/test-provider.ts";
import { answer, RawReceiver } from "../support/raw-receiver.ts";
import { startTestGateway, type TestGateway, type TestIntegration } from "./gateway-fixture.ts";

let hub: TestGateway;
let receiver: RawReceiver;
let respond: (socket: Socket, nth: number) => void;
let nth = 0;

beforeAll(async () => {
  hub = await startTestGateway();
  receiver = await RawReceiver.start((socket) => respond(socket, ++nth));
});
afterEach(() => {
  receiver.requests.length = 0;
  receiver.dropConnections();
  nth = 0;
});
afterAll(async () => {
  await hub.stop();
  await receiver.stop();
});

const integration = (more: Parameters<TestGateway["newIntegration"]>[1] = {}): Promise<TestIntegration> =>
  hub.newIntegration(`http://127.0.0.1:${receiver.port}`, more);

const problemOf = async (response: Response) => ({
  status: response.status,
  source: response.headers.get("hub-error-source"),
  code: ((await response.json()) as { code: string }).code,
});

const JSON_TYPE = "Content-Type: application/json";

describe("answers that are errors", () => {
  test("callProvider() passes 401 on when there is no token to replace", async () => {
    const { proxy, id } = await integration();
    respond = (socket) => socket.write(answer(401, `{"error":"bad ${GOOD_KEY}"}`, [JSON_TYPE]));
    const response = await proxy("/x");
    expect([response.status, receiver.requests.length]).toEqual([401, 1]);
    const [row] = await hub.logsOf(id);
    expect(row).toMatchObject({ status: "CLIENT_ERROR", errorCode: "unauthorized" });
    expect(row!.whole).not.toContain(GOOD_KEY);
  });

  test("callProvider() tries 500s again for a GET, a row for each try", async () => {
    const { proxy, id } = await integration();
    respond = (socket, count) => socket.write(count < 3 ? answer(500, "no") : answer(200, "yes"));
    const response = await proxy("/x");
    expect([response.status, await response.text(), response.headers.get("hub-attempts")]).toEqual([
      200,
      "yes",
      "3",
    ]);
    const rows = await hub.logsOf(id, 3);
    expect(rows.map(({ responseStatus, attemptNumber }) => [responseStatus, attemptNumber])).toEqual([
      [500, 1],
      [500, 2],
      [200, 3],
    ]);
    expect(rows.map(({ retryOf }) => retryOf)).toEqual([null, rows[0]!.id, rows[0]!.id]);
    expect(response.headers.get("hub-log-id")).toBe(rows[2]!.id);
  });

  test("callProvider() does not send a POST twice, unless its caller gives a key", async () => {
    const { proxy } = await integration();
    respond = (socket) => socket.write(answer(503, "no"));
    expect((await proxy("/x", { method: "POST", body: "{}" })).status).toBe(503);
    expect(receiver.requests.length).toBe(1);
    respond = (socket, count) => socket.write(count < 3 ? answer(503, "no") : answer(201, "yes"));
    const keyed = await proxy("/x", { method: "POST", body: "{}", headers: { "idempotency-key": "k-1" } });
    expect([keyed.status, keyed.headers.get("hub-attempts")]).toEqual([201, "2"]);
    expect(receiver.requests.every((request) => request.endsWith("{}"))).toBe(true);
    expect(receiver.requests.at(-1)).toContain("idempotency-key: k-1");
  });

  test("callProvider() obeys Hub-Retries", async () => {
    const { proxy } = await integration();
    respond = (socket) => socket.write(answer(500, "no"));
    const response = await proxy("/x", { headers: { "hub-retries": "0" } });
    expect([response.status, receiver.requests.length]).toEqual([500, 1]);
  });

  test("callProvider() finds an HTML page where JSON belongs, and tries again", async () => {
    const { proxy, id } = await integration({ answerType: "json" });
    respond = (socket, count) =>
      socket.write(
        count === 1
          ? answer(200, "<!doctype html><p>Maintenance", ["Content-Type: text/html"])
          : answer(200, "{}", [JSON_TYPE]),
      );
    const response = await proxy("/x");
    expect([await response.text(), response.headers.get("hub-attempts")]).toEqual(["{}", "2"]);
    expect((await hub.logsOf(id))[0]).toMatchObject({ errorCode: "html_answer", status: "SERVER_ERROR" });
  });

  test("callProvider() finds an error inside a 200, also in a compressed one", async () => {
    const { proxy, id } = await integration({
      classification: [
        {
          status: [200],
          body: { pointer: "/error/code", equals: ["BUSY"] },
          action: "retry",
          kind: "outage",
          code: "busy",
        },
      ],
    });
    const body = gzipSync(`{"error":{"code":"BUSY"}}`);
    respond = (socket, count) => {
      if (count > 1) return void socket.write(answer(200, `{"ok":true}`, [JSON_TYPE]));
      socket.write(
        `HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\nContent-Encoding: gzip\r\nContent-Length: ${body.byteLength}\r\n\r\n`,
      );
      socket.write(body);
    };
    const response = await proxy("/x");
    expect([await response.text(), response.headers.get("hub-attempts")]).toEqual([`{"ok":true}`, "2"]);
    expect((await hub.logsOf(id))[0]).toMatchObject({
      errorCode: "busy",
      responseBody: `{"error":{"code":"BUSY"}}`,
    });
  });

  const inOneSecond = (): string => new Date(Date.now() + 1_000).toUTCString();
  test.each([
    ["no Retry-After", () => []],
    ["seconds", () => ["Retry-After: 1"]],
    ["a fraction", () => ["Retry-After: 0.2"]],
    ["a date", () => [`Retry-After: ${inOneSecond()}`]],
    ["a time of the epoch", () => [`Retry-After: ${Math.ceil(Date.now() / 1_000) + 1}`]],
    ["a time of ISO 8601", () => [`Retry-After: ${new Date(Date.now() + 1_000).toISOString()}`]],
  ])("callProvider() comes again after a 429 with %s", async (_name, headers) => {
    const { proxy } = await integration();
    respond = (socket, count) =>
      socket.write(count === 1 ? answer(429, "slow", headers()) : answer(200, "go"));
    const response = await proxy("/x");
    expect([response.status, response.headers.get("hub-attempts")]).toEqual([200, "2"]);
  });

  test("callProvider() passes a 429 on when the provider wants more time than the caller has", async () => {
    const { proxy } = await integration();
    respond = (socket) => socket.write(answer(429, "slow", ["Retry-After: 3600"]));
    const response = await proxy("/x");
    expect([response.status, response.headers.get("retry-after"), receiver.requests.length]).toEqual([
      429,
      "3600",
      1,
    ]);
  });
});

describe("answers that do not come", () => {
  test("callProvider() gives up a provider that hangs at the caller's deadline", async () => {
    const { proxy, id } = await integration();
    respond = () => undefined;
    const response = await proxy("/x", { headers: { "hub-timeout-ms": "1500" } });
    expect(await problemOf(response)).toEqual({ status: 504, source: "hub", code: "upstream_timeout" });
    expect((await hub.logsOf(id))[0]).toMatchObject({
      status: "TIMEOUT",
      errorCode: "timeout",
      responseStatus: null,
    });
  });

  test("callProvider() gives up a provider that drips", async () => {
    const { proxy, id } = await integration();
    respond = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\nContent-Length: 1000\r\n\r\n`);
      const timer = setInterval(() => socket.write("a"), 50);
      socket.on("close", () => clearInterval(timer));
    };
    const response = await proxy("/x", { headers: { "hub-timeout-ms": "1500" } });
    expect(await problemOf(response)).toEqual({ status: 504, source: "hub", code: "upstream_timeout" });
    expect((await hub.logsOf(id))[0]).toMatchObject({ status: "TIMEOUT", responseStatus: 200 });
  });

  test("callProvider() ends the caller's connection when a streamed answer passes the deadline", async () => {
    const { proxy, id } = await integration();
    respond = (socket) => {
      socket.write(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      const timer = setInterval(() => socket.write("1\r\na\r\n"), 50);
      socket.on("close", () => clearInterval(timer));
    };
    const response = await proxy("/x", { headers: { "hub-timeout-ms": "1500" } });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    expect((await hub.logsOf(id))[0]).toMatchObject({ status: "TIMEOUT", errorCode: "timeout" });
  });

  test("callProvider() tells of a provider that resets, in the head and in the body", async () => {
    const { proxy } = await integration();
    respond = (socket) => socket.resetAndDestroy();
    const reset = await proxy("/x", { method: "POST", body: "x" });
    expect(await problemOf(reset)).toEqual({ status: 502, source: "hub", code: "upstream_failed" });
    respond = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${JSON_TYPE}\r\nContent-Length: 100\r\n\r\n{"a":`, () =>
        socket.resetAndDestroy(),
      );
    };
    const broken = await proxy("/x", { method: "POST", body: "x" });
    expect(await problemOf(broken)).toEqual({ status: 502, source: "hub", code: "upstream_failed" });
  });

  test("callProvider() sends again what could not be sent: nobody listens", async () => {
    const gone = await RawReceiver.start(() => undefined);
    const url = `http://127.0.0.1:${gone.port}`;
    await gone.stop();
    const { proxy, id } = await hub.newIntegration(url);
    const response = await proxy("/x", { method: "POST", body: "x", headers: { "hub-retries": "1" } });
    expect(await problemOf(response)).toEqual({ status: 502, source: "hub", code: "upstream_failed" });
    expect((await hub.logsOf(id, 2)).map(({ errorCode }) => errorCode)).toEqual([
      "connection_refused",
      "connection_refused",
    ]);
  });

  test.each([
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    [
      "length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a line break in a header", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"],
    ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"],
  ])("callProvider() takes no answer with %s", async (_name, bytes) => {
    const { proxy } = await integration();
    respond = (socket) => socket.write(bytes);
    const response = await proxy("/x", { method: "POST", body: "x" });
    expect(await problemOf(response)).toEqual({ status: 502, source: "hub", code: "upstream_failed" });
  });
});

describe("headers and addresses", () => {
  test("callProvider() follows no redirect, and shows the caller no credential in it", async () => {
    const elsewhere = await RawReceiver.start((socket) => socket.write(answer(200, "stolen")));
    const { proxy } = await integration({
      auth: { type: "API_KEY", place: [{ in: "query", name: "api_key", value: "{apiKey}" }] },
    });
    const target = `http://127.0.0.1:${elsewhere.port}/?api_key=${GOOD_KEY}`;
    respond = (socket) => socket.write(answer(302, "", [`Location: ${target}`]));
    const response = await proxy("/x?api_key=mine");
    expect(response.status).toBe(302);
    expect(response.headers.get("location")).toBe(target.replace(GOOD_KEY, "[redacted]"));
    expect(elsewhere.requests).toEqual([]);
    expect(receiver.requests[0]).toStartWith(`GET /x?api_key=${GOOD_KEY} HTTP/1.1\r\n`);
    await elsewhere.stop();
  });

  test("callProvider() keeps hop-by-hop headers on their connection, both ways", async () => {
    const { proxy } = await integration();
    respond = (socket) =>
      socket.write(
        answer(200, "ok", [
          "Connection: close, X-Hop",
          "X-Hop: 1",
          "Keep-Alive: timeout=5",
          "Proxy-Authenticate: Basic",
          "Hub-Circuit: OPEN",
          "Set-Cookie: a=1",
          "Set-Cookie: b=2",
        ]),
      );
    const response = await proxy("/x");
    const names = [...response.headers.keys()];
    for (const name of ["x-hop", "keep-alive", "proxy-authenticate"]) expect(names).not.toContain(name);
    expect(response.headers.get("hub-circuit")).toBe("CLOSED");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });

  test.each([
    ["length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ["an odd coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
    ["a folded header", "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"],
  ])("the edge refuses a request that smuggles: %s", async (_name, rest) => {
    const { id, tenant } = await integration();
    respond = (socket) => socket.write(answer(200, "ok"));
    const head = `POST /api/v1/integrations/${id}/proxy/x HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${tenant.apiKey}\r\n`;
    const reply = await new Promise<string>((resolve, reject) => {
      let text = "";
      Bun.connect({
        hostname: "127.0.0.1",
        port: hub.port,
        socket: {
          open: (socket) => void socket.write(head + rest),
          data: (_socket, bytes) => void (text += bytes.toString()),
          close: () => resolve(text),
        },
      }).catch(reject);
    });
    expect(reply).toStartWith("HTTP/1.1 400 ");
    expect(receiver.requests).toEqual([]);
  });

  test("callProvider() lets only headers of the connection's own through that Connection does not name", async () => {
    const { id, tenant } = await integration();
    respond = (socket) => socket.write(answer(200, "ok"));
    const reply = Promise.withResolvers<string>();
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: hub.port,
      socket: { data: (_socket, bytes) => reply.resolve(bytes.toString()) },
    });
    socket.write(
      `GET /api/v1/integrations/${id}/proxy/x HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer ${tenant.apiKey}\r\n` +
        "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Kept: 2\r\n\r\n",
    );
    expect(await reply.promise).toStartWith("HTTP/1.1 200 ");
    socket.end();
    const sent = receiver.requests[0]!.toLowerCase();
    for (const name of ["x-secret", "upgrade", "http2-settings", "connection"])
      expect(sent).not.toContain(`${name}:`);
    expect(sent).toContain("x-kept: 2");
  });
});
