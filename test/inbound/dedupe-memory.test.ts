import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { readDedupeWindowSeconds, rememberedSinceMs } from "../../src/domain/inbound/dedupe-window.ts";
import type { CreatedEndpoint, CreateEndpointInput } from "../../src/domain/inbound/endpoint-schema.ts";
import { eventKeyHasher } from "../../src/domain/inbound/event-key.ts";
import { limitDedupeMemory, planSeenStep } from "../../src/domain/inbound/limit-dedupe-memory.ts";
import { masterNodes } from "../../src/platform/redis/info.ts";
import { partitionOf, seenKey } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, SECRET, sendGithub, startEdge, TestClock } from "./edge-fixture.ts";
import {
  accepted,
  countWith,
  HttpTarget,
  receiptWith,
  registerHttp,
  startWorker,
  untilIdle,
} from "./worker-fixture.ts";

const HOT_SECONDS = 600;
const HOT_MS = HOT_SECONDS * 1000;
/** Of 100 MB: 20 kB, which some 300 event ids fill. */
const SETTINGS = { DEDUPE_HOT_SECONDS: String(HOT_SECONDS), DEDUPE_MEMORY_SHARE: "0.0002" };
const MAXMEMORY = 100_000_000;
/** More than half of what fits. */
const FILL = 300;

const clock = new TestClock();
let edge: EdgeFixture;
let target: HttpTarget;
beforeAll(async () => {
  edge = await startEdge(SETTINGS, clock);
  await Promise.all(
    masterNodes(edge.runtime.redis).map((node) => node.config("SET", "maxmemory", String(MAXMEMORY))),
  );
  target = new HttpTarget();
  await registerHttp(edge, "orders", target.url);
}, 60_000);
afterAll(async () => {
  await target.stop();
  await edge.stop();
});

/** Moves the clock on to the middle of a later generation: with 2 of them nothing is remembered. */
function moveOn(generations: number): void {
  clock.offsetMs += HOT_MS * (generations + 0.5) - (clock.nowMs() % HOT_MS);
}

const partitionOfEndpoint = ({ id }: CreatedEndpoint): number =>
  partitionOf(id, edge.runtime.config.streamPartitions);

/** Accepts so many events. @returns their event ids */
async function fill(endpoint: CreatedEndpoint, count = FILL): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId());
  await Promise.all(ids.map((id) => accepted(edge, endpoint.endpointPath, { id, body: "{}" })));
  return ids;
}

async function isRemembered(endpoint: CreatedEndpoint, eventId: string): Promise<boolean> {
  const generation = Math.floor(clock.nowMs() / HOT_MS);
  const field = eventKeyHasher(endpoint.id)(eventId);
  const found = await Promise.all(
    [generation, generation - 1].map((one) =>
      edge.runtime.redis.hexists(seenKey(partitionOfEndpoint(endpoint), one), field),
    ),
  );
  return found.includes(1);
}

/** An endpoint whose event ids lie in the same partition. */
async function makeBeside(other: CreatedEndpoint, input: Partial<CreateEndpointInput>) {
  for (;;) {
    const endpoint = await makeEndpoint(edge, input);
    if (partitionOfEndpoint(endpoint) === partitionOfEndpoint(other)) return endpoint;
  }
}

