import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stripe } from "stripe";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { readFirstRun, type StartedHub, startHub } from "../support/started-hub.ts";

const TIMEOUT_MS = 120_000;
const SECRET = `whsec_${crypto.randomUUID().replaceAll("-", "")}`;
const CANARY = `cnry_${crypto.randomUUID()}`;

let home: string;
let hub: StartedHub;
let apiKey: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-rejections-"));
  hub = await startHub(home);
  ({ apiKey } = await readFirstRun(home));
}, TIMEOUT_MS);

afterAll(async () => {
  hub.kill("SIGTERM");
  await hub.ended;
  await rm(home, { recursive: true, force: true });
}, TIMEOUT_MS);

interface Reply {
  status: number;
  text: string;
  json: Record<string, unknown>;
}

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(`${hub.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, json: JSON.parse(text) as Record<string, unknown> };
}

/** Sends an event as Stripe's own package signs it. */
async function sendStripe(event: object): Promise<Response> {
  const payload = JSON.stringify(event);
  const signature = await new Stripe("sk_test_none").webhooks.generateTestHeaderStringAsync({
    payload,
    secret: SECRET,
  });
  return fetch(`${hub.baseUrl}/webhooks/demo/stripe`, {
    method: "POST",
    headers: { "content-type": "application/json", "stripe-signature": signature },
    body: payload,
  });
}

/** Files of the hub, its Redis and its Postgres that hold the text. */
async function filesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // A file of Postgres may be gone by now.
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    if (bytes.includes(text)) found.push(path);
  }
  return found;
}

test(
  "a Stripe delivery that was refused for a line break in the stored secret is explained, mended and processed once",
  async () => {
    const endpoint = await call("POST", "/api/v1/webhooks/endpoints", {
      endpointPath: "stripe",
      handlerType: "CUSTOM",
      signatureScheme: "stripe",
      secretKey: `${SECRET}\n`,
    });
    expect(endpoint.status).toBe(201);
    const event = { id: "evt_1", type: "invoice.paid", data: { note: CANARY } };
    expect((await sendStripe(event)).status).toBe(401);

    const list = await retryUntil(
      async () => {
        const reply = await call("GET", "/api/v1/webhooks/rejections?code=signature_invalid");
        if ((reply.json["data"] as unknown[]).length === 0) throw new Error("no sample yet");
        return reply;
      },
      { everyMs: 100, timeoutMs: 60_000 },
    );
    const [sample] = list.json["data"] as { id: string }[];
    const path = `/api/v1/webhooks/rejections/${sample!.id}`;
    const explained = await call("GET", path);
    expect(explained.json).toMatchObject({ valid: false, causes: [{ code: "secret_whitespace" }] });
    expect(explained.text).not.toContain(SECRET);
    expect(await filesWith(CANARY)).toEqual([]);
    expect(await filesWith(SECRET)).toEqual([]);
    expect(hub.terminal()).not.toContain(CANARY);
    expect((await call("POST", `${path}/verify`, { accept: true })).status).toBe(409);

    const mended = await call("PUT", `/api/v1/webhooks/endpoints/${String(endpoint.json["id"])}`, {
      secretKey: SECRET,
    });
    expect(mended.status).toBe(200);
    expect((await call("POST", `${path}/verify`)).json).toMatchObject({ valid: true, receiptId: null });
    const accepted = await call("POST", `${path}/verify`, { accept: true });
    expect(accepted).toMatchObject({ status: 200, json: { valid: true, status: "accepted" } });
    const { receiptId } = accepted.json as { receiptId: string };
    await retryUntil(
      async () => {
        const receipt = await call("GET", `/api/v1/webhooks/receipts/${receiptId}`);
        expect(receipt.json).toMatchObject({ status: "PROCESSED", eventId: "evt_1" });
      },
      { everyMs: 100, timeoutMs: 60_000 },
    );
    const again = await call("POST", `${path}/verify`, { accept: true });
    expect(again).toMatchObject({ status: 200, json: { receiptId, status: "duplicate" } });
    expect(await (await sendStripe(event)).json()).toEqual({ id: receiptId, status: "duplicate" });
    const receipts = await call("GET", "/api/v1/webhooks/receipts?eventId=evt_1");
    expect((receipts.json["data"] as unknown[]).length).toBe(1);
    const audit = await call("GET", `/api/v1/audit-log?objectId=${sample!.id}`);
    expect(JSON.stringify(audit.json)).toContain("webhook_rejection.accept");
  },
  TIMEOUT_MS,
);
