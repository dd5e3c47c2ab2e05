import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const PUBLIC_URL = "https://hub.example.com";

let edge: EdgeFixture;

beforeAll(async () => {
  edge = await startEdge({ PUBLIC_URL });
}, 60_000);

afterAll(() => edge.stop(), 60_000);

/** An endpoint of a scheme, its address as the provider knows it, and what stands in the streams for it. */
async function endpointOf(signatureScheme: string, more: object = {}) {
  const endpoint = await makeEndpoint(edge, { signatureScheme, secretKey: SECRET, ...more });
  const path = `/webhooks/${edge.slug}/${endpoint.endpointPath}`;
  return {
    path,
    url: PUBLIC_URL + path,
    send: (body: string | Uint8Array, headers: Record<string, string>, query = "") =>
      fetch(edge.baseUrl + path + query, { method: "POST", headers, body: body as BodyInit }),
    messages: async () =>
      (await edge.entries()).map(({ message }) => message).filter((one) => one.endpointId === endpoint.id),
  };
}

function mac(hash: string, encoding: "hex" | "base64", ...parts: (string | Uint8Array)[]): string {
  const hmac = createHmac(hash, SECRET);
  for (const part of parts) hmac.update(part);
  return hmac.digest(encoding);
}

/** Sends a request byte for byte: `fetch` would write its address in its own spelling. Returns the status line. */
async function sendRaw(target: string, headers: Record<string, string>, body: string): Promise<string> {
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `POST ${target} HTTP/1.1\r\nHost: proxy.internal\r\n${head.join("")}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  await Bun.connect({
    hostname: "127.0.0.1",
    port: edge.server.port!,
    socket: {
      open: (socket) => void socket.write(request),
      data: (_socket, data) => void (text += data.toString()),
      close: () => resolve(text.split("\r\n", 1)[0]!),
    },
  });
  return promise;
}

describe("acceptWebhook() takes a signed address", () => {
  const QUERIES = [
    "",
    "?",
    "?a=1&b=2",
    "?name=O'Brien",
    "?name=O%27Brien",
    "?u=%C3%BC&v=%7e~%2F",
    "?a=1&&b",
    "?list[]=1&list[]=2",
  ];

  test.each(QUERIES)("of Square, with the query %p as the sender wrote it", async (query) => {
    const { path, url } = await endpointOf("square");
    const headers = { "X-SQUARE-HmacSha256-Signature": mac("sha256", "base64", `${url}${query}{}`) };
    expect(await sendRaw(path + query, headers, "{}")).toContain(" 200 ");
    expect(await sendRaw(`${path}${query === "" ? "?" : query}x`, headers, "{}")).toContain(" 401 ");
  });

  test("of Trello, HubSpot and Twilio, with an apostrophe in the query", async () => {
    const query = "?owner=O'Brien";
    const trello = await endpointOf("trello");
    const signature = mac("sha1", "base64", `{}${trello.url}${query}`);
    expect(await sendRaw(trello.path + query, { "X-Trello-Webhook": signature }, "{}")).toContain(" 200 ");

    const hubspot = await endpointOf("hubspot");
    const time = String(Date.now());
    const v3 = mac("sha256", "base64", `POST${hubspot.url}${query}[]${time}`);
    const headers = { "X-HubSpot-Request-Timestamp": time, "X-HubSpot-Signature-v3": v3 };
    expect(await sendRaw(hubspot.path + query, headers, "[]")).toContain(" 200 ");

    const twilio = await endpointOf("twilio");
    const form = "Body=a+b%20c&Body=%C3%BC&Empty=&Body=a+b%20c";
    const signed = mac("sha1", "base64", `${twilio.url}${query}Bodya b cBodyüEmpty`);
    const type = { "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8" };
    expect(await sendRaw(twilio.path + query, { ...type, "X-TWILIO-SIGNATURE": signed }, form)).toContain(
      " 200 ",
    );
  });
});

describe("acceptWebhook() reads the event's id and type", () => {
  const EVENT = '{"event_id":"E1","event_type":"form_response"}';
  const send = async (body: string | Uint8Array, headers: Record<string, string> = {}) => {
    const { send: post, messages } = await endpointOf("typeform");
    const signature = `sha256=${mac("sha256", "base64", body)}`;
    const answer = await post(body, { "typeform-signature": signature, ...headers });
    expect(answer.status).toBe(200);
    return (await messages())[0];
  };

  test("behind a byte order mark", async () => {
    expect(await send(`\uFEFF${EVENT}`)).toMatchObject({ eventId: "E1", eventType: "form_response" });
  });

  test.each([
    ["gzip", gzipSync(EVENT)],
    ["deflate", deflateSync(EVENT)],
    ["br", brotliCompressSync(EVENT)],
    ["identity", EVENT],
    ["", EVENT],
  ])("from a body with Content-Encoding '%s'", async (coding, body) => {
    const message = await send(body, { "content-encoding": coding });
    expect(message).toMatchObject({ eventId: "E1", eventType: "form_response" });
  });

  test("from no body that is broken or grows beyond 4 MiB", async () => {
    const bomb = gzipSync(EVENT + " ".repeat(5 * 1024 * 1024));
    for (const body of [bomb, gzipSync(EVENT).subarray(0, 20)]) {
      expect(await send(body, { "content-encoding": "gzip" })).toMatchObject({ eventId: null });
    }
  });
});

test("acceptWebhook() gives a Mailgun event the id of the token that was verified, whatever else its form hides", async () => {
  const { send } = await endpointOf("mailgun");
  const timestamp = String(Math.floor(Date.now() / 1000));
  const token = newId();
  const signature = mac("sha256", "hex", timestamp + token);
  const receipts = new Set<unknown>();
  for (const other of ["1", "2"]) {
    const body = `{"signature":{"token":"${other}"},"a":"=&timestamp=${timestamp}&token=${token}&signature=${signature}&b="}`;
    const answer = await send(body, { "content-type": "application/x-www-form-urlencoded" });
    receipts.add(((await answer.json()) as { id: string }).id);
  }
  expect(receipts.size).toBe(1);
});

test("acceptWebhook() takes an empty body where its signature is right", async () => {
  const { send, url } = await endpointOf("twilio");
  const hash = createHash("sha256").digest("hex");
  const query = `?bodySHA256=${hash}`;
  expect((await send("", { "x-twilio-signature": mac("sha1", "base64", url) })).status).toBe(200);
  expect((await send("", { "x-twilio-signature": mac("sha1", "base64", url + query) }, query)).status).toBe(
    200,
  );
  expect((await send("a=1", { "x-twilio-signature": mac("sha1", "base64", url) })).status).toBe(401);
});
