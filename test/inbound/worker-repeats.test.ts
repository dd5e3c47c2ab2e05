import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { receiptMember } from "../../src/domain/inbound/inbound-scripts.ts";
import { inboundKeys, partitionOf, WORKER_GROUP, workerLeaseKey } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
import {
  accepted,
  HttpTarget,
  makeDue,
  receiptsOf,
  receiptWith,
  registerHttp,
  startWorker,
  until,
  untilIdle,
} from "./worker-fixture.ts";

/** A consumer whose lease nobody holds. */
const DEAD_CONSUMER = "w4000";

let edge: EdgeFixture;
let target: HttpTarget;
let targetService: string;
beforeAll(async () => {
  edge = await startEdge();
  target = new HttpTarget();
  targetService = `t-${newId().slice(-12)}`;
  await registerHttp(edge, targetService, target.url);
});
afterAll(async () => {
  await target.stop();
  await edge.stop();
});

function keysOf(endpointId: string): ReturnType<typeof inboundKeys> {
  return inboundKeys(partitionOf(endpointId, edge.runtime.config.streamPartitions));
}

/** The fields of the only entry in an endpoint's stream. */
async function fieldsOf(endpointId: string): Promise<string[]> {
  const [entry] = await edge.runtime.redis.xrange(keysOf(endpointId).stream, "-", "+");
  return entry![1];
}

/** Puts an entry back as a process leaves it that dies between its commit and the acknowledgement. */
async function leaveUnacknowledged(endpointId: string, fields: string[]): Promise<void> {
  const { stream, ledger } = keysOf(endpointId);
  const { redis } = edge.runtime;
  await redis.xadd(stream, "*", ...fields);
  await redis.hincrby(ledger, `${edge.ctx.tenantId}/accepted`, 1);
  await redis.xreadgroup("GROUP", WORKER_GROUP, DEAD_CONSUMER, "COUNT", 10, "STREAMS", stream, ">");
}

async function ledgerOf(endpointId: string, word: string): Promise<number> {
  return Number(await edge.runtime.redis.hget(keysOf(endpointId).ledger, `${edge.ctx.tenantId}/${word}`));
}

function referenceTo(id: string, endpointId: string): string[] {
  return ["m", JSON.stringify({ id, tenantId: edge.ctx.tenantId, endpointId, reference: true })];
}

/** Runs a worker until the streams are empty and the books balance. */
async function workOff(): Promise<void> {
  const worker = await startWorker(edge);
  try {
    await untilIdle(edge);
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
  } finally {
    await worker.stop();
  }
}

describe("an entry that comes again", () => {
  test("after its receipt was stored is booked with that outcome, and not sent to the target again", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const id = await accepted(edge, endpoint.endpointPath);
    const fields = await fieldsOf(endpoint.id);
    await workOff();
    await leaveUnacknowledged(endpoint.id, fields);
    const before = await ledgerOf(endpoint.id, "processed");
    await workOff();
    expect(await ledgerOf(endpoint.id, "processed")).toBe(before + 1);
    expect(target.ids().filter((sent) => sent === id)).toEqual([id]);
    expect(await receiptsOf(edge, endpoint.id)).toMatchObject([{ id, status: "PROCESSED", attemptCount: 1 }]);
  }, 60_000);

  test("by reference with a final state is not sent to the target again", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const id = await accepted(edge, endpoint.endpointPath);
    await workOff();
    await leaveUnacknowledged(endpoint.id, referenceTo(id, endpoint.id));
    await workOff();
    expect(target.ids().filter((sent) => sent === id)).toEqual([id]);
    expect(await receiptsOf(edge, endpoint.id)).toMatchObject([{ id, status: "PROCESSED", attemptCount: 1 }]);
  }, 60_000);

  test("while its receipt waits for the next try goes on waiting for the same time", async () => {
    const endpoint = await makeEndpoint(edge, { targetService: "nobody" });
    const id = await accepted(edge, endpoint.endpointPath);
    const fields = await fieldsOf(endpoint.id);
    await workOff();
    const waiting = await receiptWith(edge, id, "RETRYING");
    const { retry } = keysOf(endpoint.id);
    const member = receiptMember({ id, tenantId: edge.ctx.tenantId, endpointId: endpoint.id });
    expect(await edge.runtime.redis.zscore(retry, member)).toBe(String(waiting.nextRetryAt!.getTime()));
    await edge.runtime.redis.zrem(retry, member);
    await edge.runtime.redis.hincrby(keysOf(endpoint.id).ledger, `${edge.ctx.tenantId}/accepted`, -1);
    await leaveUnacknowledged(endpoint.id, fields);
    await workOff();
    expect(await edge.runtime.redis.zscore(retry, member)).toBe(String(waiting.nextRetryAt!.getTime()));
    expect(await receiptsOf(edge, endpoint.id)).toMatchObject([{ status: "RETRYING", attemptCount: 1 }]);
  }, 60_000);

  test("beside the retry of the same receipt ends, so that the books stay even", async () => {
    const endpoint = await makeEndpoint(edge, { targetService: "nobody" });
    await accepted(edge, endpoint.endpointPath);
    const fields = await fieldsOf(endpoint.id);
    await workOff();
    await leaveUnacknowledged(endpoint.id, fields);
    await workOff();
    expect(await edge.runtime.redis.zcard(keysOf(endpoint.id).retry)).toBeGreaterThan(0);
  }, 60_000);

  test("twice in one batch is stored once and holds nobody up", async () => {
    const endpoint = await makeEndpoint(edge);
    const id = await accepted(edge, endpoint.endpointPath);
    const { stream, ledger } = keysOf(endpoint.id);
    await edge.runtime.redis.xadd(stream, "*", ...(await fieldsOf(endpoint.id)));
    await edge.runtime.redis.hincrby(ledger, `${edge.ctx.tenantId}/accepted`, 1);
    await workOff();
    expect((await receiptsOf(edge, endpoint.id)).map((receipt) => receipt.id)).toEqual([id]);
  }, 60_000);
});

