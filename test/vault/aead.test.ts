import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { AeadError, lengthPrefixed, open, seal } from "../../src/platform/crypto/aead.ts";
import vectors from "./wycheproof-aes-gcm.json" with { type: "json" };

const hex = (text: string): Buffer => Buffer.from(text, "hex");
const NOTHING = new Uint8Array();

describe("open()", () => {
  test.each(vectors.tests)("open() agrees with Wycheproof case $tcId $comment", (vector) => {
    const sealed = Buffer.concat([hex(vector.iv), hex(vector.ct), hex(vector.tag)]);
    if (vector.result === "valid") {
      expect(open(hex(vector.key), sealed, hex(vector.aad)).toString("hex")).toBe(vector.msg);
    } else {
      expect(() => open(hex(vector.key), sealed, hex(vector.aad))).toThrow(AeadError);
    }
  });

  test("open() gives back what seal() took, also nothing and megabytes", () => {
    const key = randomBytes(32);
    for (const size of [0, 1, 15, 16, 17, 1_000_000]) {
      const text = randomBytes(size);
      expect(open(key, seal(key, text, hex("00ff")), hex("00ff")).equals(text)).toBe(true);
    }
  });

  test("open() refuses every changed bit, a shortened text, another key and other bound bytes", () => {
    const key = randomBytes(32);
    const sealed = seal(key, Buffer.from("secret"), Buffer.from("place"));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => open(key, changed, Buffer.from("place"))).toThrow(AeadError);
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(() => open(key, sealed.subarray(0, length), Buffer.from("place"))).toThrow(AeadError);
    }
    expect(() => open(randomBytes(32), sealed, Buffer.from("place"))).toThrow(AeadError);
    expect(() => open(key, sealed, Buffer.from("plac"))).toThrow(AeadError);
    expect(() => open(key, sealed, NOTHING)).toThrow(AeadError);
  });
});

describe("seal()", () => {
  test("seal() never gives the same bytes twice", () => {
    const key = randomBytes(32);
    const seen = new Set<string>();
    for (let count = 0; count < 1000; count++)
      seen.add(seal(key, Buffer.from("same"), NOTHING).toString("hex"));
    expect(seen.size).toBe(1000);
  });
});

describe("lengthPrefixed()", () => {
  test("lengthPrefixed() tells apart lists whose texts join to the same", () => {
    const lists = [
      ["ab", "c"],
      ["a", "bc"],
      ["abc"],
      ["abc", ""],
      ["", "abc"],
      ["a\u0000b", "c"],
      ["ä"],
      ["a", "¤"],
    ];
    const seen = new Set(lists.map((list) => lengthPrefixed(list).toString("hex")));
    expect(seen.size).toBe(lists.length);
  });
});
