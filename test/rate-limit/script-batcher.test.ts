import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import batchLua from "../../src/domain/rate-limit/batch.lua" with { type: "text" };
import { ScriptBatcher } from "../../src/domain/rate-limit/script-batcher.ts";
import { type AdmissionFixture, startAdmission } from "./admission-fixture.ts";

let fixture: AdmissionFixture;

/** Counts its call under its key, or fails where it is told to; `finish` tells the count. */
const COUNTING = `
local function admit(keys, args)
  if args[1] == 'bad' then return redis.call('LPUSH', keys[1], 'x') end
  return { 'ok', args[1], redis.call('INCR', keys[1]) }
end
local function finish(keys) return { 'count', redis.call('GET', keys[1]) } end
local function block() return { 'none' } end
`;

beforeAll(async () => {
  fixture = await startAdmission();
}, 60_000);

afterAll(() => fixture.stop(), 60_000);

const batcherOf = (lua: string, name: string): ScriptBatcher =>
  new ScriptBatcher(fixture.runtime.redis, { name, lua });

describe("ScriptBatcher", () => {
  test("answers each ask of a turn with its own output, in order, whatever their number", async () => {
    const batcher = batcherOf(COUNTING + batchLua, "hubTestCounting");
    const keys = ["{g:one}:count"];
    await fixture.runtime.redis.del(keys[0]!);
    const asked = Array.from({ length: 500 }, (_, number) => batcher.ask("a", keys, [String(number)]));
    const replies = await Promise.all(asked);
    expect(replies).toEqual(Array.from({ length: 500 }, (_, number) => ["ok", String(number), number + 1]));
    expect(await batcher.ask("f", keys, [])).toEqual(["count", "500"]);
  });

  test("lets an ask that fails fail alone, with what Redis said", async () => {
    const batcher = batcherOf(COUNTING + batchLua, "hubTestCounting");
    const keys = ["{g:two}:count"];
    await fixture.runtime.redis.set(keys[0]!, 0);
    const asked = ["first", "bad", "last"].map((name) => batcher.ask("a", keys, [name]));
    const [first, bad, last] = await Promise.allSettled(asked);
    expect(first).toMatchObject({ status: "fulfilled", value: ["ok", "first", 1] });
    expect(String((bad as PromiseRejectedResult).reason)).toContain("WRONGTYPE");
    expect(last).toMatchObject({ status: "fulfilled", value: ["ok", "last", 2] });
  });

  test("refuses all that wait when the script itself fails, and goes on with the next ones", async () => {
    const batcher = batcherOf(
      `${COUNTING}if redis.call('EXISTS', '{g:three}:broken') == 1 then error('no script') end\n${batchLua}`,
      "hubTestBreaking",
    );
    const { redis } = fixture.runtime;
    await redis.set("{g:three}:broken", 1);
    const asked = Array.from({ length: 300 }, () => batcher.ask("a", ["{g:three}:count"], ["x"]));
    const results = await Promise.allSettled(asked);
    expect(results.filter(({ status }) => status === "rejected").length).toBe(300);
    await redis.del("{g:three}:broken");
    expect(await batcher.ask("a", ["{g:three}:count"], ["y"])).toEqual(["ok", "y", 1]);
  });
});