describe("what else stands in a stream", () => {
  test("is removed when it is none of the hub's own, and the entries beside it are processed", async () => {
    const endpoint = await makeEndpoint(edge);
    const id = await accepted(edge, endpoint.endpointPath);
    const { stream } = keysOf(endpoint.id);
    const whole = JSON.parse((await fieldsOf(endpoint.id))[1]!) as Record<string, unknown>;
    const strange = [
      "",
      "null",
      "7",
      "[]",
      "{}",
      "{",
      JSON.stringify({ ...whole, id: "x" }),
      JSON.stringify({ ...whole, endpointId: 5 }),
      JSON.stringify({ ...whole, headers: null }),
      JSON.stringify({ ...whole, headers: { "content-encoding": 7 } }),
      JSON.stringify({ ...whole, eventId: {} }),
      JSON.stringify({ ...whole, bodySize: "many" }),
      JSON.stringify({ ...whole, bodySize: 2 ** 40 }),
      JSON.stringify({ id: "x", tenantId: "y", endpointId: "z", reference: true }),
    ];
    for (const text of strange) await edge.runtime.redis.xadd(stream, "*", "m", text);
    await workOff();
    await receiptWith(edge, id, "PROCESSED");
    expect(await edge.runtime.redis.xlen(stream)).toBe(0);
  }, 60_000);

  test("is a reference to a receipt that is gone: it ends as cancelled", async () => {
    const endpoint = await makeEndpoint(edge);
    const before = await ledgerOf(endpoint.id, "cancelled");
    await leaveUnacknowledged(endpoint.id, referenceTo(newId(), endpoint.id));
    await workOff();
    expect(await ledgerOf(endpoint.id, "cancelled")).toBe(before + 1);
  }, 60_000);

  test("is read from the beginning when the consumer group is gone", async () => {
    const endpoint = await makeEndpoint(edge);
    const worker = await startWorker(edge);
    await edge.runtime.redis.xgroup("DESTROY", keysOf(endpoint.id).stream, WORKER_GROUP);
    const id = await accepted(edge, endpoint.endpointPath);
    await receiptWith(edge, id, "PROCESSED");
    await untilIdle(edge);
    await worker.stop();
  }, 60_000);
});

/** More slots than the workers of these tests hold. */
const SLOTS_SEEN = 16;

describe("a worker whose slot was taken from it", () => {
  test("leaves its entries to others, and they are processed once in the books", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    const released = Promise.withResolvers<void>();
    target.answer = async () => {
      await released.promise;
      return new Response();
    };
    const worker = await startWorker(edge);
    const id = await accepted(edge, endpoint.endpointPath);
    await until("the target was asked", () => target.ids().includes(id));
    // One by one: on a Cluster the leases are on different masters.
    for (let slot = 0; slot < SLOTS_SEEN; slot++) {
      await edge.runtime.redis.set(workerLeaseKey(slot), "another", "PX", 3_000, "XX");
    }
    await until("another took it over", () => target.ids().filter((sent) => sent === id).length > 1);
    released.resolve();
    target.answer = () => new Response();
    await receiptWith(edge, id, "PROCESSED");
    await untilIdle(edge);
    await worker.stop();
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
    expect((await receiptsOf(edge, endpoint.id)).length).toBe(1);
  }, 60_000);
});

describe("a replay of a receipt whose target still refuses", () => {
  test("keeps its id through all tries", async () => {
    const endpoint = await makeEndpoint(edge, { targetService });
    target.answer = () => new Response(null, { status: 503 });
    const worker = await startWorker(edge);
    const id = await accepted(edge, endpoint.endpointPath);
    await receiptWith(edge, id, "RETRYING");
    await makeDue(edge, { id, endpointId: endpoint.id });
    await until("the second try", async () => (await receiptsOf(edge, endpoint.id))[0]!.attemptCount === 2);
    target.answer = () => new Response();
    await makeDue(edge, { id, endpointId: endpoint.id });
    await receiptWith(edge, id, "PROCESSED");
    await worker.stop();
    expect(target.ids().filter((sent) => sent === id)).toEqual([id, id, id]);
  }, 60_000);
});
