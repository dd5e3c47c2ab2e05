import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Server } from "bun";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { readFirstRun, type StartedHub, startHub } from "../support/started-hub.ts";

const TIMEOUT_MS = 120_000;

interface Arrival {
  headers: Headers;
  body: string;
}

let home: string;
let hub: StartedHub;
let apiKey: string;
let receiver: Server<undefined>;
const arrivals: Arrival[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-e2e-"));
  hub = await startHub(home, { EGRESS_ALLOW_CIDRS: "127.0.0.0/8", EGRESS_ALLOW_HTTP: "true" });
  ({ apiKey } = await readFirstRun(home));
  receiver = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      arrivals.push({ headers: request.headers, body: await request.text() });
      return new Response();
    },
  });
}, TIMEOUT_MS);

afterAll(async () => {
  hub.kill("SIGTERM");
  await hub.ended;
  await receiver.stop(true);
  await rm(home, { recursive: true, force: true });
}, TIMEOUT_MS);

async function call(
  method: string,
  path: string,
  input?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${hub.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(input === undefined ? {} : { body: JSON.stringify(input) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const until = (holds: () => void | Promise<void>): Promise<void> =>
  retryUntil(() => Promise.resolve().then(holds), { everyMs: 20, timeoutMs: 60_000 });
const arrivalsOf = (path: string, type: string): Record<string, unknown>[] =>
  arrivals
    .filter(({ headers }) => headers.get("x-path") === path)
    .map(({ body }) => JSON.parse(body) as Record<string, unknown>)
    .filter((payload) => payload["type"] === type);

async function subscribe(path: string, eventTypes: string[]): Promise<Record<string, unknown>> {
  const { status, body } = await call("POST", "/api/v1/webhooks/subscriptions", {
    name: path,
    url: `${receiver.url.origin}/${path}`,
    eventTypes,
    headers: { "X-Path": path },
  });
  expect(status).toBe(201);
  return body;
}

describe("a started hub", () => {
  test(
    "delivers a published event, signed, once; shows it delivered; tells a live view",
    async () => {
      const subscription = await subscribe("orders", ["ORDER_*"]);
      const abort = new AbortController();
      const view = await fetch(`${hub.baseUrl}/api/v1/events/stream`, {
        headers: { authorization: `Bearer ${apiKey}` },
        signal: abort.signal,
      });
      const published = await call("POST", "/api/v1/events", {
        type: "ORDER_CREATED",
        id: "ORD-1001/created",
        data: { orderId: "ORD-1001" },
      });
      expect(published.status).toBe(202);
      const id = String(published.body["id"]);
      await until(() => expect(arrivalsOf("orders", "order.created").length).toBe(1));
      const arrival = arrivals.find(({ headers }) => headers.get("x-path") === "orders")!;
      const verifier = new Webhook(String(subscription["secretKey"]));
      const payload = verifier.verify(arrival.body, Object.fromEntries(arrival.headers)) as object;
      expect(payload).toMatchObject({ id, type: "order.created", data: { orderId: "ORD-1001" } });
      await until(async () => {
        const { body } = await call("GET", `/api/v1/events/${id}`);
        expect(body["deliveries"]).toMatchObject([
          { subscriptionId: subscription["id"], status: "DELIVERED", attempts: 1, responseStatus: 200 },
        ]);
      });
      const reader = view.body!.getReader();
      let seen = "";
      while (!seen.includes(id)) seen += new TextDecoder().decode((await reader.read()).value);
      abort.abort();
    },
    TIMEOUT_MS,
  );

  test(
    "takes a partner's signed webhook and tells a subscriber of it, whose receiver verifies it",
    async () => {
      const subscription = await subscribe("received", ["webhook.received"]);
      const endpoint = await call("POST", "/api/v1/webhooks/endpoints", { handlerType: "CUSTOM" });
      const body = JSON.stringify({ shipment: "1842" });
      const { url, secretKey, signatureHeader } = endpoint.body as Record<string, string>;
      const sent = await fetch(new URL(new URL(url!).pathname, hub.baseUrl), {
        method: "POST",
        headers: {
          "content-type": "application/json",
          [signatureHeader!]: createHmac("sha256", secretKey!).update(body).digest("hex"),
        },
        body,
      });
      expect(sent.status).toBe(200);
      await until(() => expect(arrivalsOf("received", "webhook.received").length).toBe(1));
      const arrival = arrivals.find(({ headers }) => headers.get("x-path") === "received")!;
      const verifier = new Webhook(String(subscription["secretKey"]));
      expect(verifier.verify(arrival.body, Object.fromEntries(arrival.headers))).toMatchObject({
        data: { body },
      });
    },
    TIMEOUT_MS,
  );
});
