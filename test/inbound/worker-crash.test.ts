import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { inboundKeys, WORKER_GROUP } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
import {
  accepted,
  acceptMany,
  countWith,
  HttpTarget,
  receiptsOf,
  receiptWith,
  registerHttp,
  until,
  untilIdle,
} from "./worker-fixture.ts";
import { startWorkerProcess } from "./worker-process.ts";

let edge: EdgeFixture;
let target: HttpTarget;
beforeAll(async () => {
  edge = await startEdge();
  target = new HttpTarget();
});
afterAll(async () => {
  await target.stop();
  await edge.stop();
});

/** Entries that some consumer has read and not acknowledged. */
async function pendingCount(): Promise<number> {
  let count = 0;
  for (let partition = 0; partition < edge.runtime.config.streamPartitions; partition++) {
    const summary = await edge.runtime.redis.xpending(inboundKeys(partition).stream, WORKER_GROUP);
    count += Number((summary as unknown[])[0]);
  }
  return count;
}

async function newTarget(): Promise<string> {
  const name = `t-${newId().slice(-12)}`;
  await registerHttp(edge, name, target.url);
  return name;
}

describe("an inbound worker process", () => {
  test("killed with 2,000 webhooks in its hands leaves each of them to its successor", async () => {
    const targetService = await newTarget();
    const endpoints = await Promise.all(
      Array.from({ length: 5 }, () => makeEndpoint(edge, { targetService })),
    );
    const ids = (
      await Promise.all(endpoints.map(({ endpointPath }) => acceptMany(edge, endpointPath, 500)))
    ).flat();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    target.answer = async () => {
      await held;
      return new Response();
    };
    const first = await startWorkerProcess(edge, { WEBHOOK_QUEUE_SIZE: "4000" });
    await until("2,000 are pending", async () => (await pendingCount()) >= 2_000);
    await first.kill();
    release();
    target.answer = () => new Response();
    const second = await startWorkerProcess(edge);
    for (const { id } of endpoints) await countWith(edge, id, "PROCESSED", 500);
    await untilIdle(edge);
    expect(new Set(target.ids())).toEqual(new Set(ids));
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
    expect(await pendingCount()).toBe(0);
    expect(await second.stop()).toBe(0);
  }, 120_000);

  test("that a webhook kills three times leaves it as a dead letter, and the others go through", async () => {
    const targetService = await newTarget();
    const poisoned = await makeEndpoint(edge, { targetService });
    const healthy = await makeEndpoint(edge, { targetService });
    // The poison may come before a worker has told that it runs.
    let starting = startWorkerProcess(edge);
    const poison = newId();
    let kills = 0;
    target.answer = async ({ headers }) => {
      if (headers.get("hub-endpoint-id") !== poisoned.id) return new Response();
      kills++;
      await (await starting).kill();
      return new Response();
    };
    const id = await accepted(edge, poisoned.endpointPath, { id: poison });
    for (let death = 1; death <= 3; death++) {
      await (
        await starting
      ).exited;
      await acceptMany(edge, healthy.endpointPath, 50);
      starting = startWorkerProcess(edge);
    }
    const worker = await starting;
    const letters = (): Promise<{ reasonCode: string }[]> =>
      edge.runtime.sqlSystem<{ reasonCode: string }[]>`
        select reason_code as "reasonCode" from dead_letters where receipt_id = ${id}`;
    await until("the dead letter", async () => (await letters()).length > 0);
    expect([...(await letters())]).toEqual([{ reasonCode: "worker_crashed" }]);
    expect(kills).toBe(3);
    expect((await receiptWith(edge, id, "DEAD")).errorCode).toBe("worker_crashed");
    await countWith(edge, healthy.id, "PROCESSED", 150);
    await untilIdle(edge);
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
    expect(await worker.stop()).toBe(0);
  }, 120_000);

  test("told to stop finishes what it holds", async () => {
    const targetService = await newTarget();
    const endpoint = await makeEndpoint(edge, { targetService });
    target.answer = async () => {
      await Bun.sleep(300);
      return new Response();
    };
    const worker = await startWorkerProcess(edge);
    const ids = await acceptMany(edge, endpoint.endpointPath, 10);
    await until("the target was asked", () => target.ids().includes(ids[0]!));
    expect(await worker.stop()).toBe(0);
    expect(await pendingCount()).toBe(0);
    const states = (await receiptsOf(edge, endpoint.id)).map(({ status }) => status);
    expect(new Set(states)).toEqual(new Set(["PROCESSED"]));
    target.answer = () => new Response();
  }, 120_000);
});

describe("one endpoint whose target hangs", () => {
  test("leaves room for the others", async () => {
    const hanging = new HttpTarget();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    hanging.answer = async () => {
      await held;
      return new Response();
    };
    const name = `h-${newId().slice(-12)}`;
    await registerHttp(edge, name, hanging.url);
    const bad = await makeEndpoint(edge, { targetService: name });
    const good = await makeEndpoint(edge, { targetService: await newTarget() });
    await acceptMany(edge, bad.endpointPath, 400);
    const worker = await startWorkerProcess(edge, { WEBHOOK_QUEUE_SIZE: "200" });
    await until("the target hangs", () => hanging.requests.length > 0);
    await acceptMany(edge, good.endpointPath, 200);
    await countWith(edge, good.id, "PROCESSED", 200);
    expect((await receiptsOf(edge, bad.id)).filter(({ status }) => status === "PROCESSED")).toEqual([]);
    release();
    hanging.answer = () => new Response();
    await countWith(edge, bad.id, "PROCESSED", 400);
    await untilIdle(edge);
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
    await worker.stop();
    await hanging.stop();
  }, 120_000);
});
