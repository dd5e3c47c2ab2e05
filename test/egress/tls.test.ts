import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { DnsServer } from "../support/dns-server.ts";
import { answer, RawReceiver } from "../support/raw-receiver.ts";
import { makeSender, post, RECEIVER_CERT, RECEIVER_KEY } from "./egress-fixture.ts";

let dns: DnsServer;
let server: Server;
let port: number;
/** Names asked for in SNI, and bytes of requests, one entry a connection. */
const serverNames: unknown[] = [];
let requestBytes = 0;

beforeAll(async () => {
  dns = await DnsServer.start();
  for (const name of ["receiver.test", "a.receiver.test", "other.test"]) dns.set(name, ["127.0.0.1"]);
  server = createServer({ key: RECEIVER_KEY, cert: RECEIVER_CERT }, (socket: TLSSocket) => {
    serverNames.push((socket as TLSSocket & { servername: unknown }).servername);
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      requestBytes += chunk.byteLength;
      socket.write(answer(200, "ok"));
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.close();
  await dns.stop();
});

const trusting = () => makeSender({ dnsServer: dns.address, certificates: [RECEIVER_CERT] });

describe("Sender.send() over TLS", () => {
  test("calls the judged address with the name in SNI and Host, and keeps the connection", async () => {
    const sender = trusting();
    const before = serverNames.length;
    for (let index = 0; index < 3; index++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      expect(await post(sender, `https://receiver.test:${port}/`)).toMatchObject({
        kind: "response",
        status: 200,
      });
    }
    expect(serverNames.slice(before)).toEqual(["receiver.test"]);
  });

  test("shares no connection between two names of one address", async () => {
    const sender = trusting();
    const before = serverNames.length;
    await post(sender, `https://receiver.test:${port}/`);
    await post(sender, `https://a.receiver.test:${port}/`);
    expect(serverNames.slice(before)).toEqual(["receiver.test", "a.receiver.test"]);
  });

  test("checks the certificate of an address against the address", async () => {
    expect(await post(trusting(), `https://127.0.0.1:${port}/`)).toMatchObject({ kind: "response" });
  });

  test.each([
    ["for another name", () => post(trusting(), `https://other.test:${port}/`)],
    [
      "that nobody vouches for",
      () => post(makeSender({ dnsServer: dns.address }), `https://receiver.test:${port}/`),
    ],
  ])("sends nothing to a certificate %s", async (_what, send) => {
    const before = requestBytes;
    expect(await send()).toMatchObject({
      kind: "error",
      phase: "tls",
      code: "certificate_invalid",
      sent: false,
    });
    expect(requestBytes).toBe(before);
  });

  test("tells a receiver that speaks no TLS, and one that says nothing", async () => {
    const plain = await RawReceiver.start(() => {});
    const talking = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n") },
    });
    const sender = trusting();
    expect(await post(sender, `https://127.0.0.1:${talking.port}/`)).toMatchObject({
      kind: "error",
      phase: "tls",
      code: "tls_failed",
      sent: false,
    });
    expect(await post(sender, `https://127.0.0.1:${plain.port}/`, { timeoutMs: 1_000 })).toMatchObject({
      kind: "timeout",
      phase: "tls",
      sent: false,
    });
    talking.stop(true);
    await plain.stop();
  });
});
