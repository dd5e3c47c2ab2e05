import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { releaseHeld } from "../../src/domain/inbound/release-held.ts";
import { updateEndpoint } from "../../src/domain/inbound/update-endpoint.ts";
import { putService } from "../../src/domain/services/put-service.ts";
import { inboundKeys, partitionOf, seenKey, serviceStreamKey } from "../../src/platform/redis/keys.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, sendGithub, startEdge } from "./edge-fixture.ts";
import {
  accepted,
  acceptMany,
  countWith,
  HttpTarget,
  makeDue,
  receiptsOf,
  receiptWith,
  registerHttp,
  startWorker,
  until,
  untilIdle,
} from "./worker-fixture.ts";

let edge: EdgeFixture;
let worker: { stop(): Promise<void> };
beforeAll(async () => {
  edge = await startEdge({ DEDUPE_HOT_SECONDS: "60" });
  worker = await startWorker(edge);
});
afterAll(async () => {
  await worker.stop();
  await edge.stop();
});

const targets: HttpTarget[] = [];
afterEach(async () => {
  for (const target of targets.splice(0)) await target.stop();
});

async function httpTarget(): Promise<{ target: HttpTarget; name: string }> {
  const target = new HttpTarget();
  targets.push(target);
  const name = `t-${newId().slice(-12)}`;
  await registerHttp(edge, name, target.url);
  return { target, name };
}

const always = { isHeld: () => true };

