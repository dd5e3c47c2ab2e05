import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import pino from "pino";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { connectRedis } from "../../src/platform/redis/client.ts";
import { workerLeaseKey } from "../../src/platform/redis/keys.ts";
import { bindScript, type RedisClient } from "../../src/platform/redis/script.ts";
import { sortAbandoned } from "../../src/platform/streams/abandoned.ts";
import { StreamConsumer } from "../../src/platform/streams/consume.ts";
import {
  acquireConsumerSlot,
  consumerOfSlot,
  slotOfConsumer,
} from "../../src/platform/streams/consumer-slot.ts";
import dropConsumerLua from "../../src/platform/streams/drop-consumer.lua" with { type: "text" };
import type { HeldEntry } from "../../src/platform/streams/stream-entry.ts";
import { startTestRedis, type TestRedis } from "../support/services.ts";

const log = pino({ level: "silent" });
const GROUP = "hub";
let redis: TestRedis;
let client: RedisClient;
const clients: RedisClient[] = [];
const consumers: StreamConsumer[] = [];
beforeAll(async () => {
  redis = await startTestRedis();
  client = open();
});
afterAll(async () => {
  for (const consumer of consumers) await consumer.close().catch(() => undefined);
  for (const one of clients) one.disconnect();
  await redis.stop();
});

function open(): RedisClient {
  const opened = connectRedis(redis.url, "consumer", () => undefined);
  clients.push(opened);
  return opened;
}

let topics = 0;

/** Streams of a topic of its own. */
function newStreams(partitions = 2): string[] {
  topics++;
  return Array.from({ length: partitions }, (_, index) => `{p${index}}:test:${topics}`);
}

interface Started {
  consumer: StreamConsumer;
  entries: HeldEntry[];
  crashed: HeldEntry[];
}

async function startConsumer(
  streams: string[],
  options: { queueSize?: number; client?: RedisClient } = {},
): Promise<Started> {
  const started = { entries: [] as HeldEntry[], crashed: [] as HeldEntry[] };
  const own = options.client ?? open();
  const consumer = new StreamConsumer({
    client: own,
    cluster: "nodes" in own,
    group: GROUP,
    streams,
    loops: 2,
    queueSize: options.queueSize ?? 100,
    log,
    onEntries: (entries) => void started.entries.push(...entries),
    onCrashed: (entry) => void started.crashed.push(entry),
  });
  consumers.push(consumer);
  await consumer.start();
  return { consumer, ...started };
}

