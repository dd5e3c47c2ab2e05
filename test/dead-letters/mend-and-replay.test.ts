import { afterAll, beforeAll, expect, test } from "bun:test";
import { listDeadLetters } from "../../src/domain/dead-letters/list-dead-letters.ts";
import { mendDeadLetter } from "../../src/domain/dead-letters/mend-dead-letter.ts";
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
