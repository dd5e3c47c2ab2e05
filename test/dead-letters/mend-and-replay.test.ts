import { afterAll, beforeAll, expect, test } from "bun:test";
import { listDeadLetters } from "../../src/domain/dead-letters/list-dead-letters.ts";
import { mendDeadLetter } from "../../src/domain/dead-letters/mend-dead-letter.ts";
import { replayDeadLetters } from "../../src/domain/dead-letters/replay-dead-letters.ts";
import { replayDeadLetter } from "../../src/domain/dead-letters/replay-dead-letter.ts";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { replayReceipt } from "../../src/domain/inbound/replay-receipt.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "../inbound/edge-fixture.ts";
import {
  accepted,
  HttpTarget,
  receiptWith,
  registerHttp,
  startWorker,
  until,
  untilIdle,
} from "../inbound/worker-fixture.ts";

let edge: EdgeFixture;
let worker: { stop(): Promise<void> };
let target: HttpTarget;
beforeAll(async () => {
  edge = await startEdge();
  worker = await startWorker(edge);
  target = new HttpTarget();
  await registerHttp(edge, "orders", target.url);
});
afterAll(async () => {
  await worker.stop();
  await target.stop();
  await edge.stop();
});

test("replayDeadLetter() sends the mended body under the same id, and the receipt becomes PROCESSED", async () => {
  target.answer = ({ body }) =>
    new Response(null, { status: Buffer.from(body).includes("mended") ? 204 : 400 });
  const endpoint = await makeEndpoint(edge, { targetService: "orders" });
  const id = await accepted(edge, endpoint.endpointPath, { body: '{"order":"broken"}' });
  await receiptWith(edge, id, "DEAD");
  const [letter] = (await listDeadLetters(edge.ctx, { endpointId: endpoint.id })).data;
  expect(letter).toMatchObject({ receiptId: id, reasonCode: "target_rejected", status: "OPEN" });

  await mendDeadLetter(edge.ctx, { id: letter!.id, mended: { body: '{"order":"mended"}' } });
  await replayDeadLetter(edge.ctx, { id: letter!.id });
  await until("receipt is PROCESSED", async () => {
    const [row] = await edge.runtime.sqlSystem`select status from webhook_receipts where id = ${id}`;
    return row!["status"] === "PROCESSED";
  });
  expect(target.ids()).toEqual([id, id]);
  expect(Buffer.from(target.requests[1]!.body).toString()).toBe('{"order":"mended"}');
  await untilIdle(edge);
  expect((await checkConservation(edge.runtime)).difference).toBe(0);
});

test("replayDeadLetter() gives the target all its tries again", async () => {
  target.answer = () => new Response(null, { status: 400 });
  const endpoint = await makeEndpoint(edge, { targetService: "orders" });
  const id = await accepted(edge, endpoint.endpointPath);
  await receiptWith(edge, id, "DEAD");
  await edge.runtime.sqlSystem`update webhook_receipts set attempt_count = 6 where id = ${id}`;
  target.answer = () => new Response(null, { status: 503 });
  const [letter] = (await listDeadLetters(edge.ctx, { endpointId: endpoint.id })).data;
  await replayDeadLetter(edge.ctx, { id: letter!.id });
  let attempts = 0;
  await until("the first of the new tries failed", async () => {
    const [row] = await edge.runtime.sqlSystem<{ status: string; attempts: number; again: boolean }[]>`
      select status, attempt_count as attempts, next_retry_at > now() as again from webhook_receipts where id = ${id}`;
    attempts = row!.attempts;
    return row!.status === "RETRYING" && row!.again && attempts > 0;
  });
  expect(attempts).toBe(1);
});

/** What retention does with the day of a receipt. */
async function forgetReceipt(id: string): Promise<void> {
  await untilIdle(edge);
  await edge.runtime.sqlSystem`delete from webhook_receipts where id = ${id}`;
}

