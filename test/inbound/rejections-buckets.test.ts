import { describe, expect, test } from "bun:test";
import { findMistakes } from "../../src/domain/inbound/rejections/explain/search.ts";
import { reformatJson } from "../../src/domain/inbound/rejections/explain/reformat-json.ts";
import { TokenBuckets } from "../../src/domain/inbound/rejections/token-buckets.ts";

describe("TokenBuckets", () => {
  test("gives so many at once and regains them over a minute", () => {
    const buckets = new TokenBuckets(6, 100);
    const taken = (nowMs: number) =>
      Array.from({ length: 10 }, () => buckets.tryTake("a", nowMs)).filter(Boolean).length;
    expect(taken(0)).toBe(6);
    expect(taken(9_999)).toBe(0);
    expect(taken(20_000)).toBe(2);
    expect(taken(600_000)).toBe(6);
    expect(buckets.tryTake("b", 0)).toBe(true);
  });

  test("knows a bounded number of names, and forgets those that are full", () => {
    const buckets = new TokenBuckets(1, 3);
    const names = ["a", "b", "c", "d"];
    expect(names.map((name) => buckets.tryTake(name, 0))).toEqual([true, true, true, false]);
    expect(buckets.tryTake("d", 60_000)).toBe(true);
  });

  test("survives a clock that goes back", () => {
    const buckets = new TokenBuckets(1, 3);
    expect(buckets.tryTake("a", 60_000)).toBe(true);
    expect(buckets.tryTake("a", 0)).toBe(false);
  });
});

describe("reformatJson()", () => {
  test.each([
    ["12345678901234567890 and 1e400 stay", '{"id":12345678901234567890,"x":1e400,"id":1}'],
    ["escapes and brackets in strings stay", String.raw`["\"{[,:]}\\",{},[],{"a":[null,true]}]`],
  ])("%s", (_what, source) => {
    const pretty = reformatJson(source, { indent: "  ", comma: ",", colon: ": " });
    expect(pretty).toContain("\n");
    expect(reformatJson(pretty, { indent: "", comma: ",", colon: ":" })).toBe(source);
  });

  test("writes as JSON.stringify does", () => {
    const value = { a: [1, { b: [] }], c: {}, d: "x: y, [z]" };
    for (const indent of ["  ", "    ", "\t"]) {
      const text = reformatJson(JSON.stringify(value), { indent, comma: ",", colon: ": " });
      expect(text).toBe(JSON.stringify(value, null, indent));
    }
  });
});

describe("findMistakes()", () => {
  const cause = (code: string) => ({ code, message: code, action: code });
  const variants = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      value: new Uint8Array([index]),
      causes: index === 0 ? [] : [cause(`${name}${index}`)],
    }));

  test("prefers the explanation with the fewest mistakes", async () => {
    const space = {
      faces: [{ value: 0, causes: [] }],
      keys: variants("key", 5),
      bodies: variants("body", 5),
      urls: [{ value: "", causes: [] }],
    };
    const found = await findMistakes(space, (_face, [key = 0], [body = 0]) => key + body === 3);
    expect(found?.map(({ code }) => code)).toEqual(["body3"]);
  });

  test("gives up at its bounds instead of computing on", async () => {
    let trials = 0;
    const space = {
      faces: variants("face", 10),
      keys: variants("key", 1000),
      bodies: variants("body", 1000),
      urls: [{ value: "", causes: [] }],
    };
    const found = await findMistakes(space, () => {
      trials++;
      return false;
    });
    expect(found).toBeUndefined();
    expect(trials).toBeLessThanOrEqual(50_000);
  });
});
