import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { putService } from "../../src/domain/services/put-service.ts";
import { serviceStreamKey } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
import {
  accepted,
  acceptMany,
  countWith,
  HttpTarget,
  makeDue,
  receiptWith,
  registerHttp,
  startWorker,
  untilIdle,
} from "./worker-fixture.ts";

let edge: EdgeFixture;
let worker: { stop(): Promise<void> };
let target: HttpTarget;
let http: string;
let stream: string;
beforeAll(async () => {
  edge = await startEdge({ STREAM_PARTITIONS: "16" });
  worker = await startWorker(edge);
  target = new HttpTarget();
  http = `t-${newId().slice(-12)}`;
  stream = `s-${newId().slice(-12)}`;
  await registerHttp(edge, http, target.url);
  await putService(edge.ctx, { name: stream, service: { kind: "STREAM" } });
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await target.stop();
  await edge.stop();
}, 60_000);

test("webhooks of many endpoints go from the socket to their HTTP and stream targets, and the books balance", async () => {
  const endpoints = await Promise.all(
    Array.from({ length: 12 }, (_, n) => makeEndpoint(edge, { targetService: n % 2 === 0 ? http : stream })),
  );
  const sent = await Promise.all(
    endpoints.map(async ({ endpointPath, targetService }) => ({
      targetService,
      ids: await acceptMany(edge, endpointPath, 20),
    })),
  );
  for (const { id } of endpoints) await countWith(edge, id, "PROCESSED", 20);
  await untilIdle(edge);
  const idsOf = (service: string): Set<string> =>
    new Set(sent.filter(({ targetService }) => targetService === service).flatMap(({ ids }) => ids));
  expect(new Set(target.ids())).toEqual(idsOf(http));
  const entries = await edge.runtime.redis.xrange(serviceStreamKey(stream), "-", "+");
  const streamed = entries.map(([, fields]) => fields[fields.indexOf("id") + 1]!);
  expect(streamed.length).toBe(120);
  expect(new Set(streamed)).toEqual(idsOf(stream));
  expect(await checkConservation(edge.runtime)).toMatchObject({ waiting: 0, difference: 0 });
}, 60_000);

test("a target that is away is tried again under the same id, and the books balance all the while", async () => {
  const endpoint = await makeEndpoint(edge, { targetService: http });
  target.answer = () => new Response(null, { status: 503 });
  const id = await accepted(edge, endpoint.endpointPath);
  await receiptWith(edge, id, "RETRYING");
  await untilIdle(edge);
  expect(await checkConservation(edge.runtime)).toMatchObject({ retry: 1, difference: 0 });
  target.answer = () => new Response();
  await makeDue(edge, { id, endpointId: endpoint.id });
  await receiptWith(edge, id, "PROCESSED");
  await untilIdle(edge);
  expect(target.ids().filter((one) => one === id)).toEqual([id, id]);
  expect(await checkConservation(edge.runtime)).toMatchObject({ retry: 0, difference: 0 });
}, 60_000);
