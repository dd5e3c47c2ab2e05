import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Redis } from "ioredis";
import { loadConfig } from "../../src/platform/config.ts";
import { publishInvalidation, subscribeInvalidation } from "../../src/platform/invalidation.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { masterNodes, untilReady } from "../../src/platform/redis/info.ts";
import { INVALIDATION_CHANNEL } from "../../src/platform/redis/keys.ts";
import { subscribe } from "../../src/platform/redis/subscribe.ts";
import { untilListening } from "../../src/platform/redis/until-listening.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { encryptionKey, startTestRedis, type TestRedis } from "../support/services.ts";

let redis: TestRedis;
let runtime: Runtime;

beforeAll(async () => {
  redis = await startTestRedis({ cluster: true });
  runtime = createRuntime(
    loadConfig({
      // Nobody asks it anything.
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
      REDIS_URL: redis.url,
      INTEGRATION_ENCRYPTION_KEY: encryptionKey,
      LOG_LEVEL: "silent",
    }),
    "edge",
  );
  await untilReady(runtime.redis, 30_000);
}, 60_000);

afterAll(async () => {
  await runtime.shutdown.run();
  await redis.stop();
});

const until = (holds: () => void | Promise<void>, timeoutMs = 50_000): Promise<void> =>
  retryUntil(() => Promise.resolve().then(holds), { everyMs: 20, timeoutMs });

/** Subscriptions to a channel by server. */
const subscribersOf = async (node: Redis, channel: string): Promise<number> =>
  Number(((await node.call("PUBSUB", "NUMSUB", channel)) as unknown[])[1]);

const nodeIdOf = async (node: Redis): Promise<string> => String(await node.call("CLUSTER", "MYID"));

describe("subscribe() on a Cluster", () => {
  test("hears what any master was given, each once", async () => {
    const heard: string[] = [];
    let gaps = 0;
    await subscribe(runtime, "test:any", {
      onMessage: (message) => void heard.push(message),
      onGap: () => void gaps++,
    });
    // Masters that have just met may not pass on messages yet; the gap ends when all of them do.
    await until(() => expect(gaps).toBeGreaterThan(0));
    const masters = masterNodes(runtime.redis);
    await Promise.all(masters.map((node, index) => node.publish("test:any", String(index))));
    await until(() => expect(heard.toSorted()).toEqual(["0", "1", "2"]));
    const counts = await Promise.all(masters.map((node) => subscribersOf(node, "test:any")));
    expect(counts.toSorted()).toEqual([0, 0, 1]);
  });

  test("goes on after a message that a listener does not understand", async () => {
    const heard: unknown[] = [];
    await subscribe(runtime, "test:json", { onMessage: (message) => void heard.push(JSON.parse(message)) });
    await runtime.redis.publish("test:json", "{");
    await runtime.redis.publish("test:json", "1");
    await until(() => expect(heard).toEqual([1]));
  });

  test("subscribes again at another server when its own is lost, and reports the gap", async () => {
    const heard: string[] = [];
    let gaps = 0;
    await subscribe(runtime, "test:lost", {
      onMessage: (message) => void heard.push(message),
      onGap: () => void gaps++,
    });
    for (let round = 0; round < 5; round++) {
      gaps = 0;
      await Promise.all(
        masterNodes(runtime.redis).map((node) => node.call("CLIENT", "KILL", "TYPE", "pubsub")),
      );
      await until(() => expect(gaps).toBeGreaterThan(0));
      // The gap is told again once every master's messages come through; until then one may be lost.
      await until(async () => {
        await runtime.redis.publish("test:lost", String(round));
        expect(heard).toContain(String(round));
      });
    }
    expect([...new Set(heard)]).toEqual(["0", "1", "2", "3", "4"]);
  }, 60_000);

  test("leaves a server that the other masters do not reach any more", async () => {
    const heard: string[] = [];
    let gaps = 0;
    await subscribe(runtime, "test:left", {
      onMessage: (message) => void heard.push(message),
      onGap: () => void gaps++,
    });
    const masters = masterNodes(runtime.redis);
    const counts = await Promise.all(masters.map((node) => subscribersOf(node, "test:left")));
    const own = masters[counts.indexOf(1)]!;
    const others = masters.filter((node) => node !== own);
    const ownId = await nodeIdOf(own);
    for (const other of others) {
      const id = await nodeIdOf(other);
      await Promise.all([own.call("CLUSTER", "FORGET", id), other.call("CLUSTER", "FORGET", ownId)]);
    }
    await until(async () => expect(await subscribersOf(own, "test:left")).toBe(0));
    await until(async () => {
      await others[0]!.publish("test:left", "from the others");
      expect(heard).toContain("from the others");
    });
    expect(gaps).toBeGreaterThan(0);
  }, 60_000);
});

describe("untilListening()", () => {
  test("listens once Redis takes the subscription that it refused at first", async () => {
    const single = await startTestRedis({ cluster: false });
    const own = createRuntime({ ...runtime.config, redisUrl: single.url }, "edge");
    const allow = (rule: string) => own.redis.call("ACL", "SETUSER", "default", rule);
    const heard: string[] = [];
    let refusals = 0;
    await allow("resetchannels");
    const listening = untilListening(own, "tests", async () => {
      const listen = subscribeInvalidation(own, {
        handlers: { api_key: (id) => void heard.push(id) },
        onReconnect: () => undefined,
      });
      await listen.catch((error: unknown) => {
        refusals++;
        throw error;
      });
    });
    await until(() => expect(refusals).toBe(1));
    await allow("allchannels");
    await listening;
    await publishInvalidation(own, "api_key", "k");
    await until(() => expect(heard).toEqual(["k"]));
    expect(await subscribersOf(own.redis as Redis, INVALIDATION_CHANNEL)).toBe(1);
    await own.shutdown.run();
    await single.stop();
  }, 60_000);
});
