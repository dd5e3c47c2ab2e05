import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
import { accepted, HttpTarget, receiptWith, registerHttp, startWorker, untilIdle } from "./worker-fixture.ts";

let edge: EdgeFixture;
let worker: { stop(): Promise<void> };
let target: HttpTarget;
let targetService: string;
beforeAll(async () => {
  edge = await startEdge();
  worker = await startWorker(edge);
  target = new HttpTarget();
  targetService = `t-${newId().slice(-12)}`;
  await registerHttp(edge, targetService, target.url);
});
afterAll(async () => {
  await worker.stop();
  await target.stop();
  await edge.stop();
});

function sentBody(id: string): Buffer {
  return Buffer.from(target.requests.find(({ headers }) => headers.get("hub-receipt-id") === id)!.body);
}

async function largeParts(id: string): Promise<number> {
  const [row] = await edge.runtime.sqlSystem<{ count: string }[]>`
    select count(*) as count from large_bodies where receipt_id = ${id}`;
  return Number(row!.count);
}

const LOAD_STATUS_MAPPING = `{
  "loadId": id, "status": state, "eventTime": at
}`;

describe("a body", () => {
  test("that is compressed reaches its target decoded, and is kept as received", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const text = JSON.stringify({ shipment: "L1".repeat(100) });
    const body = gzipSync(text);
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: { "content-encoding": "gzip" } });
    const receipt = await receiptWith(edge, id, "PROCESSED");
    expect(sentBody(id).toString()).toBe(text);
    expect(Buffer.from(receipt.body!)).toEqual(body);
  });

  test("that grows past all limits when it is decoded becomes a dead letter", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const body = gzipSync(Buffer.alloc(26 * 1024 * 1024));
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: { "content-encoding": "gzip" } });
    expect((await receiptWith(edge, id, "DEAD")).errorCode).toBe("body_too_large_decoded");
  }, 60_000);

  test("that says it is compressed and is not becomes a dead letter", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const id = await accepted(edge, endpoint.endpointPath, {
      body: "{}",
      headers: { "content-encoding": "gzip" },
    });
    expect((await receiptWith(edge, id, "DEAD")).errorCode).toBe("body_encoding_invalid");
  });

  test("over 64 KiB reaches its target whole", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const bodies = Array.from({ length: 12 }, (_, n) => JSON.stringify({ n, fill: "x".repeat(200_000) }));
    const ids = await Promise.all(bodies.map((body) => accepted(edge, endpoint.endpointPath, { body })));
    for (const [index, id] of ids.entries()) {
      const receipt = await receiptWith(edge, id, "PROCESSED");
      expect(receipt.body).toBeNull();
      expect(sentBody(id).toString()).toBe(bodies[index]!);
      expect(await largeParts(id)).toBeGreaterThan(0);
    }
  });

  test("that is empty is handed over empty", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const id = await accepted(edge, endpoint.endpointPath, { body: "" });
    await receiptWith(edge, id, "PROCESSED");
    expect(sentBody(id).length).toBe(0);
  });
});

