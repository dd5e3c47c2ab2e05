import { describe, expect, test } from "bun:test";
import { KeyRingError, parseKeyRing } from "../../src/platform/crypto/keyring.ts";

const KEY_A = Buffer.alloc(32, 0xaa).toString("base64");
const KEY_B = Buffer.alloc(32, 0xfb).toString("base64");

describe("parseKeyRing()", () => {
  test("parseKeyRing() makes the first key active and finds the others by id", () => {
    const ring = parseKeyRing(` k2:${KEY_B} , k1:${KEY_A},`);
    expect(ring.ids()).toEqual(["k2", "k1"]);
    expect(ring.active().id).toBe("k2");
    expect(Buffer.from(ring.get("k1").key).toString("base64")).toBe(KEY_A);
  });

  test("parseKeyRing() takes base64url and base64 without padding", () => {
    const url = Buffer.alloc(32, 0xfb).toString("base64url");
    expect(Buffer.from(parseKeyRing(`k:${url}`).active().key).toString("base64")).toBe(KEY_B);
  });

  test("parseKeyRing() of nothing refuses to seal and to open, in words", () => {
    const ring = parseKeyRing("");
    expect(ring.ids()).toEqual([]);
    expect(() => ring.active()).toThrow("INTEGRATION_ENCRYPTION_KEY is empty");
    expect(() => ring.get("k1")).toThrow('has no key "k1"');
  });

  test.each([
    ["no id", KEY_A],
    ["an empty id", `:${KEY_A}`],
    ["an odd id", `a b:${KEY_A}`],
    ["31 bytes", `k:${Buffer.alloc(31, 1).toString("base64")}`],
    ["33 bytes", `k:${Buffer.alloc(33, 1).toString("base64")}`],
    ["hexadecimal", `k:${Buffer.alloc(32, 1).toString("hex")}`],
    ["a passphrase", "k:correct horse battery staple"],
    ["the same id twice", `k:${KEY_A},k:${KEY_B}`],
  ])("parseKeyRing() refuses %s without showing the key", (_name, text) => {
    let message = "";
    try {
      parseKeyRing(text);
    } catch (error) {
      expect(error).toBeInstanceOf(KeyRingError);
      message = (error as Error).message;
    }
    expect(message).toMatch(/^Cannot read INTEGRATION_ENCRYPTION_KEY, entry \d: /);
    for (const part of text.split(/[:,]/)) if (part.length > 8) expect(message).not.toContain(part);
  });
});
