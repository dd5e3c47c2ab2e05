import { afterAll, beforeAll, expect, test } from "bun:test";
import { replayDeadLetters } from "../../src/domain/dead-letters/replay-dead-letters.ts";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "../inbound/edge-fixture.ts";
import { acceptMany, HttpTarget, registerHttp, startWorker } from "../inbound/worker-fixture.ts";

const TIMEOUT_MS = 300_000;
const RECEIPTS = 20_000;
const BATCH = 500;

let edge: EdgeFixture;
let worker: { stop(): Promise<void> };
let target: HttpTarget;
beforeAll(async () => {
  edge = await startEdge();
  worker = await startWorker(edge);
  target = new HttpTarget();
  await registerHttp(edge, "orders", target.url);
}, TIMEOUT_MS);
afterAll(async () => {
  await worker.stop();
  await target.stop();
  await edge.stop();
}, TIMEOUT_MS);

async function countOf(status: string): Promise<number> {
  const [row] = await edge.runtime.sqlSystem<{ count: number }[]>`
    select count(*)::int as count from webhook_receipts where status = ${status}`;
  return row!.count;
}

function untilCount(status: string, count: number): Promise<void> {
  const attempt = async (): Promise<void> => expect(await countOf(status)).toBe(count);
  return retryUntil(attempt, { everyMs: 200, timeoutMs: TIMEOUT_MS });
}

test(
  "replayDeadLetters() puts 20,000 dead letters through, each to the target once, while new webhooks arrive",
  async () => {
    target.answer = () => new Response(null, { status: 400 });
    const endpoint = await makeEndpoint(edge, { targetService: "orders" });
    for (let sent = 0; sent < RECEIPTS; sent += BATCH) await acceptMany(edge, endpoint.endpointPath, BATCH);
    await untilCount("DEAD", RECEIPTS);
    target.answer = () => new Response();
    const refusedIds = target.ids().length;
    const startedMs = performance.now();
    const fresh = acceptMany(edge, endpoint.endpointPath, BATCH);
    let replayed = 0;
    for (let isComplete = false; !isComplete;) {
      const done = await replayDeadLetters(edge.ctx, { filter: { endpointId: endpoint.id } });
      replayed += done.replayed;
      isComplete = done.isComplete;
    }
    await fresh;
    await untilCount("PROCESSED", RECEIPTS + BATCH);
    console.log(
      `replayed ${replayed} dead letters in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
    );
    expect(replayed).toBe(RECEIPTS);
    const routed = target.ids().slice(refusedIds);
    expect(new Set(routed).size).toBe(RECEIPTS + BATCH);
    expect(routed.length).toBe(RECEIPTS + BATCH);
    expect(await countOf("DEAD")).toBe(0);
    expect(await checkConservation(edge.runtime)).toMatchObject({ waiting: 0, difference: 0 });
  },
  TIMEOUT_MS,
);
