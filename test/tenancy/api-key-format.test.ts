import { describe, expect, test } from "bun:test";
import { apiKeyPrefix, hashApiKey, makeApiKey } from "../../src/domain/tenancy/api-key-format.ts";

describe("makeApiKey()", () => {
  test("makes keys of one form that name themselves by their prefix", () => {
    const { key, prefix, secretHash } = makeApiKey();
    expect(key).toMatch(/^hub_[0-9A-Za-z]{61}$/);
    expect(key.startsWith(prefix)).toBe(true);
    expect(apiKeyPrefix(key)).toBe(prefix);
    expect(hashApiKey(key)).toEqual(secretHash);
  });

  test("never makes the same key or prefix twice in a thousand", () => {
    const made = Array.from({ length: 1000 }, makeApiKey);
    expect(new Set(made.map(({ key }) => key)).size).toBe(1000);
    expect(new Set(made.map(({ prefix }) => prefix)).size).toBe(1000);
  });
});

describe("apiKeyPrefix()", () => {
  test("refuses a key with any one character changed", () => {
    const { key } = makeApiKey();
    for (let index = 4; index < key.length; index++) {
      const other = key[index] === "A" ? "B" : "A";
      expect(apiKeyPrefix(key.slice(0, index) + other + key.slice(index + 1))).toBeUndefined();
    }
  });

  test.each([
    "",
    "hub_",
    "hub_short",
    `sk_${"a".repeat(61)}`,
    `hub_${"a".repeat(60)}!`,
    `hub_${"a".repeat(62)}`,
  ])("refuses %p", (text) => {
    expect(apiKeyPrefix(text)).toBeUndefined();
  });
});
