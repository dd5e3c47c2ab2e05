import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { createEndpoint } from "../../src/domain/inbound/create-endpoint.ts";
import { updateEndpoint } from "../../src/domain/inbound/update-endpoint.ts";
import { BodyBudget, BodyShare, readCountedBody } from "../../src/edge/ingress/read-body.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, SECRET, sendGithub, startEdge } from "./edge-fixture.ts";

let edge: EdgeFixture;
let path: string;

beforeAll(async () => {
  edge = await startEdge();
  path = (await makeEndpoint(edge)).endpointPath;
});
afterAll(() => edge.stop());

const sign = (body: string | Uint8Array, secret = SECRET): string =>
  `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

/** Writes raw bytes and reads until the server closes or `until` is satisfied. */
function raw(bytes: string | Uint8Array, options: { thenClose?: boolean } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(edge.server.port!, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      if (/^HTTP\/1.1 (?!100)/.test(answer)) socket.end();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
    socket.write(bytes);
    if (options.thenClose) socket.end();
  });
}

const requestHead = (headers: Record<string, string>, target = `/webhooks/${edge.slug}/${path}`): string =>
  `POST ${target} HTTP/1.1\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;

async function expectRefusal(response: Response, status: number, code: string): Promise<void> {
  const text = await response.text();
  expect({ status: response.status, code: (JSON.parse(text) as { code: string }).code }).toEqual({
    status,
    code,
  });
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(text).not.toMatch(/\bat \/|node_modules|\.ts:\d/);
}

async function expectServing(): Promise<void> {
  expect((await sendGithub(edge, path)).status).toBe(200);
}

async function entryCount(): Promise<number> {
  return (await edge.entries()).length;
}