describe("processInbound()", () => {
  test("stores an accepted webhook as PROCESSED, byte for byte, with its log row and the endpoint's totals", async () => {
    const endpoint = await makeEndpoint(edge);
    const body = Buffer.from([0xff, 0x00, 0x7b, 0x0a]);
    const id = await accepted(edge, endpoint.endpointPath, {
      body,
      headers: { "x-request-id": "order-7" },
    });
    const receipt = await receiptWith(edge, id, "PROCESSED");
    expect(Buffer.from(receipt.body!)).toEqual(body);
    expect(receipt.attemptCount).toBe(1);
    const logs = await edge.runtime.sqlSystem`
      select direction, response_status as "responseStatus", correlation_id as "correlationId", body, status
      from api_request_logs where id = ${id} and endpoint_id = ${endpoint.id}`;
    expect([...logs]).toEqual([
      { direction: "INBOUND", responseStatus: 200, correlationId: "order-7", body: null, status: "SUCCESS" },
    ]);
    await until("the totals are written", async () => {
      const [row] = await edge.runtime.sqlSystem`
        select total_received as received, total_processed as processed from webhook_endpoints where id = ${endpoint.id}`;
      return String(row!["received"]) === "1" && String(row!["processed"]) === "1";
    });
  });

  test("posts the bytes to an HTTP target with the receipt's id", async () => {
    const { target, name } = await httpTarget();
    const endpoint = await makeEndpoint(edge, { targetService: name });
    const body = ' {"a" : 1}\n';
    const id = await accepted(edge, endpoint.endpointPath, { body });
    await receiptWith(edge, id, "PROCESSED");
    expect(target.ids()).toEqual([id]);
    const [request] = target.requests;
    expect(Buffer.from(request!.body).toString()).toBe(body);
    expect(Object.fromEntries(request!.headers)).toMatchObject({
      "content-type": "application/json",
      "hub-tenant-id": edge.ctx.tenantId,
      "hub-endpoint-id": endpoint.id,
      "hub-event-type": "push",
      "hub-handler": "CUSTOM",
      "hub-occurred-at": new Date(timeOfId(id)).toISOString(),
    });
  });

  test("puts the message into a stream target whose group it made", async () => {
    const name = `s-${newId().slice(-12)}`;
    await putService(edge.ctx, { name, service: { kind: "STREAM" } });
    const endpoint = await makeEndpoint(edge, { targetService: name });
    const body = Buffer.from([0xfe, 0x01, 0x00]);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: { traceparent } });
    await receiptWith(edge, id, "PROCESSED");
    const read = (await edge.runtime.redis.xreadgroupBuffer(
      "GROUP",
      name,
      "reader",
      "COUNT",
      10,
      "STREAMS",
      serviceStreamKey(name),
      ">",
    )) as [Buffer, [Buffer, Buffer[]][]][];
    const fields = read[0]![1][0]![1];
    const entry = Object.fromEntries(
      Array.from({ length: fields.length / 2 }, (_, index) => [
        String(fields[index * 2]),
        fields[index * 2 + 1]!,
      ]),
    );
    expect(entry["body"]).toEqual(body);
    delete entry["body"];
    expect(Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, String(value)]))).toEqual({
      id,
      tenantId: edge.ctx.tenantId,
      endpointId: endpoint.id,
      type: "push",
      handler: "CUSTOM",
      occurredAt: new Date(timeOfId(id)).toISOString(),
      traceparent,
      contentType: "application/json",
    });
  });

  test("filters other event types, without sending them", async () => {
    const { target, name } = await httpTarget();
    const endpoint = await makeEndpoint(edge, { targetService: name, eventTypes: ["issue*", "release"] });
    const id = await accepted(edge, endpoint.endpointPath);
    await receiptWith(edge, id, "FILTERED");
    expect(target.requests).toEqual([]);
  });

  test("transforms, keeps the output, and sends it instead of the body", async () => {
    const { target, name } = await httpTarget();
    const endpoint = await makeEndpoint(edge, {
      targetService: name,
      transformTemplate: { engine: "jsonata", expression: '{ "load": shipment.id }' },
    });
    const id = await accepted(edge, endpoint.endpointPath, { body: '{"shipment":{"id":"L1"}}' });
    const receipt = await receiptWith(edge, id, "PROCESSED");
    expect(Buffer.from(receipt.output!).toString()).toBe('{"load":"L1"}');
    expect(Buffer.from(target.requests[0]!.body).toString()).toBe('{"load":"L1"}');
  });

  test("takes a burst of one endpoint through its transformation at the first try", async () => {
    const endpoint = await makeEndpoint(edge, {
      transformTemplate: { engine: "jsonata", expression: '{ "n": n }' },
    });
    await acceptMany(edge, endpoint.endpointPath, 1_500);
    await countWith(edge, endpoint.id, "PROCESSED", 1_500);
    expect((await receiptsOf(edge, endpoint.id)).every(({ attemptCount }) => attemptCount === 1)).toBe(true);
  });

  test("dead-letters at once what breaks the handler's model, and names the fields", async () => {
    const endpoint = await makeEndpoint(edge, { handlerType: "TRACKING" });
    const id = await accepted(edge, endpoint.endpointPath, { body: '{"a":1}' });
    const receipt = await receiptWith(edge, id, "DEAD");
    expect([receipt.errorCode, receipt.attemptCount]).toEqual(["model_invalid", 1]);
    const letters = await edge.runtime.sqlSystem`
      select reason_code as "reasonCode", status, body from dead_letters where receipt_id = ${id}`;
    expect(letters.map(({ reasonCode, status }) => [reasonCode, status])).toEqual([
      ["model_invalid", "OPEN"],
    ]);
    expect(Buffer.from(letters[0]!["body"] as Uint8Array).toString()).toBe('{"a":1}');
  });

  test("dead-letters at once what its target refuses", async () => {
    const { target, name } = await httpTarget();
    target.answer = () => new Response("no such load", { status: 422 });
    const endpoint = await makeEndpoint(edge, { targetService: name });
    const receipt = await receiptWith(edge, await accepted(edge, endpoint.endpointPath), "DEAD");
    expect(receipt.errorCode).toBe("target_rejected");
    expect(receipt.errorMessage).toContain("no such load");
  });

  test("tries an unavailable target again after a minute, under the same id, until it answers", async () => {
    const { target, name } = await httpTarget();
    target.answer = () => new Response(null, { status: 503 });
    const endpoint = await makeEndpoint(edge, { targetService: name });
    const id = await accepted(edge, endpoint.endpointPath);
    const waiting = await receiptWith(edge, id, "RETRYING");
    expect([waiting.attemptCount, waiting.errorCode]).toEqual([1, "target_unavailable"]);
    const waitMs = waiting.nextRetryAt!.getTime() - timeOfId(id);
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThan(90_000);
    target.answer = () => new Response();
    await makeDue(edge, waiting);
    const receipt = await receiptWith(edge, id, "PROCESSED");
    expect([receipt.attemptCount, receipt.errorCode]).toEqual([2, null]);
    expect(target.ids()).toEqual([id, id]);
  });

  test("gives a target up after the sixth try", async () => {
    const endpoint = await makeEndpoint(edge, { targetService: "nobody" });
    const id = await accepted(edge, endpoint.endpointPath);
    for (let attempt = 1; attempt <= 5; attempt++) {
      await until(
        `attempt ${attempt}`,
        async () => (await receiptsOf(edge, endpoint.id))[0]?.attemptCount === attempt,
      );
      await makeDue(edge, { id, endpointId: endpoint.id });
    }
    const receipt = await receiptWith(edge, id, "DEAD");
    expect([receipt.attemptCount, receipt.errorCode]).toEqual([6, "service_unknown"]);
  });

  test("holds what comes for a paused endpoint, and routes it in order after it is resumed", async () => {
    const { target, name } = await httpTarget();
    const endpoint = await makeEndpoint(edge, { targetService: name });
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { status: "PAUSED" } });
    // The worker hears of it by pub/sub: what comes before that is routed.
    const ids: string[] = [];
    await until("the worker knows of the pause", async () => {
      ids.splice(0, ids.length, await accepted(edge, endpoint.endpointPath));
      await untilIdle(edge);
      return (await receiptsOf(edge, endpoint.id)).at(-1)!.status === "HELD";
    });
    const before = target.requests.length;
    for (let n = 1; n < 5; n++) ids.push(await accepted(edge, endpoint.endpointPath));
    await countWith(edge, endpoint.id, "HELD", 5);
    await untilIdle(edge);
    expect(await checkConservation(edge.runtime)).toMatchObject({ held: 5, difference: 0 });
    expect(target.requests.length).toBe(before);
    expect(await releaseHeld(edge.runtime, always)).toBe(0);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { status: "ACTIVE" } });
    expect(await releaseHeld(edge.runtime, always)).toBe(5);
    // What the worker takes before it hears of the end of the pause is held once more.
    await until("all are routed", async () => {
      await releaseHeld(edge.runtime, always);
      return target.requests.length === before + 5;
    });
    await untilIdle(edge);
    expect(target.ids().slice(before).toSorted()).toEqual(ids);
  });

  test("stores an event that comes back after Redis forgot it as DUPLICATE, and does not route it", async () => {
    const { target, name } = await httpTarget();
    const endpoint = await makeEndpoint(edge, { targetService: name });
    const delivery = { id: newId(), body: "{}" };
    const first = await accepted(edge, endpoint.endpointPath, delivery);
    await receiptWith(edge, first, "PROCESSED");
    // Two hours ago: outside the 60 s that this hub's Redis remembers, inside the endpoint's three days.
    const old = newId(timeOfId(first) - 7_200_000);
    const partition = partitionOf(endpoint.id, edge.runtime.config.streamPartitions);
    await edge.runtime.sqlSystem`
      update webhook_receipts set id = ${old}, created_at = ${new Date(timeOfId(old))} where id = ${first}`;
    const generation = Math.floor(Date.now() / 60_000);
    for (const one of [generation - 1, generation, generation + 1])
      await edge.runtime.redis.del(seenKey(partition, one));
    await worker.stop();
    worker = await startWorker(edge);
    const again = await accepted(edge, endpoint.endpointPath, delivery);
    const receipt = await receiptWith(edge, again, "DUPLICATE");
    expect(receipt.duplicateOf).toBe(old);
    expect(target.ids()).toEqual([first]);
  });

  test("cancels what a deleted endpoint left", async () => {
    const endpoint = await makeEndpoint(edge);
    await worker.stop();
    const id = await accepted(edge, endpoint.endpointPath);
    await edge.runtime.sqlSystem`update webhook_endpoints set deleted_at = now() where id = ${endpoint.id}`;
    worker = await startWorker(edge);
    await receiptWith(edge, id, "CANCELLED");
  });

  test("removes an entry that is none of the hub's own", async () => {
    const { stream } = inboundKeys(0);
    await edge.runtime.redis.xadd(stream, "*", "x", "y");
    await untilIdle(edge);
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
  });

  test("repeats of one id do not appear twice", async () => {
    const endpoint = await makeEndpoint(edge);
    const delivery = { id: newId() };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => sendGithub(edge, endpoint.endpointPath, { ...delivery, body: "{}" })),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    await countWith(edge, endpoint.id, "PROCESSED", 1);
    expect((await receiptsOf(edge, endpoint.id)).length).toBe(1);
  });
});

describe("checkConservation()", () => {
  test("is 0 whatever became of the webhooks, and 1 when an entry is removed by hand", async () => {
    await untilIdle(edge);
    const before = await checkConservation(edge.runtime);
    expect(before.difference).toBe(0);
    const endpoint = await makeEndpoint(edge);
    await worker.stop();
    await accepted(edge, endpoint.endpointPath);
    expect(await checkConservation(edge.runtime)).toMatchObject({ waiting: 1, difference: 0 });
    const { stream } = inboundKeys(partitionOf(endpoint.id, edge.runtime.config.streamPartitions));
    const [entry] = await edge.runtime.redis.xrange(stream, "-", "+");
    await edge.runtime.redis.xdel(stream, entry![0]);
    expect((await checkConservation(edge.runtime)).difference).toBe(1);
    worker = await startWorker(edge);
  });
});