function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not within 50 s: ${what}`);
  };
  return retryUntil(attempt, { everyMs: 20, timeoutMs: 50_000 });
}

/** Acknowledges what was read, and gives its place free. */
async function finish({ consumer, entries }: Started, streams: string[], entry: HeldEntry): Promise<void> {
  await client.xack(streams[entry.partition]!, GROUP, entry.id);
  await client.xdel(streams[entry.partition]!, entry.id);
  entries.splice(entries.indexOf(entry), 1);
  consumer.settle(entry);
}

/** Leaves entries pending under a consumer whose lease nobody holds, each given out so many times. */
async function abandon(stream: string, consumer: string, deliveries: readonly number[]): Promise<string[]> {
  await client.xgroup("CREATE", stream, GROUP, "0", "MKSTREAM");
  const ids: string[] = [];
  for (const count of deliveries) {
    const id = (await client.xadd(stream, "*", "n", String(count)))!;
    await client.xreadgroup("GROUP", GROUP, consumer, "COUNT", 1, "STREAMS", stream, ">");
    await client.call("XCLAIM", stream, GROUP, consumer, 0, id, "IDLE", 60_000, "RETRYCOUNT", count);
    ids.push(id);
  }
  return ids;
}

describe("sortAbandoned()", () => {
  test("claims what was given out once in bulk, twice alone, and gives up what was given out three times", () => {
    const entries = [1, 2, 3, 4].map((deliveries) => ({ id: `${deliveries}-0`, deliveries }));
    const ids = (list: { id: string }[]): string[] => list.map(({ id }) => id);
    const { bulk, suspects, crashed } = sortAbandoned(entries);
    expect([ids(bulk), ids(suspects), ids(crashed)]).toEqual([["1-0"], ["2-0"], ["3-0", "4-0"]]);
  });
});

describe("acquireConsumerSlot()", () => {
  test("gives each holder a name of its own, and a released one to the next", async () => {
    const first = await acquireConsumerSlot(client, log);
    const second = await acquireConsumerSlot(client, log);
    expect(first.consumer).not.toBe(second.consumer);
    await first.release();
    const third = await acquireConsumerSlot(client, log);
    expect(third.consumer).toBe(first.consumer);
    expect([first.held(), first.lost(), third.held()]).toEqual([false, true, true]);
    await Promise.all([second.release(), third.release()]);
  });

  test("tells its holder that the name was taken by another", async () => {
    const slot = await acquireConsumerSlot(client, log);
    await client.set(workerLeaseKey(slotOfConsumer(slot.consumer)!), "another", "PX", 60_000);
    await until("the loss is noticed", () => slot.lost());
    expect(slot.held()).toBe(false);
    await slot.release();
    expect(await client.get(workerLeaseKey(slotOfConsumer(slot.consumer)!))).toBe("another");
    await client.del(workerLeaseKey(slotOfConsumer(slot.consumer)!));
  });
});

describe("StreamConsumer", () => {
  test("gives entries back whose taker threw, and brings them again", async () => {
    const streams = newStreams();
    const own = open();
    const taken: string[] = [];
    let throws = 2;
    const consumer: StreamConsumer = new StreamConsumer({
      client: own,
      cluster: "nodes" in own,
      group: GROUP,
      streams,
      loops: 2,
      queueSize: 100,
      log,
      onEntries(entries) {
        if (throws-- > 0) throw new Error("stumbled");
        for (const entry of entries) taken.push(entry.id);
      },
      onCrashed: () => undefined,
    });
    consumers.push(consumer);
    await consumer.start();
    const id = await client.xadd(streams[0]!, "*", "n", "1");
    await until("the entry came", () => taken.length > 0);
    expect([taken, consumer.heldCount]).toEqual([[id!], 1]);
  });

  test("reads what stood in the streams before its group was made", async () => {
    const streams = newStreams();
    await client.xadd(streams[0]!, "*", "n", "1");
    await client.xadd(streams[1]!, "*", "n", "2");
    const started = await startConsumer(streams);
    await until("both are read", () => started.entries.length === 2);
    expect(started.entries.map(({ fields, deliveries }) => [...fields, deliveries]).toSorted()).toEqual([
      ["n", "1", 1],
      ["n", "2", 1],
    ]);
  });

  test("never holds more than its queue size, and reads on when places are free", async () => {
    const streams = newStreams();
    for (let n = 0; n < 50; n++) await client.xadd(streams[n % 2]!, "*", "n", String(n));
    const started = await startConsumer(streams, { queueSize: 7 });
    await until("the queue is full", () => started.entries.length === 7);
    await Bun.sleep(200);
    expect([started.entries.length, started.consumer.heldCount]).toEqual([7, 7]);
    let seen = 0;
    while (seen < 50) {
      await until("there is one more", () => started.entries.length > 0);
      expect(started.entries.length).toBeLessThanOrEqual(7);
      await finish(started, streams, started.entries[0]!);
      seen++;
    }
    // A read that is under way has reserved places.
    await until("every place is free", () => started.consumer.heldCount === 0);
  });

  test("makes a group that is gone again, from the beginning", async () => {
    const streams = newStreams();
    const started = await startConsumer(streams);
    await client.del(streams[0]!);
    await client.xadd(streams[0]!, "*", "n", "1");
    await until("the entry is read", () => started.entries.length === 1);
  });

  test("takes over what a dead worker held, and leaves what a live one holds", async () => {
    const streams = newStreams(2);
    const [orphan] = await abandon(streams[0]!, consumerOfSlot(4001), [1]);
    await abandon(streams[1]!, consumerOfSlot(4002), [1]);
    await client.set(workerLeaseKey(4002), "alive", "PX", 60_000);
    const started = await startConsumer(streams);
    await until("the orphan is taken over", () => started.entries.length === 1);
    await Bun.sleep(1_500);
    expect(started.entries.map(({ id, deliveries }) => [id, deliveries])).toEqual([[orphan!, 2]]);
    await client.del(workerLeaseKey(4002));
    await until("the other follows", () => started.entries.length === 2);
  });

  test("hands suspects out one at a time, and gives up what died three times", async () => {
    const streams = newStreams(1);
    const [first, second, crashed] = await abandon(streams[0]!, consumerOfSlot(4003), [2, 2, 3]);
    const started = await startConsumer(streams);
    await until("the crashed one is given up", () => started.crashed.length === 1);
    expect(started.crashed[0]!.id).toBe(crashed!);
    await until("the first suspect is there", () => started.entries.length === 1);
    await Bun.sleep(1_500);
    expect(started.entries.map(({ id }) => id)).toEqual([first!]);
    await finish(started, streams, started.entries[0]!);
    await until("the second follows", () => started.entries[0]?.id === second);
  });

  test("takes up an entry whose answer never came, without counting a crash", async () => {
    const streams = newStreams(1);
    const started = await startConsumer(streams, { queueSize: 1 });
    await client.xadd(streams[0]!, "*", "n", "held");
    await until("its queue is full", () => started.entries.length === 1);
    const [held] = started.entries;
    // Pending under the consumer's name, which knows nothing of it.
    const lost = (await client.xadd(streams[0]!, "*", "n", "lost"))!;
    const { consumer } = held!.session.slot;
    await client.xreadgroup("GROUP", GROUP, consumer, "COUNT", 1, "STREAMS", streams[0]!, ">");
    await finish(started, streams, held!);
    await until("it has the lost one", () => started.entries.length === 1);
    expect(started.entries.map(({ id }) => id)).toEqual([lost]);
    const pending = (await client.xpending(streams[0]!, GROUP, "-", "+", 10)) as unknown[][];
    expect(pending.map(([id, , , deliveries]) => [id, deliveries])).toEqual([[lost, 1]]);
  });

  test("goes on under a new name when it lost its own", async () => {
    const streams = newStreams(1);
    const started = await startConsumer(streams);
    await client.xadd(streams[0]!, "*", "n", "1");
    await until("one is read", () => started.entries.length === 1);
    const [entry] = started.entries;
    const slot = slotOfConsumer(entry!.session.slot.consumer)!;
    await client.set(workerLeaseKey(slot), "another", "PX", 3_000);
    await until("it may not finish any more", () => !entry!.session.mayFinish());
    await until("the entry comes back to a new session", () => started.entries.length === 2);
    expect(started.entries[1]!.id).toBe(entry!.id);
    expect(started.entries[1]!.session.mayFinish()).toBe(true);
    // Places reserved by a read that is under way count too.
    await until("it holds one", () => started.consumer.heldCount === 1);
  });
});

describe("drop-consumer.lua", () => {
  test("removes a consumer that has nothing pending, and no other", async () => {
    const [stream] = newStreams(1);
    await abandon(stream!, "gone", [1]);
    await client.xgroup("CREATECONSUMER", stream!, GROUP, "idle");
    const drop = bindScript(client, { name: "testDrop", lua: dropConsumerLua });
    expect(await drop([stream!], [GROUP, "gone"])).toBe(0);
    expect(await drop([stream!], [GROUP, "idle"])).toBe(1);
    expect(await drop([stream!], [GROUP, "nobody"])).toBe(0);
    expect(((await client.xpending(stream!, GROUP)) as unknown[])[0]).toBe(1);
  });
});
