import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Capacity, startCapacityPoller, tenantsOver } from "../../src/domain/inbound/capacity.ts";
import { masterNodes, untilReady } from "../../src/platform/redis/info.ts";
import { inboundKeys } from "../../src/platform/redis/keys.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type Fixture, startFixture } from "../api-logs/fixture.ts";

let fixture: Fixture;
let capacity: Capacity;
const [flood, calm] = [newId(), newId()];

beforeAll(async () => {
  // One tenant may fill 0.25 × 4 × 100 = 100 entries.
  fixture = await startFixture({ STREAM_CAPACITY: "100" }, "edge");
  capacity = startCapacityPoller(fixture.runtime, inboundKeys);
  await untilReady(fixture.runtime.redis, 30_000);
});

afterAll(() => fixture.stop());

async function untilRefused(tenantId: string, reason: ReturnType<Capacity["refusal"]>): Promise<void> {
  while (capacity.refusal(tenantId) !== reason) await Bun.sleep(10);
}

async function accept(tenantId: string, partition: number, entries: number): Promise<void> {
  const { redis } = fixture.runtime;
  for (let index = 0; index < entries; index++)
    await redis.xadd(inboundKeys(partition).stream, "*", "m", "{}");
  await redis.hincrby(inboundKeys(partition).ledger, `${tenantId}/accepted`, entries);
}

describe("startCapacityPoller()", () => {
  test("refusal() stops the tenant that fills its share over all partitions, and no other one", async () => {
    await accept(calm, 0, 20);
    await accept(flood, 1, 50);
    await accept(flood, 2, 49);
    await accept(calm, 1, 10);
    expect(capacity.refusal(flood)).toBeUndefined();
    await accept(flood, 3, 1);
    await untilRefused(flood, "tenant_full");
    expect(capacity.refusal(calm)).toBeUndefined();
  });

  test("refusal() ends when the tenant's entries were worked off", async () => {
    await fixture.runtime.redis.hincrby(inboundKeys(1).ledger, `${flood}/processed`, 50);
    await untilRefused(flood, undefined);
  });

  test("refusal() stops everybody when the memory is nearly full", async () => {
    const [node] = masterNodes(fixture.runtime.redis);
    const used = Number(/used_memory:(\d+)/.exec(await node!.info("memory"))?.[1]);
    await node!.config("SET", "maxmemory", String(Math.ceil(used * 1.04)));
    await untilRefused(calm, "memory_full");
    await node!.config("SET", "maxmemory", "0");
    await untilRefused(calm, undefined);
  });

  test("refusal() says that Redis is away, and takes it back", async () => {
    await fixture.redis.kill();
    await untilRefused(calm, "redis_away");
    await fixture.redis.restart();
    await untilRefused(calm, undefined);
  }, 60_000);
});

describe("tenantsOver()", () => {
  test("tenantsOver() adds up partitions, negative balances too", () => {
    expect(
      tenantsOver(
        [
          ["a", "60", "b", "90"],
          ["a", "50"],
          ["b", "-10", "c", "100"],
        ],
        100,
      ),
    ).toEqual(new Set(["a", "c"]));
  });
});