describe("a bad signature", () => {
  const body = '{"n":1}';
  const good = sign(body);
  test.each([
    ["missing", {}],
    ["of another secret", { "x-hub-signature-256": sign(body, "another secret") }],
    [
      "in mixed case",
      { "x-hub-signature-256": `sha256=${good.slice(7, 20).toUpperCase()}${good.slice(20)}` },
    ],
    ["without its prefix", { "x-hub-signature-256": good.slice(7) }],
    ["too short", { "x-hub-signature-256": good.slice(0, -1) }],
    ["too long", { "x-hub-signature-256": `${good}0` }],
    ["empty", { "x-hub-signature-256": "" }],
    [
      "in base64",
      { "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("base64")}` },
    ],
    ["with non-ASCII characters", { "x-hub-signature-256": `sha256=${"é".repeat(64)}` }],
  ])("%s is refused with 401 and stores nothing", async (_name, headers: Record<string, string>) => {
    const before = await entryCount();
    const response = await fetch(`${edge.baseUrl}/webhooks/${edge.slug}/${path}`, {
      method: "POST",
      body,
      headers: { "x-github-delivery": newId(), ...headers },
    });
    await expectRefusal(response, 401, "signature_invalid");
    expect(await entryCount()).toBe(before);
  });

  test("doubled is refused with 400, even when one of the two is right", async () => {
    const answer = await raw(
      requestHead({
        Host: "localhost",
        "Content-Length": String(body.length),
        "X-Hub-Signature-256": good,
      }).replace("\r\n\r\n", `\r\nX-Hub-Signature-256: ${good}\r\n\r\n`) + body,
    );
    expect(answer).toStartWith("HTTP/1.1 400");
    expect(answer).toContain("header_doubled");
  });

  test.each([
    ["stale", -301, 401],
    ["of the future", 301, 401],
    ["within the tolerance", 290, 200],
  ])("%s timestamps are judged on both sides", async (_name, offsetSeconds, status) => {
    const endpoint = await createEndpoint(edge.ctx, { handlerType: "CUSTOM", signatureScheme: "stripe" });
    const t = Math.floor(Date.now() / 1000) + offsetSeconds;
    const mac = createHmac("sha256", endpoint.secretKey!).update(`${t}.${body}`).digest("hex");
    const response = await fetch(`${edge.baseUrl}/webhooks/${edge.slug}/${endpoint.endpointPath}`, {
      method: "POST",
      body,
      headers: { "stripe-signature": `t=${t},v1=${mac}` },
    });
    expect(response.status).toBe(status);
  });

  test("cannot be avoided by an empty secret: it is not saved", async () => {
    expect(createEndpoint(edge.ctx, { handlerType: "CUSTOM", secretKey: "" })).rejects.toMatchObject({
      code: "invalid_input",
    });
    expect(
      createEndpoint(edge.ctx, {
        handlerType: "CUSTOM",
        secretKey: "short",
        signatureScheme: "standard-webhooks",
      }),
    ).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("cannot be avoided by the scheme none without an address list and a generated path", async () => {
    expect(
      createEndpoint(edge.ctx, { handlerType: "CUSTOM", signatureScheme: "none", endpointPath: "guess-me" }),
    ).rejects.toMatchObject({
      errors: [{ path: "/ipWhitelist" }, { path: "/endpointPath" }].map((fault) =>
        expect.objectContaining(fault),
      ),
    });
  });
});

describe("a bad body", () => {
  test("truncated by a client that leaves stores nothing", async () => {
    const before = await entryCount();
    await raw(
      requestHead({ Host: "localhost", "Content-Length": "100", "X-Hub-Signature-256": sign("abc") }) + "abc",
      { thenClose: true },
    );
    await expectServing();
    expect(await entryCount()).toBe(before + 1);
  });

  test("chunked is accepted with its exact bytes, and refused with 413 past the endpoint's cap", async () => {
    const body = JSON.stringify({ chunked: newId() });
    const chunks = [...body].map((character) => `1\r\n${character}\r\n`).join("");
    const answer = await raw(
      requestHead({
        Host: "localhost",
        "Transfer-Encoding": "chunked",
        "X-GitHub-Delivery": newId(),
        "X-Hub-Signature-256": sign(body),
      }) + `${chunks}0\r\n\r\n`,
    );
    expect(answer).toStartWith("HTTP/1.1 200");
    const small = await makeEndpoint(edge, { maxBodyBytes: 10 });
    const large = await raw(
      requestHead(
        { Host: "localhost", "Transfer-Encoding": "chunked", "X-Hub-Signature-256": sign(body) },
        `/webhooks/${edge.slug}/${small.endpointPath}`,
      ) + `${chunks}0\r\n\r\n`,
    );
    expect(large).toStartWith("HTTP/1.1 413");
  });

  test("over the endpoint's cap is refused with 413, over 25 MiB before it is read", async () => {
    await expectRefusal(
      await sendGithub(edge, path, { body: "x".repeat(1024 * 1024 + 1) }),
      413,
      "body_too_large",
    );
    const answer = await raw(
      requestHead({ Host: "localhost", "Content-Length": String(26 * 1024 * 1024 + 1) }),
    );
    expect(answer).toStartWith("HTTP/1.1 413");
  });

  test("compressed is verified as received and kept so; an unknown coding is refused with 415", async () => {
    const body = gzipSync('{"zipped":true}');
    const response = await sendGithub(edge, path, { body, headers: { "content-encoding": "gzip" } });
    expect(response.status).toBe(200);
    const id = response.headers.get("hub-receipt-id");
    const entry = (await edge.entries()).find((one) => one.message.id === id)!;
    expect(Buffer.from(entry.body!).equals(body)).toBe(true);
    await expectRefusal(
      await sendGithub(edge, path, { headers: { "content-encoding": "zstd-x" } }),
      415,
      "unsupported_media_type",
    );
  });

  test.each([
    ["100,000 levels deep", "[".repeat(100_000) + "]".repeat(100_000)],
    ["with __proto__", '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'],
    ["with NUL and lone surrogates", '{"a":"\\u0000","b":"\\ud800"}'],
    ["that is no JSON", "not json"],
  ])("%s is taken as bytes; the worker judges it", async (_name, body) => {
    const pointer = await makeEndpoint(edge, {
      eventIdSource: { pointer: "/id" },
      eventTypeSource: { pointer: "/a/b" },
    });
    for (const target of [path, pointer.endpointPath]) {
      expect((await sendGithub(edge, target, { body })).status).toBe(200);
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("with odd event ids is stored under them", async () => {
    const endpoint = await makeEndpoint(edge, { eventIdSource: { pointer: "/id" } });
    for (const id of ["a\u0000b", "x".repeat(10_000), "💥", 42]) {
      expect((await sendGithub(edge, endpoint.endpointPath, { body: JSON.stringify({ id }) })).status).toBe(
        200,
      );
    }
  });
});

describe("a bad request", () => {
  test("with two Host headers is refused with 400", async () => {
    const body = "{}";
    const answer = await raw(
      `POST /webhooks/${edge.slug}/${path} HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 2\r\nX-Hub-Signature-256: ${sign(body)}\r\n\r\n${body}`,
    );
    expect(answer).toStartWith("HTTP/1.1 400");
  });

  test.each(["HTTP/1.0\r\n", "HTTP/1.1\r\nHost: \r\n"])(
    "without a host (%j) is told about health, and gets 400 for everything else",
    async (end) => {
      expect(await raw(`GET /health/live ${end}\r\n`)).toStartWith("HTTP/1.1 200");
      for (const line of [
        `POST /webhooks/${edge.slug}/${path}`,
        "OPTIONS /",
        "GET /api/v1/api-keys?limit=1",
        "POST /health/live",
      ]) {
        const answer = await raw(`${line} ${end}Content-Length: 0\r\n\r\n`);
        expect(answer).toStartWith("HTTP/1.1 400");
        expect(answer).toContain("malformed_request");
      }
    },
  );

  test.each(["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])(
    "with the method %s is refused with 405",
    async (method) => {
      const response = await fetch(`${edge.baseUrl}/webhooks/${edge.slug}/${path}`, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toContain("POST");
    },
  );

  test.each([
    "/webhooks/",
    "/webhooks/a",
    "/webhooks/a/b/c",
    "/webhooks/%2e%2e/x",
    "/webhooks//x",
    "/webhooks/a/b%20c",
    `/webhooks/a/${"x".repeat(201)}`,
  ])("to %s is refused with 404", async (target) => {
    const answer = await raw(`POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
    expect(answer).toStartWith("HTTP/1.1 404");
  });

  test("with slow headers does not hold up the others", async () => {
    const socket = connect(edge.server.port!, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`POST /webhooks/${edge.slug}/${path} HTTP/1.1\r\nHost: lo`);
    await expectServing();
    socket.destroy();
  });

  test("that announces a large body and does not send it takes no room from the others", async () => {
    const head = requestHead({
      Host: "localhost",
      "Content-Length": "1048576",
      "X-Hub-Signature-256": "sha256=0",
    });
    // Announced, they would fill the 256 MiB that a process holds.
    const sockets = Array.from({ length: 300 }, () => connect(edge.server.port!, "127.0.0.1"));
    for (const socket of sockets) {
      socket.on("error", () => undefined);
      socket.write(`${head}{`);
    }
    while (edge.server.pendingRequests < sockets.length) await Bun.sleep(5);
    await expectServing();
    for (const socket of sockets) socket.destroy();
  });

  test("from an address that is not on the list is refused with 403; mapped addresses count as IPv4", async () => {
    const endpoint = await makeEndpoint(edge, { ipWhitelist: ["192.0.2.0/24"] });
    await expectRefusal(await sendGithub(edge, endpoint.endpointPath), 403, "source_not_allowed");
    const mapped = await makeEndpoint(edge, { ipWhitelist: ["::ffff:127.0.0.0/104"] });
    expect((await sendGithub(edge, mapped.endpointPath)).status).toBe(200);
  });

  test.each(["fe80::1%eth0", "127.0.0.1/08", "127.1", "::ffff:127.0.0.1/64", " 127.0.0.1"])(
    "the address list takes no entry that reads like a typing error: %s",
    async (entry) => {
      expect(makeEndpoint(edge, { ipWhitelist: [entry] })).rejects.toMatchObject({
        errors: [expect.objectContaining({ path: "/ipWhitelist/0" })],
      });
    },
  );

  test("cannot forge its address by forwarding headers", async () => {
    const endpoint = await makeEndpoint(edge, { ipWhitelist: ["192.0.2.7"] });
    for (const headers of [
      { "x-forwarded-for": "192.0.2.7" },
      { "x-real-ip": "192.0.2.7" },
      { forwarded: "for=192.0.2.7" },
    ]) {
      await expectRefusal(
        await sendGithub(edge, endpoint.endpointPath, { headers: headers as Record<string, string> }),
        403,
        "source_not_allowed",
      );
    }
  });

  test("with an odd X-Request-Id gets another one; an ordinary one comes back", async () => {
    const odd = await sendGithub(edge, path, { headers: { "x-request-id": "a\tb".repeat(40) } });
    expect(odd.headers.get("x-request-id")).not.toContain("\t");
    const kept = await sendGithub(edge, path, { headers: { "x-request-id": "trace-1" } });
    expect(kept.headers.get("x-request-id")).toBe("trace-1");
  });
});

describe("readCountedBody()", () => {
  const chunked = (bytes: number): Request => {
    const body = new ReadableStream({
      start(stream) {
        for (let sent = 0; sent < bytes; sent += 1000) stream.enqueue(new Uint8Array(1000));
        stream.close();
      },
    });
    return new Request("http://localhost", { method: "POST", body });
  };

  test("refuses what has no room, and gives back what it took", async () => {
    const budget = new BodyBudget(100_000);
    const [one, other] = [new BodyShare(budget), new BodyShare(budget)];
    expect(await readCountedBody(chunked(60_000), undefined, 1_000_000, one)).toHaveLength(60_000);
    expect(await readCountedBody(chunked(60_000), 60_000, 1_000_000, other)).toBe("busy");
    expect(budget.bytesInFlight).toBe(100_000);
    other.release();
    expect(budget.bytesInFlight).toBe(60_000);
    one.release();
    one.release();
    expect(budget.bytesInFlight).toBe(0);
  });

  test("tells a body that is too large or cut from one that has no room", async () => {
    const share = new BodyShare(new BodyBudget(100_000));
    expect(await readCountedBody(chunked(20_000), 20_001, 1_000_000, share)).toBe("incomplete");
    expect(await readCountedBody(chunked(20_000), undefined, 19_999, share)).toBe("too_large");
    expect(await readCountedBody(chunked(0), 20_000, 19_999, share)).toBe("too_large");
  });

  test("gives a large body as it came, whole or not at all", async () => {
    const sent = crypto.getRandomValues(new Uint8Array(40_000));
    const large = Buffer.concat(Array.from({ length: 20 }, () => sent));
    const request = (): Request => {
      // Pieces of many sizes.
      let at = 0;
      const body = new ReadableStream({
        pull(stream) {
          const end = at + ((at * 7 + 13_001) % 70_000);
          stream.enqueue(large.subarray(at, end));
          if (end >= large.byteLength) stream.close();
          at = end;
        },
      });
      return new Request("http://localhost", { method: "POST", body });
    };
    const read = (contentLength: number | undefined) =>
      readCountedBody(request(), contentLength, 1_000_000, new BodyShare(new BodyBudget(10_000_000)));
    for (const contentLength of [large.byteLength, undefined]) {
      const body = (await read(contentLength)) as Uint8Array;
      expect(Buffer.compare(body, large)).toBe(0);
    }
    expect(await read(large.byteLength + 1)).toBe("incomplete");
    expect(await read(large.byteLength - 1)).toBe("incomplete");
  });
});

describe("behind a trusted proxy", () => {
  test("the right-most address that is no proxy counts", async () => {
    const proxied = await startEdge({ TRUSTED_PROXIES: "127.0.0.1,10.0.0.0/8" });
    try {
      const endpoint = await makeEndpoint(proxied, { ipWhitelist: ["192.0.2.7"] });
      const send = (forwardedFor: string) =>
        sendGithub(proxied, endpoint.endpointPath, { headers: { "x-forwarded-for": forwardedFor } });
      expect((await send("192.0.2.7, 10.1.2.3")).status).toBe(200);
      expect((await send("192.0.2.7, 198.51.100.1")).status).toBe(403);
      expect((await send("192.0.2.7, nonsense")).status).toBe(403);
    } finally {
      await proxied.stop();
    }
  });
});

describe("updateEndpoint()", () => {
  test("refuses a scheme for which the stored secret is too weak, naming the field", async () => {
    const endpoint = await makeEndpoint(edge);
    expect(
      updateEndpoint(edge.ctx, { id: endpoint.id, changes: { signatureScheme: "standard-webhooks" } }),
    ).rejects.toMatchObject({
      code: "invalid_input",
      errors: [expect.objectContaining({ path: "/signatureScheme" })],
    });
  });
});
