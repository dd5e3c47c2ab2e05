import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { DnsServer } from "../support/dns-server.ts";
import { answer, RawReceiver } from "../support/raw-receiver.ts";
import { makeSender, post } from "./egress-fixture.ts";

const open: RawReceiver[] = [];
afterEach(() => Promise.all(open.splice(0).map((receiver) => receiver.stop())));

async function receive(onRequest: (socket: Socket, nth: number) => void) {
  const receiver = await RawReceiver.start(onRequest);
  open.push(receiver);
  return { receiver, url: `http://127.0.0.1:${receiver.port}/hook?a=b` };
}

const withBody = (head: string, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(head, "latin1"), body]);

/** Made before anybody waits for it. */
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024));

describe("Sender.send() to a hostile receiver", () => {
  test.each<[string, (socket: Socket) => void, object]>([
    ["hangs", () => {}, { kind: "timeout", phase: "read", sent: true }],
    [
      "drips headers",
      (socket) => drip(socket, "HTTP/1.1 200 OK\r\nx-a: "),
      { kind: "timeout", phase: "read", sent: true },
    ],
    [
      "drips a body",
      (socket) => drip(socket, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"),
      { kind: "timeout", phase: "read", sent: true, status: 200 },
    ],
    [
      "sends 5 MB of headers",
      (socket) => socket.end(`HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(5_000_000)}\r\n\r\n`),
      { kind: "error", code: "response_headers_too_large", sent: true },
    ],
    [
      "sends 5,000 headers",
      (socket) => socket.end(`HTTP/1.1 200 OK\r\n${"x-a: b\r\n".repeat(5_000)}\r\n`),
      { kind: "error", code: "response_headers_too_large" },
    ],
    [
      "sends a gzip bomb",
      (socket) => {
        const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${BOMB.byteLength}\r\n\r\n`;
        socket.end(withBody(head, BOMB));
      },
      { kind: "error", phase: "read", code: "response_too_large" },
    ],
    [
      "resets",
      (socket) => socket.resetAndDestroy(),
      { kind: "error", phase: "read", code: "connection_reset" },
    ],
    [
      "closes after the request",
      (socket) => socket.end(),
      { kind: "error", code: "connection_closed", sent: true },
    ],
    [
      "closes in the middle of its answer",
      (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
      { kind: "error", code: "connection_closed" },
    ],
    [
      "answers twice",
      (socket) => socket.end(answer(200, "a") + answer(500, "b")),
      { kind: "error", code: "response_malformed", message: "The request was answered twice" },
    ],
    [
      "gives two lengths",
      (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
      { kind: "error", code: "response_malformed" },
    ],
    [
      "gives length and chunks",
      (socket) =>
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
      { kind: "error", code: "response_malformed" },
    ],
    [
      "speaks something else",
      (socket) => socket.end("220 mail ESMTP\r\n\r\n"),
      { code: "response_malformed" },
    ],
    [
      "switches protocols",
      (socket) => socket.end("HTTP/1.1 101 Any\r\n\r\n"),
      { code: "response_malformed" },
    ],
    [
      "sends interim answers without end",
      (socket) => socket.end("HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
      { code: "response_malformed" },
    ],
    [
      "sends a chunk longer than it says",
      (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"),
      { code: "response_malformed" },
    ],
  ])("that %s is one failed attempt with its cause", async (_what, behave, expected) => {
    const { receiver, url } = await receive(behave);
    const timeoutMs = "kind" in expected && expected.kind === "timeout" ? 1_500 : 30_000;
    const result = await post(makeSender(), url, { timeoutMs, repeatable: true });
    expect(result).toMatchObject(expected);
    expect(receiver.requests).toHaveLength(1);
  });

  test("goes on after it: the next request to a good one is answered", async () => {
    const sender = makeSender();
    const bad = await receive((socket) => socket.resetAndDestroy());
    const good = await receive((socket) => socket.write(answer(200, "ok")));
    await post(sender, bad.url);
    expect(await post(sender, good.url)).toMatchObject({ kind: "response", status: 200 });
  });

  test("never takes a late second answer for the answer to the next request", async () => {
    const { receiver, url } = await receive((socket, nth) => {
      socket.write(answer(200, `first of ${nth}`));
      setTimeout(() => socket.write(answer(500, `second of ${nth}`)), 20);
    });
    const sender = makeSender();
    expect(textOf(await post(sender, url))).toBe("first of 1");
    await Bun.sleep(60);
    expect(textOf(await post(sender, url))).toBe("first of 2");
    expect(receiver.connections).toBe(2);
  });

  test("tells a refused connection", async () => {
    const { receiver, url } = await receive(() => {});
    await receiver.stop();
    const result = await post(makeSender(), url);
    expect(result).toMatchObject({
      kind: "error",
      phase: "connect",
      code: "connection_refused",
      sent: false,
    });
  });

  test("gives up on an address that takes no connection, in the phase connect", async () => {
    const deaf = await startDeafListener();
    const result = await post(makeSender(), `http://127.0.0.1:${deaf.port}/`, { timeoutMs: 600 });
    expect(result).toMatchObject({ kind: "timeout", phase: "connect", sent: false });
    deaf.stop();
  });
});

describe("Sender.send()", () => {
  test("writes one well-formed request", async () => {
    const { receiver, url } = await receive((socket) => socket.end(answer(200, "ok")));
    await post(makeSender(), url, { headers: { "Content-Type": "text/plain", "x-a": "b" }, body: "häh?" });
    expect(receiver.requests[0]).toBe(
      `POST /hook?a=b HTTP/1.1\r\nhost: 127.0.0.1:${receiver.port}\r\nContent-Type: text/plain\r\nx-a: b\r\n` +
        `user-agent: Integration-Hub/1.0\r\ncontent-length: 5\r\n\r\n${Buffer.from("häh?").toString("latin1")}`,
    );
  });

  test.each([
    ["a line break in a value", { headers: { "x-a": "b\r\nx-injected: 1" } }],
    ["a bare line feed in a value", { headers: { "x-a": "b\nx-injected: 1" } }],
    ["NUL in a value", { headers: { "x-a": "b\0" } }],
    ["other than ASCII in a value", { headers: { "x-a": "é" } }],
    ["a line break in a name", { headers: { "x-a: 1\r\nx-b": "c" } }],
    ["an empty name", { headers: { "": "c" } }],
    ["Host", { headers: { Host: "other.example.com" } }],
    ["Content-Length", { headers: { "Content-Length": "1" } }],
    ["Transfer-Encoding", { headers: { "transfer-encoding": "chunked" } }],
    ["Connection", { headers: { connection: "upgrade" } }],
    ["Expect", { headers: { Expect: "100-continue" } }],
    ["Proxy-Authorization", { headers: { "Proxy-Authorization": "Basic x" } }],
    ["an unknown method", { method: "BREW" }],
    ["CONNECT", { method: "CONNECT" }],
    ["TRACE", { method: "TRACE" }],
    ["a request line in the method", { method: "GET / HTTP/1.1\r\nx-a: b" }],
    ["80 KB of headers", { headers: { "x-a": "a".repeat(80_000) } }],
  ])("refuses %s before anything is connected", async (_what, more) => {
    const { receiver, url } = await receive((socket) => socket.end(answer(200)));
    expect(await post(makeSender(), url, more)).toMatchObject({ code: "request_invalid", sent: false });
    expect(receiver.connections).toBe(0);
  });

  test("keeps a connection for the next request", async () => {
    const { receiver, url } = await receive((socket) => socket.write(answer(200, "ok")));
    const sender = makeSender();
    for (let index = 0; index < 20; index++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      expect(textOf(await post(sender, url))).toBe("ok");
    }
    expect(receiver.connections).toBe(1);
  });

  test.each([
    ["Connection: close", answer(200, "ok", ["Connection: close"])],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ["junk behind the body", `${answer(200, "ok")}junk`],
  ])("does not keep a connection after %s", async (_what, text) => {
    const { receiver, url } = await receive((socket) => socket.write(text));
    const sender = makeSender();
    expect(textOf(await post(sender, url))).toBe("ok");
    expect(textOf(await post(sender, url))).toBe("ok");
    expect(receiver.connections).toBe(2);
  });

  test("replaces a kept connection that was closed meanwhile, once and only for what may be repeated", async () => {
    const { receiver, url } = await receive((socket, nth) => {
      if (nth === 2 || nth === 5) socket.destroy();
      else socket.write(answer(200, String(nth)));
    });
    const sender = makeSender();
    expect(textOf(await post(sender, url, { repeatable: true }))).toBe("1");
    expect(textOf(await post(sender, url, { repeatable: true }))).toBe("3");
    expect(textOf(await post(sender, url))).toBe("4");
    expect(await post(sender, url)).toMatchObject({ kind: "error", phase: "read", sent: true });
    expect(receiver.requests).toHaveLength(5);
  });

  test.each([
    ["gzip", gzipSync("hello")],
    ["x-gzip", gzipSync("hello")],
    ["deflate", deflateSync("hello")],
    ["br", brotliCompressSync("hello")],
    ["identity", Buffer.from("hello")],
  ])("decodes an answer in %s", async (coding, bytes) => {
    const { url } = await receive((socket) => {
      const head = `HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ncontent-length: ${bytes.byteLength}\r\n\r\n`;
      socket.write(withBody(head, bytes));
    });
    expect(textOf(await post(makeSender(), url))).toBe("hello");
  });

  test("keeps 64 KiB of a long answer, decoded or not, and the status counts", async () => {
    const long = "a".repeat(2_000_000);
    const plain = await receive((socket) => socket.end(answer(201, long)));
    const packed = await receive((socket) => {
      const bytes = gzipSync("b".repeat(200_000));
      const head = `HTTP/1.1 201 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bytes.byteLength}\r\n\r\n`;
      socket.write(withBody(head, bytes));
    });
    for (const { url } of [plain, packed]) {
      // oxlint-disable-next-line no-await-in-loop -- two of them
      const result = await post(makeSender(), url);
      expect(result).toMatchObject({ kind: "response", status: 201, bodyTruncated: true });
      expect(textOf(result)).toHaveLength(65_536);
    }
  });

  test("reads an answer that comes byte by byte, in chunks with a trailer, after an interim answer", async () => {
    const text =
      "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-a: 1\r\nx-a: 2\r\n\r\n" +
      "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nx-trailer: 1\r\n\r\n";
    const { receiver, url } = await receive(async (socket) => {
      for (const byte of text) {
        socket.write(byte);
        // oxlint-disable-next-line no-await-in-loop -- a packet for each byte is the point
        await Bun.sleep(0);
      }
    });
    const sender = makeSender();
    const result = await post(sender, url);
    expect(textOf(result)).toBe("hello world");
    expect(result.kind === "response" && result.headers.get("x-a")).toBe("1, 2");
    expect(textOf(await post(sender, url))).toBe("hello world");
    expect(receiver.connections).toBe(1);
  });

  test.each([
    ["HEAD", answer(200, "").replace("Content-Length: 0", "Content-Length: 9")],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"],
    ["GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
  ])("knows that an answer to %s has no body: %j", async (method, text) => {
    const { receiver, url } = await receive((socket) => socket.write(text));
    const sender = makeSender();
    const get = () =>
      sender.send({ key: "k", url, policy: "public", method, headers: {}, timeoutMs: 30_000 });
    expect(await get()).toMatchObject({ kind: "response", bodyTruncated: false });
    expect(await get()).toMatchObject({ kind: "response" });
    expect(receiver.connections).toBe(1);
  });

  test("sends a body of 8 MB to a receiver that reads slowly", async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, "x");
    let size = 0;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
          size += chunk.byteLength;
          await Bun.sleep(1);
        }
        return new Response("ok");
      },
    });
    const result = await post(makeSender(), `http://127.0.0.1:${server.port}/`, { body });
    expect(result).toMatchObject({ kind: "response", status: 200 });
    expect(size).toBe(body.byteLength);
    await server.stop(true);
  });

  test("has at most 64 requests in flight, 16 for one key, and serves keys in turn", async () => {
    let inFlight = 0;
    let most = 0;
    const { url } = await receive((socket) => {
      most = Math.max(most, ++inFlight);
      setTimeout(() => {
        inFlight--;
        socket.write(answer(200));
      }, 10);
    });
    const sender = makeSender();
    await Promise.all(Array.from({ length: 100 }, () => post(sender, url, { key: "one" })));
    expect(most).toBe(16);
    await Promise.all(
      Array.from({ length: 400 }, (_, index) => post(sender, url, { key: String(index % 50) })),
    );
    expect(most).toBe(64);
  });

  test("counts the deadline from when a slot is free", async () => {
    const { url } = await receive((socket) => void setTimeout(() => socket.write(answer(200)), 800));
    const sender = makeSender();
    const results = await Promise.all(
      Array.from({ length: 48 }, () => post(sender, url, { key: "one", timeoutMs: 2_000 })),
    );
    expect(results.every(({ kind }) => kind === "response")).toBe(true);
  });

  test("does not send what is withheld", async () => {
    const { receiver, url } = await receive((socket) => socket.end(answer(200)));
    expect(await post(makeSender(), url, { mayStart: () => false })).toEqual({ kind: "withheld" });
    expect(receiver.connections).toBe(0);
  });

  test("gives one key as many slots as its caller allows", async () => {
    let inFlight = 0;
    let most = 0;
    const { url } = await receive((socket) => {
      most = Math.max(most, ++inFlight);
      setTimeout(() => {
        inFlight--;
        socket.write(answer(200));
      }, 10);
    });
    const sender = makeSender();
    const slots = (): number => 40;
    await Promise.all(Array.from({ length: 100 }, () => post(sender, url, { key: "one", slots })));
    expect(most).toBe(40);
  });

  test("puts requests together that the system does not take at once", async () => {
    const { receiver, url } = await receive((socket) => void setTimeout(() => socket.write(answer(200)), 50));
    const sender = makeSender();
    const bodies = ["a", "ä".repeat(30_000), new Uint8Array(60_000).fill(98), "c".repeat(3_000_000)];
    const results = await Promise.all(bodies.map((body) => post(sender, url, { body })));
    expect(results.map(({ kind }) => kind)).toEqual(bodies.map(() => "response"));
    const sizes = receiver.requests.map((text) => text.length - text.indexOf("\r\n\r\n") - 4);
    expect(sizes.toSorted((one, other) => one - other)).toEqual([1, 60_000, 60_000, 3_000_000]);
  });

  test("close() ends what is under way and what waits for a slot, and nothing is sent afterwards", async () => {
    const { receiver, url } = await receive(() => {});
    const sender = makeSender();
    const results = Array.from({ length: 40 }, () => post(sender, url, { key: "one" }));
    // oxlint-disable-next-line no-await-in-loop -- until all that have a slot were sent
    while (receiver.requests.length < 16) await Bun.sleep(5);
    sender.close();
    for (const result of await Promise.all(results)) expect(result).toMatchObject({ code: "aborted" });
    expect(await post(sender, url)).toMatchObject({ kind: "error", code: "aborted", sent: false });
    expect(receiver.requests).toHaveLength(16);
  });

  test("close() connects to no further address", async () => {
    const deaf = await startDeafListener();
    const dns = await DnsServer.start();
    try {
      dns.set("several.example.com", ["127.0.0.1", "127.0.0.2"]);
      const sender = makeSender({ dnsServer: dns.address });
      const sending = post(sender, `http://several.example.com:${deaf.port}/`);
      await Bun.sleep(100);
      sender.close();
      expect(await sending).toMatchObject({ kind: "error", code: "aborted", sent: false });
    } finally {
      deaf.stop();
      await dns.stop();
    }
  });

  test("keeps at most 256 idle connections", async () => {
    const sockets: Socket[] = [];
    const openCount = (): number => sockets.filter(({ destroyed }) => !destroyed).length;
    const receivers = await Promise.all(
      Array.from({ length: 300 }, () =>
        receive((socket) => {
          sockets.push(socket);
          socket.write(answer(200));
        }),
      ),
    );
    const sender = makeSender();
    await Promise.all(receivers.map(({ url }) => post(sender, url)));
    // oxlint-disable-next-line no-await-in-loop -- until the sender has looked
    while (openCount() > 256) await Bun.sleep(50);
    expect(openCount()).toBe(256);
  });

  test("gives times of its phases", async () => {
    const { url } = await receive((socket) => void setTimeout(() => socket.write(answer(200)), 30));
    const sender = makeSender();
    const first = await post(sender, url);
    if (first.kind !== "response") throw new Error("no response");
    expect(Object.keys(first.timings).toSorted()).toEqual(["connectMs", "firstByteMs", "totalMs"]);
    const second = await post(sender, url);
    if (second.kind !== "response") throw new Error("no response");
    expect(second.timings.connectMs).toBeUndefined();
  });
});

function textOf(result: Awaited<ReturnType<typeof post>>): string {
  if (result.kind !== "response") throw new Error(JSON.stringify(result));
  return new TextDecoder().decode(result.body);
}

/** Sends a beginning, then one byte every 20 ms for as long as it can. */
function drip(socket: Socket, beginning: string): void {
  socket.write(beginning);
  const timer = setInterval(() => socket.write("a"), 20);
  socket.on("close", () => clearInterval(timer));
}

/** A listener whose queue is full and never emptied, so that the kernel drops what comes: an address that is not there. */
async function startDeafListener(): Promise<{ port: number; stop(): void }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "deaf-listener.ts")], { stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(value));
  const fillers: Socket[] = [];
  for (let connected = true; connected;) {
    const filler = connect(port, "127.0.0.1").on("error", () => {});
    fillers.push(filler);
    // oxlint-disable-next-line no-await-in-loop -- until one is not taken
    connected = await Promise.race([
      new Promise<boolean>((resolve) => void filler.once("connect", () => resolve(true))),
      Bun.sleep(300).then(() => false),
    ]);
  }
  return {
    port,
    stop() {
      for (const filler of fillers) filler.destroy();
      child.kill("SIGKILL");
    },
  };
}
