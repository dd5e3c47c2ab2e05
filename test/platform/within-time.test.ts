import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { withinTime } from "../../src/platform/process/within-time.ts";
import { connectRedis } from "../../src/platform/redis/client.ts";
import { untilReady } from "../../src/platform/redis/info.ts";
import type { RedisClient } from "../../src/platform/redis/script.ts";
import { startTestRedis, type TestRedis } from "../support/services.ts";

let redis: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  redis = await startTestRedis({ cluster: false });
  client = connectRedis(redis.url, "ingest", () => undefined);
  await untilReady(client, 30_000);
});
afterAll(async () => {
  client.disconnect();
  await redis.stop();
});

/** Asks, and lets nothing run for so long, here and in Redis, which gets the processor a moment after this process. */
async function askThroughStandStill<T>(ask: () => Promise<T>, ms: number): Promise<T> {
  const [pid] = redis.pids();
  process.kill(pid!, "SIGSTOP");
  const answer = ask();
  answer.catch(() => undefined);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  await Bun.sleep(20);
  process.kill(pid!, "SIGCONT");
  return answer;
}

/** Whether one of a few tries is answered after a stand still that outlasts its time limit; the machine may stall too. */
async function isAnswered(ask: () => Promise<unknown>, standStillMs: number): Promise<boolean> {
  for (let tries = 0; tries < 5; tries++) {
    const outcome = await askThroughStandStill(ask, standStillMs).catch(() => "timed out");
    if (outcome !== "timed out") return true;
  }
  return false;
}

describe("a time limit", () => {
  test("withinTime() gives what comes once the machine runs again", async () => {
    expect(await isAnswered(() => withinTime(client.get("nothing"), 400), 600)).toBe(true);
  });

  test("withinTime() throws when nothing comes, and what came before that is thrown", async () => {
    await expect(withinTime(new Promise(() => undefined), 20)).rejects.toThrow("no answer within 20 ms");
    await expect(withinTime(Promise.reject(new Error("no")), 20_000)).rejects.toThrow("no");
  });

  test("a command of Redis that is answered once the machine runs again is not timed out", async () => {
    expect(await isAnswered(() => client.get("nothing"), 1_200)).toBe(true);
  });

  test("a command of Redis that is not answered is timed out", async () => {
    const [pid] = redis.pids();
    process.kill(pid!, "SIGSTOP");
    const answer = client.get("nothing").catch((error: Error) => error.message);
    expect(await answer).toBe("Command timed out");
    process.kill(pid!, "SIGCONT");
  });
});
