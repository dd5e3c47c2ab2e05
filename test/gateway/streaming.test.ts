import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { freePort } from "../../src/platform/process/free-port.ts";
import { answer } from "../support/raw-receiver.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import { startTestGateway, type TestGateway } from "./gateway-fixture.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Each connection does what its own test says. */
const CLOSE = ["Connection: close"];
const PIECE = Buffer.alloc(MIB, "x");

let hub: TestGateway;
let server: Server;
let url: string;
let onConnection: (socket: Socket) => void;

beforeAll(async () => {
  hub = await startTestGateway();
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await hub.stop();
  server.close();
});

/** The edge of this database as a process of its own, so that its memory is its own. */
async function startEdge(): Promise<{ port: number; memory(): Promise<number>; stop(): Promise<void> }> {
  const child = Bun.spawn([process.execPath, join(PROJECT_DIR, "test/gateway/edge-process.ts")], {
    env: { ...process.env, ...hub.env, PORT: String(freePort()) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value).trim());
  return {
    port,
    // The highest so far, as the kernel counts it.
    memory: async () => {
      const status = await Bun.file(`/proc/${child.pid}/status`).text();
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
    },
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

describe("bodies", () => {
  test("callProvider() passes 1 GB up and 1 GB down in 128 MB of memory, with their beginnings logged", async () => {
    const { tenant, id } = await hub.newIntegration(url);
    const edge = await startEdge();
    const target = `http://127.0.0.1:${edge.port}/api/v1/integrations/${id}/proxy`;
    const headers = { authorization: `Bearer ${tenant.apiKey}`, "hub-timeout-ms": "300000" };
    onConnection = (socket) => socket.on("data", () => socket.write(answer(200, "warm", CLOSE)));
    for (let at = 0; at < 5; at++) await (await fetch(`${target}/warm`, { headers })).text();
    const before = await edge.memory();

    let received = 0;
    onConnection = (socket) => {
      let head = "";
      socket.on("data", (bytes) => {
        if (!head.includes("\r\n\r\n")) {
          head += bytes.toString("latin1");
          const end = head.indexOf("\r\n\r\n");
          if (end >= 0) received += head.length - end - 4;
        } else received += bytes.length;
        if (received === GIB) socket.write(answer(200, "thanks", CLOSE));
      });
    };
    let pieces = 0;
    const up = await fetch(`${target}/up`, {
      method: "POST",
      headers: { ...headers, "content-length": String(GIB) },
      body: new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(PIECE.subarray());
          if (++pieces === 1024) controller.close();
        },
      }),
    });
    expect([up.status, await up.text(), received]).toEqual([200, "thanks", GIB]);

    onConnection = (socket) => {
      socket.once("data", () => {
        socket.write(
          `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ${GIB}\r\n\r\n`,
        );
        let left = 1024;
        const more = (): void => {
          while (left > 0) {
            left--;
            if (!socket.write(PIECE)) return void socket.once("drain", more);
          }
        };
        more();
      });
    };
    const down = await fetch(`${target}/down`, { headers });
    let size = 0;
    const reader = down.body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.byteLength;
      // A slow reader: what it does not take yet must wait with the provider.
      if (size % (64 * MIB) < 64 * 1024) await Bun.sleep(20);
    }
    expect(size).toBe(GIB);
    expect(((await edge.memory()) - before) / MIB).toBeLessThan(128);
    await edge.stop();
    const rows = (await hub.logsOf(id, 7)).slice(-2);
    expect(rows.map(({ bodySize, responseSize }) => [bodySize, responseSize])).toEqual([
      [GIB, 6],
      [0, GIB],
    ]);
    expect([rows[0]!.body!.length, rows[1]!.responseBody!.length]).toEqual([65_536, 65_536]);
  }, 120_000);

  test("callProvider() passes pieces on as they come, both ways", async () => {
    const { proxy } = await hub.newIntegration(url);
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    onConnection = (socket) => {
      let text = "";
      socket.on("data", (bytes) => {
        text += bytes.toString();
        if (text.includes("first")) arrived.resolve();
        if (text.endsWith("0\r\n\r\n")) {
          socket.write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n",
          );
          void go.promise.then(() => socket.write("4\r\ntwo\n\r\n0\r\n\r\n"));
        }
      });
    };
    const response = await proxy("/x", {
      method: "POST",
      body: new ReadableStream({
        async start(controller) {
          controller.enqueue(Buffer.from("first"));
          await arrived.promise;
          controller.enqueue(Buffer.from("second"));
          controller.close();
        },
      }),
    });
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("one\n");
    go.resolve();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("two\n");
    expect((await reader.read()).done).toBe(true);
  });

  test("callProvider() lets go of the provider when its caller leaves", async () => {
    const { proxy, id } = await hub.newIntegration(url);
    const closed = Promise.withResolvers<void>();
    onConnection = (socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\na");
        const timer = setInterval(() => socket.write("a"), 20);
        socket.on("close", () => {
          clearInterval(timer);
          closed.resolve();
        });
      });
    };
    const leaving = new AbortController();
    const response = await proxy("/x", { signal: leaving.signal });
    await response.body!.getReader().read();
    leaving.abort();
    await closed.promise;
    expect((await hub.logsOf(id))[0]).toMatchObject({ errorCode: "aborted", responseStatus: 200 });
  });

  test("callProvider() answers before the whole body was sent when the provider does", async () => {
    const { proxy } = await hub.newIntegration(url);
    onConnection = (socket) => socket.once("data", () => socket.end(answer(413, "too much")));
    const response = await proxy("/x", { method: "POST", body: new Uint8Array(8 * MIB) });
    expect([response.status, await response.text()]).toEqual([413, "too much"]);
  });
});
