import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { connectRedis } from "../../src/platform/redis/client.ts";
import { startTestRedis, type TestRedis } from "../support/services.ts";

let redis: TestRedis;
let client: Redis;
let control: Redis;

beforeAll(async () => {
  redis = await startTestRedis({ cluster: false });
  client = connectRedis(redis.url, "consumer", () => undefined) as Redis;
  control = new Redis(redis.url);
  await client.ping();
});
afterAll(async () => {
  client.disconnect();
  control.disconnect();
  await redis.stop();
});

/** Times that Redis has read from a socket. */
async function reads(): Promise<number> {
  return Number(/total_reads_processed:(\d+)/.exec(await control.info("stats"))?.[1]);
}

const setMany = (prefix: string): Promise<string[]> =>
  Promise.all(Array.from({ length: 200 }, (_, index) => client.set(`${prefix}:${index}`, index)));

describe("a client whose writes are coalesced", () => {
  test("sends the commands of one turn together, in their order", async () => {
    const before = await reads();
    const answers = await setMany("a");
    expect(answers.every((answer) => answer === "OK")).toBe(true);
    expect((await reads()) - before).toBeLessThan(20);
    const order = await Promise.all(Array.from({ length: 50 }, () => client.incr("count")));
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  });

  test("goes on after its connection was cut, with nothing lost", async () => {
    const writing = setMany("b");
    await control.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await writing;
    const before = await reads();
    await setMany("c");
    expect((await reads()) - before).toBeLessThan(20);
    expect(await client.mget("b:0", "b:199", "c:0", "c:199")).toEqual(["0", "199", "0", "199"]);
  });
});
