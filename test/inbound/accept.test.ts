import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { updateEndpoint } from "../../src/domain/inbound/update-endpoint.ts";
import { deleteEndpoint } from "../../src/domain/inbound/delete-endpoint.ts";
import { rotateEndpointSecret } from "../../src/domain/inbound/rotate-endpoint-secret.ts";
import { serveEdge } from "../../src/edge/serve.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import type { RedisClient } from "../../src/platform/redis/script.ts";
import { inboundKeys, partitionOf, seenKey } from "../../src/platform/redis/keys.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, SECRET, sendGithub, startEdge, TestClock } from "./edge-fixture.ts";

const clock = new TestClock();
let edge: EdgeFixture;

beforeAll(async () => {
  edge = await startEdge({}, clock);
});
afterAll(() => edge.stop());

const jsonOf = async (response: Response): Promise<Record<string, unknown>> =>
  (await response.json()) as Record<string, unknown>;

describe("POST /webhooks/:tenant/:path", () => {
  test("accepts a signed webhook, answers its receipt id and puts the exact body into the stream", async () => {
    const endpoint = await makeEndpoint(edge);
    const body = '{ "a" : 1.0, "b":"\\u00e9 é" }\n';
    const before = Date.now();
    const response = await sendGithub(edge, endpoint.endpointPath, { body, id: "delivery-1" });
    expect(response.status).toBe(200);
    const answer = await jsonOf(response);
    expect(answer).toEqual({ id: response.headers.get("hub-receipt-id"), status: "accepted" });
    expect(timeOfId(String(answer["id"]))).toBeGreaterThanOrEqual(before);
    const entry = (await edge.entries()).find((one) => one.message.id === answer["id"])!;
    expect(Buffer.from(entry.body!).toString()).toBe(body);
    expect(entry.message).toMatchObject({
      endpointId: endpoint.id,
      tenantId: edge.ctx.tenantId,
      eventId: "delivery-1",
      eventType: "push",
      sourceIp: "127.0.0.1",
    });
    expect(JSON.stringify(entry.message)).not.toContain("sha256=");
  });

  test("accepts by the tenant's id as well as by its slug", async () => {
    const endpoint = await makeEndpoint(edge);
    const response = await sendGithub({ ...edge, slug: edge.ctx.tenantId }, endpoint.endpointPath);
    expect(response.status).toBe(200);
  });

  test("answers a repeated event id with the first receipt and adds nothing", async () => {
    const endpoint = await makeEndpoint(edge);
    const first = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { id: "twice", body: "{}" }));
    const again = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { id: "twice", body: "{}" }));
    const other = await jsonOf(
      await sendGithub(edge, endpoint.endpointPath, { id: "twice", body: '{"other":1}' }),
    );
    expect(again).toEqual({ id: first["id"], status: "duplicate" });
    expect(other).toEqual({ id: first["id"], status: "duplicate" });
    expect((await edge.entries()).filter((one) => one.message.endpointId === endpoint.id)).toHaveLength(1);
  });

  test("accepts one of many simultaneous deliveries of the same event", async () => {
    const endpoint = await makeEndpoint(edge);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        sendGithub(edge, endpoint.endpointPath, { id: "race", body: "{}" }).then(jsonOf),
      ),
    );
    expect(answers.filter((answer) => answer["status"] === "accepted")).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer["id"])).size).toBe(1);
  });

  test("takes the same event id on two endpoints as two events", async () => {
    const [one, two] = await Promise.all([makeEndpoint(edge), makeEndpoint(edge)]);
    for (const endpoint of [one, two]) {
      const answer = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { id: "same" }));
      expect(answer["status"]).toBe("accepted");
    }
  });

  test("without an event id remembers the body for 300 s only", async () => {
    const endpoint = await makeEndpoint(edge, {
      signatureScheme: "hmac",
      signatureHeader: "x-hub-signature-256",
      signatureAlgorithm: null,
      secretKey: SECRET,
      signatureSettings: { prefix: "sha256=" },
    });
    const send = () => sendGithub(edge, endpoint.endpointPath, { body: '{"same":true}' }).then(jsonOf);
    const first = await send();
    expect(first["status"]).toBe("accepted");
    expect(await send()).toEqual({ id: first["id"], status: "duplicate" });
    // The entry is aged in Redis itself, because the script asks Redis for the time.
    const partition = partitionOf(endpoint.id, edge.runtime.config.streamPartitions);
    const generation = Math.floor(clock.nowMs() / 1000 / edge.runtime.config.dedupeHotSeconds);
    const fields = await edge.runtime.redis.hgetall(seenKey(partition, generation));
    for (const [field, value] of Object.entries(fields)) {
      if (value.length === 38)
        await edge.runtime.redis.hset(
          seenKey(partition, generation),
          field,
          `${value.slice(0, 28)}${Math.floor(Date.now() / 1000) - 301}`,
        );
    }
    expect((await send())["status"]).toBe("accepted");
  });

  test("finds an event id of the previous generation", async () => {
    const endpoint = await makeEndpoint(edge);
    const first = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { id: "old", body: "{}" }));
    clock.offsetMs = edge.runtime.config.dedupeHotSeconds * 1000;
    try {
      const again = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { id: "old", body: "{}" }));
      expect(again).toEqual({ id: first["id"], status: "duplicate" });
    } finally {
      clock.offsetMs = 0;
    }
  });

  test("counts each accepted webhook once in the ledgers", async () => {
    const endpoint = await makeEndpoint(edge);
    const keys = inboundKeys(partitionOf(endpoint.id, edge.runtime.config.streamPartitions));
    const field = `${edge.ctx.tenantId}/accepted`;
    const before = Number(await edge.runtime.redis.hget(keys.ledger, field));
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        sendGithub(edge, endpoint.endpointPath, { id: `n${index % 10}` }),
      ),
    );
    expect(Number(await edge.runtime.redis.hget(keys.ledger, field))).toBe(before + 10);
  });

  test("refuses what exceeds the endpoint's rate, says when to come again, and forgets nothing of it", async () => {
    const endpoint = await makeEndpoint(edge, { rateLimit: { limit: 1, windowSeconds: 60, burst: 3 } });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => sendGithub(edge, endpoint.endpointPath, { id: `r${index}` })),
    );
    const refused = answers.filter((answer) => answer.status === 429);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(3);
    expect(refused).toHaveLength(5);
    expect(Number(refused[0]!.headers.get("retry-after"))).toBeGreaterThan(30);
    expect((await jsonOf(refused[0]!))["code"]).toBe("rate_limited");
  });

  test("keeps bodies above 64 KiB out of Redis", async () => {
    const endpoint = await makeEndpoint(edge, { maxBodyBytes: 5_000_000 });
    const body = JSON.stringify({ data: "x".repeat(700_000) });
    const answer = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { body }));
    const entry = (await edge.entries()).find((one) => one.message.id === answer["id"])!;
    expect(entry.message).toMatchObject({ bodyEncoding: "large", bodySize: body.length });
    const rows = await edge.runtime.sqlSystem<
      { bytes: Uint8Array }[]
    >`select bytes from large_bodies where receipt_id = ${String(answer["id"])} order by part`;
    expect(Buffer.concat(rows.map((row) => row.bytes)).toString()).toBe(body);
  });

  test("judges a body of megabytes like a small one", async () => {
    const endpoint = await makeEndpoint(edge, {
      maxBodyBytes: 26_214_400,
      eventIdSource: { pointer: "/id" },
    });
    const body = JSON.stringify({ id: "large-1", data: "x".repeat(20 * 1024 * 1024) });
    const response = await sendGithub(edge, endpoint.endpointPath, { body });
    expect(response.status).toBe(200);
    const entry = (await edge.entries()).find((one) => one.message.endpointId === endpoint.id)!;
    expect(entry.message).toMatchObject({ eventId: "large-1", bodySize: body.length });
    const again = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { body }));
    expect(again).toEqual({ id: entry.message.id, status: "duplicate" });
    expect((await sendGithub(edge, endpoint.endpointPath, { body, secret: "another secret" })).status).toBe(
      401,
    );
  });

  test("carries bytes that are no UTF-8, NUL bytes and empty bodies unchanged", async () => {
    const endpoint = await makeEndpoint(edge);
    for (const body of [
      Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x41]),
      Buffer.from('\ufeff{"a":"\u0000"}'),
      Buffer.alloc(0),
    ]) {
      const answer = await jsonOf(await sendGithub(edge, endpoint.endpointPath, { body }));
      expect(answer["status"]).toBe("accepted");
      const entry = (await edge.entries()).find((one) => one.message.id === answer["id"])!;
      expect(Buffer.from(entry.body!).equals(body)).toBe(true);
    }
  });

  test("accepts for a paused endpoint, refuses for a disabled one, knows a deleted one no more", async () => {
    const endpoint = await makeEndpoint(edge);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { status: "PAUSED" } });
    expect((await sendGithub(edge, endpoint.endpointPath)).status).toBe(200);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { status: "DISABLED" } });
    await untilStatus(() => sendGithub(edge, endpoint.endpointPath), 410);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { status: "ACTIVE" } });
    await untilStatus(() => sendGithub(edge, endpoint.endpointPath), 200);
    await deleteEndpoint(edge.ctx, { id: endpoint.id });
    await untilStatus(() => sendGithub(edge, endpoint.endpointPath), 404);
  });

  test("takes the old secret during a rotation's overlap and refuses it with an overlap of 0", async () => {
    const endpoint = await makeEndpoint(edge);
    const rotated = await rotateEndpointSecret(edge.ctx, { id: endpoint.id, overlapSeconds: 60 });
    await untilStatus(() => sendGithub(edge, endpoint.endpointPath, { secret: rotated.secretKey }), 200);
    expect((await sendGithub(edge, endpoint.endpointPath, { secret: SECRET })).status).toBe(200);
    const again = await rotateEndpointSecret(edge.ctx, { id: endpoint.id, overlapSeconds: 0 });
    expect(again.previousExpiresAt).toBeNull();
    await untilStatus(() => sendGithub(edge, endpoint.endpointPath, { secret: again.secretKey }), 200);
    expect((await sendGithub(edge, endpoint.endpointPath, { secret: rotated.secretKey })).status).toBe(401);
  });

  test("takes nothing but the new secret after a rotation without overlap, whatever was promised before", async () => {
    const endpoint = await makeEndpoint(edge);
    await rotateEndpointSecret(edge.ctx, { id: endpoint.id });
    const last = await rotateEndpointSecret(edge.ctx, { id: endpoint.id, overlapSeconds: 0 });
    await untilStatus(() => sendGithub(edge, endpoint.endpointPath, { secret: last.secretKey }), 200);
    expect((await sendGithub(edge, endpoint.endpointPath, { secret: SECRET })).status).toBe(401);
  });

  test("goes on when a rotation prepares a scheme for which the old secret has the wrong form", async () => {
    const endpoint = await makeEndpoint(edge, {
      signatureScheme: "token",
      secretKey: "an old token, of any form".replaceAll(/\W/g, "-"),
    });
    const secretKey = `whsec_${"0123456789abcdef".repeat(2)}`;
    await rotateEndpointSecret(edge.ctx, { id: endpoint.id, secretKey });
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { signatureScheme: "stripe" } });
    const send = () => {
      const time = Math.floor(clock.nowMs() / 1000);
      const proof = new Bun.CryptoHasher("sha256", secretKey).update(`${time}.{}`).digest("hex");
      return fetch(`${edge.baseUrl}/webhooks/${edge.slug}/${endpoint.endpointPath}`, {
        method: "POST",
        body: "{}",
        headers: { "stripe-signature": `t=${time},v1=${proof}` },
      });
    };
    await untilStatus(send, 200);
  });

  test("gives every unknown tenant and path the same answer", async () => {
    const endpoint = await makeEndpoint(edge);
    const answers = await Promise.all(
      [
        `nobody/${endpoint.endpointPath}`,
        `${edge.slug}/nothing-here`,
        `${newId()}/${endpoint.endpointPath}`,
      ].map((path) => fetch(`${edge.baseUrl}/webhooks/${path}`, { method: "POST", body: "{}" })),
    );
    const bodies = await Promise.all(answers.map(jsonOf));
    for (const body of bodies) {
      expect({ ...body, requestId: "" }).toEqual({ ...bodies[0]!, requestId: "" });
      expect(body).toMatchObject({ status: 404, code: "not_found" });
    }
  });
});

/** Changes travel by pub/sub, so the first answers may still be of the old state. */
async function untilStatus(send: () => Promise<Response>, status: number): Promise<void> {
  while ((await send()).status !== status) await Bun.sleep(20);
}

test("serveEdge() listens when it can accept: the first request of a new process is not refused", async () => {
  const runtime = createRuntime(edge.runtime.config, "edge");
  const opened: RedisClient[] = [];
  const openRedis = runtime.openRedis.bind(runtime);
  runtime.openRedis = (purpose) => {
    const client = openRedis(purpose);
    if (purpose === "ingest") opened.push(client);
    return client;
  };
  const endpoint = await makeEndpoint(edge);
  const server = await serveEdge(runtime);
  try {
    expect(opened[0]!.status).toBe("ready");
    const answer = await sendGithub(
      { ...edge, baseUrl: `http://127.0.0.1:${server.port}` },
      endpoint.endpointPath,
    );
    expect(answer.status).toBe(200);
  } finally {
    await runtime.shutdown.run();
  }
});