describe("a transformation", () => {
  test("into the handler's model is checked and routed", async () => {
    const endpoint = await makeEndpoint(edge, {
      targetService,
      handlerType: "LOAD_STATUS",
      transformTemplate: { engine: "jsonata", expression: LOAD_STATUS_MAPPING },
    });
    const body = JSON.stringify({ id: "L1", state: "DELIVERED", at: "2026-01-02T03:04:05Z" });
    const id = await accepted(edge, endpoint.endpointPath, { body });
    await receiptWith(edge, id, "PROCESSED");
    expect(JSON.parse(sentBody(id).toString())).toMatchObject({ loadId: "L1", status: "DELIVERED" });
  });

  test("that leaves out what the model needs becomes a dead letter that names it", async () => {
    const endpoint = await makeEndpoint(edge, {
      targetService,
      handlerType: "LOAD_STATUS",
      transformTemplate: { engine: "jsonata", expression: LOAD_STATUS_MAPPING },
    });
    const id = await accepted(edge, endpoint.endpointPath, { body: '{"state":"DELIVERED"}' });
    const receipt = await receiptWith(edge, id, "DEAD");
    expect(receipt.errorCode).toBe("model_invalid");
    expect(receipt.errorMessage).toContain("/loadId: is required");
  });

  test("that fails becomes a dead letter with its message", async () => {
    const endpoint = await makeEndpoint(edge, {
      transformTemplate: { engine: "jsonata", expression: '$error("no carrier in this load")' },
    });
    const id = await accepted(edge, endpoint.endpointPath, { body: "{}" });
    expect((await receiptWith(edge, id, "DEAD")).errorMessage).toContain("no carrier in this load");
  });

  test("that hangs is tried later, and other endpoints go on", async () => {
    const hanging = await makeEndpoint(edge, {
      transformTemplate: { engine: "jsonata", expression: "($f := function($n) { $f($n + 1) }; $f(0))" },
    });
    const healthy = await makeEndpoint(edge, {
      transformTemplate: { engine: "jsonata", expression: '{ "ok": true }' },
    });
    const stuck = await accepted(edge, hanging.endpointPath, { body: "{}" });
    const id = await accepted(edge, healthy.endpointPath, { body: "{}" });
    await receiptWith(edge, id, "PROCESSED");
    const receipt = await receiptWith(edge, stuck, "RETRYING");
    expect(receipt.errorCode).toMatch(/^transform_/);
  }, 60_000);
});

describe("the log row of a webhook", () => {
  test("holds no secret, and the time that the sender waited", async () => {
    const endpoint = await makeEndpoint(edge);
    const secret = `s3cr3t-${newId()}`;
    const id = await accepted(edge, `${endpoint.endpointPath}?access_token=${secret}&page=2`, {
      headers: { authorization: `Bearer ${secret}`, cookie: `sid=${secret}` },
    });
    await receiptWith(edge, id, "PROCESSED");
    const [row] = await edge.runtime.sqlSystem`
      select to_jsonb(l) as row, response_time_ms as "timeMs" from api_request_logs l where id = ${id}`;
    expect(JSON.stringify(row!["row"])).not.toContain(secret);
    expect(row!["timeMs"]).toBeGreaterThanOrEqual(0);
    expect(row!["row"]).toMatchObject({ method: "POST", response_status: 200, source_ip: "127.0.0.1" });
  });
});

describe("LOG_REQUEST_BODIES=false", () => {
  test("drops the body of what is PROCESSED, also a large one, and keeps what may be needed again", async () => {
    await worker.stop();
    worker = await startWorker(edge, { LOG_REQUEST_BODIES: "false" });
    const endpoint = await makeEndpoint(edge, { targetService, eventTypes: ["push"] });
    const large = JSON.stringify({ fill: "y".repeat(100_000) });
    const [small, big, filtered] = await Promise.all([
      accepted(edge, endpoint.endpointPath, { body: '{"a":1}' }),
      accepted(edge, endpoint.endpointPath, { body: large }),
      accepted(edge, endpoint.endpointPath, { body: '{"a":2}', headers: { "x-github-event": "issues" } }),
    ]);
    for (const id of [small, big]) {
      const receipt = await receiptWith(edge, id, "PROCESSED");
      expect([receipt.body, receipt.bodyDropped]).toEqual([null, true]);
    }
    expect(sentBody(small).toString()).toBe('{"a":1}');
    expect(sentBody(big).toString()).toBe(large);
    expect(await largeParts(big)).toBe(0);
    const kept = await receiptWith(edge, filtered, "FILTERED");
    expect([Buffer.from(kept.body!).toString(), kept.bodyDropped]).toEqual(['{"a":2}', false]);
    await untilIdle(edge);
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
  });
});
