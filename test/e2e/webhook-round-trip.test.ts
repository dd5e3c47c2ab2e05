import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { readFirstRun, type StartedHub, startHub } from "../support/started-hub.ts";

const TIMEOUT_MS = 120_000;

/** A partner's words for what the model LOAD_STATUS asks. */
const EXPRESSION = '{ "loadId": load, "status": state, "eventTime": at }';

interface Answer<T> {
  status: number;
  body: T;
}

interface Row {
  id: string;
  status: string;
  eventId: string | null;
}

let home: string;
let hub: StartedHub;
let apiKey: string;
let secretKey: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-e2e-"));
  hub = await startHub(home);
  ({ apiKey } = await readFirstRun(home));
}, TIMEOUT_MS);

afterAll(async () => {
  hub.kill("SIGTERM");
  await hub.ended;
  await rm(home, { recursive: true, force: true });
}, TIMEOUT_MS);

async function call<T>(method: string, path: string, input?: unknown): Promise<Answer<T>> {
  const response = await fetch(`${hub.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(input === undefined ? {} : { body: JSON.stringify(input) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

/** Sends as the partner does: HMAC-SHA256 in hex over the body. */
async function send(event: object): Promise<Answer<{ id: string; status: string }>> {
  const body = JSON.stringify(event);
  const response = await fetch(`${hub.baseUrl}/webhooks/demo/acme`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-signature": createHmac("sha256", secretKey).update(body).digest("hex"),
    },
    body,
  });
  return { status: response.status, body: (await response.json()) as { id: string; status: string } };
}

/** Waits until the receipt of a partner's event has this status. */
function receiptOf(eventId: string, status: string): Promise<Row> {
  const attempt = async (): Promise<Row> => {
    const list = await call<{ data: Row[] }>("GET", `/api/v1/webhooks/receipts?eventId=${eventId}`);
    const found = list.body.data.find((row) => row.status === status);
    if (!found) throw new Error(`No receipt ${eventId} ${status}: ${JSON.stringify(list.body)}`);
    return found;
  };
  return retryUntil(attempt, { everyMs: 50, timeoutMs: 50_000 });
}

/** Entries of the service's stream, read as the service itself would: in its group, acknowledged and deleted. */
async function readService(): Promise<{ id: string; body: unknown }[]> {
  const { redisUrl } = (await Bun.file(join(home, "services.json")).json()) as { redisUrl: string };
  const redis = new Redis(redisUrl);
  try {
    const reply = (await redis.xreadgroup(
      ...(["GROUP", "loads", "reader", "COUNT", "100", "STREAMS", "svc:loads", ">"] as const),
    )) as [string, [string, string[]][]][] | null;
    const messages: { id: string; body: unknown }[] = [];
    for (const [entryId, values] of reply?.[0]?.[1] ?? []) {
      const fields = new Map(
        values.flatMap((value, index) => (index % 2 === 0 ? [[value, values[index + 1]!]] : [])),
      );
      messages.push({ id: fields.get("id")!, body: JSON.parse(fields.get("body")!) });
      await redis.xack("svc:loads", "loads", entryId);
      await redis.xdel("svc:loads", entryId);
    }
    return messages;
  } finally {
    redis.disconnect();
  }
}

const AT = "2026-11-23T10:15:00Z";

describe("a partner's webhook", () => {
  let firstId: string;
  let deadId: string;

  test("gets an endpoint that maps it and a service that takes it", async () => {
    const service = await call("PUT", "/api/v1/services/loads", { kind: "STREAM" });
    expect([200, 201]).toContain(service.status);
    const endpoint = await call<{ secretKey: string }>("POST", "/api/v1/webhooks/endpoints", {
      endpointPath: "acme",
      handlerType: "LOAD_STATUS",
      targetService: "loads",
      eventIdSource: { pointer: "/id" },
      transformTemplate: { engine: "jsonata", expression: EXPRESSION },
    });
    expect(endpoint.status).toBe(201);
    secretKey = endpoint.body.secretKey;
  });

  test("is accepted, transformed, and reaches the service under its receipt's id", async () => {
    const answer = await send({ id: "evt_1", load: "L-77", state: "DELIVERED", at: AT });
    expect(answer).toMatchObject({ status: 200, body: { status: "accepted" } });
    firstId = answer.body.id;
    expect((await receiptOf("evt_1", "PROCESSED")).id).toBe(firstId);
    const [message, ...others] = await readService();
    expect(others).toEqual([]);
    expect(message).toMatchObject({ id: firstId, body: { loadId: "L-77", status: "DELIVERED" } });
  });

  test("is recognised when it comes again", async () => {
    const answer = await send({ id: "evt_1", load: "L-77", state: "DELIVERED", at: AT });
    expect(answer).toEqual({ status: 200, body: { id: firstId, status: "duplicate" } });
  });

  test("is refused when it is signed by somebody else", async () => {
    const own = secretKey;
    secretKey = "0".repeat(64);
    expect((await send({ id: "evt_x", load: "L-1", state: "DELIVERED", at: AT })).status).toBe(401);
    secretKey = own;
  });

  test("is kept when it cannot be processed, with the reason", async () => {
    const answer = await send({ id: "evt_2", load: "L-78", state: "LOST", at: AT });
    expect(answer.status).toBe(200);
    await receiptOf("evt_2", "DEAD");
    const list = await call<{ data: { id: string; receiptId: string }[] }>("GET", "/api/v1/dead-letters");
    const found = list.body.data.find((row) => row.receiptId === answer.body.id);
    expect(JSON.stringify(found)).toContain("/status");
    deadId = found!.id;
    expect(await readService()).toEqual([]);
  });

  test("reaches the service under the same id once a person has mended it", async () => {
    const body = JSON.stringify({ id: "evt_2", load: "L-78", state: "EXCEPTION", at: AT });
    expect((await call("PUT", `/api/v1/dead-letters/${deadId}`, { body })).status).toBe(200);
    expect((await call("POST", `/api/v1/dead-letters/${deadId}/replay`)).status).toBe(202);
    const receipt = await receiptOf("evt_2", "PROCESSED");
    expect(await readService()).toMatchObject([{ id: receipt.id, body: { status: "EXCEPTION" } }]);
  });

  test("stands in the log and in the sum that stays 0", async () => {
    const logs = await call<{ data: { url: string }[] }>("GET", "/api/v1/api-logs/search?direction=INBOUND");
    expect(logs.body.data.filter((row) => row.url.includes("/webhooks/demo/acme")).length).toBeGreaterThan(0);
    const difference = async (): Promise<void> => {
      const metrics = await (await fetch(`${hub.baseUrl}/metrics`)).text();
      expect(metrics).toMatch(/hub_conservation_difference\{topic="inbound"\} 0\b/);
    };
    await retryUntil(difference, { everyMs: 200, timeoutMs: 50_000 });
  });

  test(
    "survives the SIGKILL of the whole hub once it was answered",
    async () => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          send({ id: `kill_${index}`, load: `L-${index}`, state: "DELIVERED", at: AT }),
        ),
      );
      hub.kill("SIGKILL");
      await hub.ended;
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 200 }, () => 200));
      hub = await startHub(home);
      await retryUntil(
        async () => {
          const { body } = await call<{ data: Row[] }>(
            "GET",
            "/api/v1/webhooks/receipts?status=PROCESSED&limit=200",
          );
          const processed = new Set(body.data.map(({ eventId }) => eventId));
          expect(answers.filter((_, index) => !processed.has(`kill_${index}`))).toEqual([]);
        },
        { everyMs: 250, timeoutMs: 90_000 },
      );
      const ids = new Set((await readService()).map(({ id }) => id));
      for (let more = await readService(); more.length > 0; more = await readService()) {
        for (const { id } of more) ids.add(id);
      }
      expect(answers.filter(({ body }) => !ids.has(body.id))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