describe("limitDedupeMemory()", () => {
  test("forgets the oldest ids, and what comes back then is stored as DUPLICATE and routed once", async () => {
    moveOn(2);
    const endpoint = await makeEndpoint(edge, { targetService: "orders" });
    const idless = await makeBeside(endpoint, {
      targetService: "orders",
      signatureScheme: "hmac",
      signatureHeader: "x-hub-signature-256",
      secretKey: SECRET,
      signatureSettings: { prefix: "sha256=" },
    });
    const worker = await startWorker(edge, SETTINGS);
    const bodyOnly = await accepted(edge, idless.endpointPath, { body: '{"same":true}' });
    const oldest = await fill(endpoint);
    await untilIdle(edge);
    expect(await limitDedupeMemory(edge.runtime, 0)).toBe(0);
    expect(await isRemembered(endpoint, oldest[0]!)).toBe(true);
    expect(await readDedupeWindowSeconds(edge.runtime)).toBe(HOT_SECONDS);

    const newer = await fill(endpoint);
    await untilIdle(edge);
    expect(await limitDedupeMemory(edge.runtime, 0)).toBe(0);
    expect(await isRemembered(endpoint, oldest[0]!)).toBe(true);
    // The workers hear of it before anything is forgotten.
    clock.offsetMs += 3_000;
    expect(await limitDedupeMemory(edge.runtime, 3_000)).toBeGreaterThan(0);
    expect(await isRemembered(endpoint, oldest[0]!)).toBe(false);
    expect(await isRemembered(endpoint, newer[0]!)).toBe(true);
    expect(await readDedupeWindowSeconds(edge.runtime)).toBeLessThan(HOT_SECONDS);

    const again = await accepted(edge, endpoint.endpointPath, { id: oldest[0]!, body: "{}" });
    const bodyAgain = await accepted(edge, idless.endpointPath, { body: '{"same":true}' });
    await receiptWith(edge, again, "DUPLICATE");
    expect((await receiptWith(edge, bodyAgain, "DUPLICATE")).duplicateOf).toBe(bodyOnly);
    const repeated = await sendGithub(edge, endpoint.endpointPath, { id: newer[0]!, body: "{}" });
    expect(await repeated.json()).toMatchObject({ status: "duplicate" });
    await untilIdle(edge);
    expect(target.requests.length).toBe(2 * FILL + 1);
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
    await worker.stop();
  }, 60_000);

  test("forgets nothing that is not in Postgres yet", async () => {
    moveOn(2);
    const endpoint = await makeEndpoint(edge);
    const waiting = await fill(endpoint);
    await limitDedupeMemory(edge.runtime, 0);
    await fill(endpoint);
    // The first call announces it, the others find the entries in the stream.
    for (let call = 0; call < 3; call++) await limitDedupeMemory(edge.runtime, 0);
    expect(await isRemembered(endpoint, waiting[0]!)).toBe(true);
    const worker = await startWorker(edge, SETTINGS);
    await countWith(edge, endpoint.id, "PROCESSED", 2 * FILL);
    await untilIdle(edge);
    expect(await limitDedupeMemory(edge.runtime, 0)).toBeGreaterThan(0);
    expect(await isRemembered(endpoint, waiting[0]!)).toBe(false);
    await worker.stop();
  }, 60_000);

  test("judges by Postgres what goes with the switch after a generation began early", async () => {
    moveOn(2);
    const endpoint = await makeEndpoint(edge);
    const worker = await startWorker(edge, SETTINGS);
    const oldest = await fill(endpoint);
    await limitDedupeMemory(edge.runtime, 0);
    await untilIdle(edge);
    moveOn(1);
    expect(await isRemembered(endpoint, oldest[0]!)).toBe(false);
    const again = await accepted(edge, endpoint.endpointPath, { id: oldest[0]!, body: "{}" });
    await receiptWith(edge, again, "DUPLICATE");
    await worker.stop();
  }, 60_000);

  test("leaves every generation with an end", async () => {
    moveOn(2);
    const endpoint = await makeEndpoint(edge);
    await fill(endpoint);
    await limitDedupeMemory(edge.runtime, 0);
    const generation = Math.floor(clock.nowMs() / HOT_MS);
    for (const one of [generation, generation - 1]) {
      const seconds = await edge.runtime.redis.ttl(seenKey(partitionOfEndpoint(endpoint), one));
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(2 * HOT_SECONDS);
    }
  });

  test("does nothing while there is room, nor around a switch", async () => {
    moveOn(2);
    expect(await limitDedupeMemory(edge.runtime, 0)).toBe(0);
    const endpoint = await makeEndpoint(edge);
    await fill(endpoint);
    clock.offsetMs += HOT_MS / 2 - 10_000;
    expect(await limitDedupeMemory(edge.runtime, 0)).toBe(0);
  });
});

describe("planSeenStep()", () => {
  test.each([
    [{ current: 49, previous: 51 }, "keep"],
    [{ current: 49, previous: 52 }, "drop"],
    [{ current: 50, previous: 0 }, "rotate"],
    [{ current: 90, previous: 90 }, "rotate"],
    [{ current: 0, previous: 0 }, "keep"],
  ] as const)("%j of 100 → %s", (bytes, step) => expect(planSeenStep(bytes, 100)).toBe(step));
});

describe("rememberedSinceMs()", () => {
  const at = (generations: number): number => generations * HOT_MS;

  test("is the start of the previous generation when nothing was forgotten early", () => {
    expect(rememberedSinceMs([], HOT_SECONDS, at(7.5))).toBe(at(6));
    expect(rememberedSinceMs([{ sinceMs: at(3), beganMs: at(3.2) }], HOT_SECONDS, at(7.5))).toBe(at(6));
  });

  test("is the latest of all partitions", () => {
    const spans = [
      { sinceMs: at(7), beganMs: 0 },
      { sinceMs: at(7.2), beganMs: at(7.4) },
    ];
    expect(rememberedSinceMs(spans, HOT_SECONDS, at(7.5))).toBe(at(7.2));
  });

  test("is when the generation began early, from a little before the switch on", () => {
    const spans = [{ sinceMs: 0, beganMs: at(7.5) }];
    expect(rememberedSinceMs(spans, HOT_SECONDS, at(7.8))).toBe(at(6));
    expect(rememberedSinceMs(spans, HOT_SECONDS, at(8) - 1000)).toBe(at(7.5));
    expect(rememberedSinceMs(spans, HOT_SECONDS, at(8.5))).toBe(at(7.5));
    expect(rememberedSinceMs(spans, HOT_SECONDS, at(9.5))).toBe(at(8));
  });
});
