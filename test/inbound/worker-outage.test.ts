import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { newId } from "../../src/platform/uuid.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { postgresConversation } from "../support/postgres-wire.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
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
let proxy: FaultProxy;
let target: HttpTarget;
let targetService: string;
beforeAll(async () => {
  edge = await startEdge();
  proxy = await FaultProxy.start(Number(new URL(edge.postgres.ownerUrl).port), postgresConversation);
  target = new HttpTarget();
  targetService = `t-${newId().slice(-12)}`;
  await registerHttp(edge, targetService, target.url);
});
afterAll(async () => {
  await proxy.stop();
  await target.stop();
  await edge.stop();
});

/** A worker that reaches Postgres only as the proxy lets it. */
function startProxied(): Promise<{ stop(): Promise<void> }> {
  const url = new URL(edge.postgres.ownerUrl);
  url.port = String(proxy.port);
  return startWorker(edge, { DATABASE_URL: url.href });
}

function cutPostgres(): void {
  proxy.blackHole(true);
  proxy.hangUp();
}

async function waitingCount(): Promise<number> {
  return (await checkConservation(edge.runtime)).waiting;
}

describe("without the partition of a receipt's day a worker", () => {
  test("makes it, and stores the receipt as it is", async () => {
    const endpoint = await makeEndpoint(edge);
    const owner = postgres(edge.postgres.ownerUrl, { max: 1, onnotice: () => undefined });
    const today = new Date().toISOString().slice(0, 10).replaceAll("-", "");
    await owner.unsafe(`drop table webhook_receipts_${today}, api_request_logs_${today}`);
    await owner.end();
    const id = await accepted(edge, endpoint.endpointPath);
    const worker = await startWorker(edge);
    await receiptWith(edge, id, "PROCESSED");
    await untilIdle(edge);
    await worker.stop();
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
  }, 60_000);
});

describe("while Postgres is away a worker", () => {
  test("keeps what it can neither look up nor write, and processes all of it afterwards", async () => {
    const endpoints = await Promise.all(
      Array.from({ length: 3 }, () => makeEndpoint(edge, { targetService })),
    );
    const late = await makeEndpoint(edge, { targetService: "nobody" });
    const reference = await accepted(edge, late.endpointPath);
    cutPostgres();
    const worker = await startProxied();
    const ids = (
      await Promise.all(endpoints.map(({ endpointPath }) => acceptMany(edge, endpointPath, 30)))
    ).flat();
    await Bun.sleep(1_500);
    expect(await waitingCount()).toBe(91);
    proxy.blackHole(false);
    proxy.hangUp();
    for (const { id } of endpoints) await countWith(edge, id, "PROCESSED", 30);
    await receiptWith(edge, reference, "RETRYING");
    await untilIdle(edge);
    expect(target.ids().toSorted()).toEqual(ids.toSorted());
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
    await worker.stop();
  }, 60_000);

  test("counts no try for a target that it cannot look up", async () => {
    const endpoint = await makeEndpoint(edge, { targetService, eventTypes: ["push"] });
    const worker = await startProxied();
    const other = await accepted(edge, endpoint.endpointPath, { headers: { "x-github-event": "ping" } });
    await receiptWith(edge, other, "FILTERED");
    cutPostgres();
    const id = await accepted(edge, endpoint.endpointPath);
    for (let round = 0; round < 5; round++) {
      await Bun.sleep(100);
      proxy.hangUp();
    }
    proxy.blackHole(false);
    proxy.hangUp();
    expect((await receiptWith(edge, id, "PROCESSED")).attemptCount).toBe(1);
    await worker.stop();
  }, 60_000);

  test("keeps references too, and counts no try for the outage", async () => {
    const endpoint = await makeEndpoint(edge, { targetService: "nobody-yet" });
    const id = await accepted(edge, endpoint.endpointPath);
    const worker = await startProxied();
    await receiptWith(edge, id, "RETRYING");
    await untilIdle(edge);
    cutPostgres();
    await makeDue(edge, { id, endpointId: endpoint.id });
    await until("the reference is in the stream", async () => (await waitingCount()) === 1);
    await Bun.sleep(1_200);
    expect(await waitingCount()).toBe(1);
    proxy.blackHole(false);
    proxy.hangUp();
    await until("the second try", async () => (await receiptsOf(edge, endpoint.id))[0]!.attemptCount === 2);
    await worker.stop();
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
  }, 60_000);
});