test("replayDeadLetter() makes the receipt anew from its own copy once retention has dropped it", async () => {
  target.answer = () => new Response(null, { status: 400 });
  const endpoint = await makeEndpoint(edge, { targetService: "orders" });
  const id = await accepted(edge, endpoint.endpointPath, { body: '{"order":"old"}' });
  await receiptWith(edge, id, "DEAD");
  await forgetReceipt(id);
  target.answer = () => new Response();
  const [letter] = (await listDeadLetters(edge.ctx, { endpointId: endpoint.id })).data;
  const replayed = await replayDeadLetter(edge.ctx, { id: letter!.id });
  expect(replayed).toMatchObject({ status: "REPLAYED", eventId: letter!.eventId });
  expect(replayed.receiptId).not.toBe(id);
  await receiptWith(edge, replayed.receiptId!, "PROCESSED");
  const sent = target.requests.filter(({ headers }) => headers.get("hub-receipt-id") === replayed.receiptId);
  expect(sent.map(({ body }) => Buffer.from(body).toString())).toEqual(['{"order":"old"}']);
  await untilIdle(edge);
  expect((await checkConservation(edge.runtime)).difference).toBe(0);
});

test("replayDeadLetters() brings back what retention dropped too, with its large or mended body", async () => {
  target.answer = () => new Response(null, { status: 400 });
  const endpoint = await makeEndpoint(edge, { targetService: "orders", maxBodyBytes: 1_000_000 });
  const large = JSON.stringify({ order: "x".repeat(300_000) });
  const [largeId, mendedId, keptId] = [
    await accepted(edge, endpoint.endpointPath, { body: large }),
    await accepted(edge, endpoint.endpointPath, { body: '{"order":"bad"}' }),
    await accepted(edge, endpoint.endpointPath, { body: '{"order":"kept"}' }),
  ];
  for (const id of [largeId, mendedId, keptId]) await receiptWith(edge, id, "DEAD");
  const letters = (await listDeadLetters(edge.ctx, { endpointId: endpoint.id })).data;
  const mended = letters.find(({ receiptId }) => receiptId === mendedId)!;
  await mendDeadLetter(edge.ctx, { id: mended.id, mended: { body: '{"order":"good"}' } });
  await forgetReceipt(largeId);
  await forgetReceipt(mendedId);
  target.answer = () => new Response();
  target.requests.length = 0;
  expect(await replayDeadLetters(edge.ctx, { filter: { endpointId: endpoint.id } })).toEqual({
    replayed: 3,
    skipped: 0,
    isComplete: true,
  });
  await until("all came", () => target.requests.length === 3);
  expect(target.requests.map(({ body }) => Buffer.from(body).toString()).sort()).toEqual(
    [large, '{"order":"good"}', '{"order":"kept"}'].sort(),
  );
  await untilIdle(edge);
  expect((await checkConservation(edge.runtime)).difference).toBe(0);
});

test("a replay that fails again makes a new dead letter beside the replayed one", async () => {
  target.answer = () => new Response(null, { status: 400 });
  const endpoint = await makeEndpoint(edge, { targetService: "orders" });
  const id = await accepted(edge, endpoint.endpointPath);
  await receiptWith(edge, id, "DEAD");
  const [letter] = (await listDeadLetters(edge.ctx, { endpointId: endpoint.id })).data;
  await replayDeadLetter(edge.ctx, { id: letter!.id });
  await until("a second dead letter", async () => {
    const { data } = await listDeadLetters(edge.ctx, { endpointId: endpoint.id });
    return data.map(({ status }) => status).join() === "OPEN,REPLAYED";
  });
  await untilIdle(edge);
  expect((await checkConservation(edge.runtime)).difference).toBe(0);
});

test("replayReceipt() routes a PROCESSED receipt again under its id", async () => {
  target.answer = () => new Response();
  const endpoint = await makeEndpoint(edge, { targetService: "orders" });
  const id = await accepted(edge, endpoint.endpointPath);
  await receiptWith(edge, id, "PROCESSED");
  await replayReceipt(edge.ctx, { id });
  await until("target has it twice", () => target.ids().filter((sent) => sent === id).length === 2);
  await receiptWith(edge, id, "PROCESSED");
  await untilIdle(edge);
  expect((await checkConservation(edge.runtime)).difference).toBe(0);
});
