import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseJson, storableJson } from "../../src/platform/json/parse-json.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");
const codeOf = (input: Uint8Array, limits?: { depthMax: number; keysMax: number }): string => {
  const outcome = parseJson(input, limits);
  return outcome.ok ? "ok" : outcome.code;
};

describe("parseJson()", () => {
  test("parses what JSON.stringify writes, whatever the value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        const outcome = parseJson(bytes(text));
        expect(outcome.ok && JSON.stringify(outcome.value)).toBe(text);
      }),
    );
  });

  test("ends with an outcome for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
        const outcome = parseJson(input);
        if (outcome.ok) expect(outcome.value).toEqual(JSON.parse(outcome.text));
        else expect(outcome.message.length).toBeGreaterThan(0);
      }),
    );
  });

  test("refuses invalid UTF-8: overlong, truncated, surrogates in UTF-8, UTF-16", () => {
    for (const tail of [[0xc0, 0xaf], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xff]]) {
      expect(codeOf(Uint8Array.from([0x22, ...tail, 0x22]))).toBe("invalid_utf8");
    }
    expect(codeOf(Buffer.from('\ufeff{"a":1}', "utf16le"))).toBe("invalid_utf8");
  });

  test("takes a byte-order mark off", () => {
    const outcome = parseJson(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes('{"a":1}')]));
    expect(outcome).toMatchObject({ ok: true, value: { a: 1 }, text: '{"a":1}' });
  });

  test("counts depth before parsing: 64 levels pass, 65 and 100,000 do not", () => {
    const nested = (depth: number): Uint8Array => bytes("[".repeat(depth) + "]".repeat(depth));
    expect(codeOf(nested(64))).toBe("ok");
    expect(parseJson(nested(65))).toMatchObject({ code: "too_deep", offset: 64 });
    expect(codeOf(nested(100_000))).toBe("too_deep");
    expect(codeOf(bytes('{"a":'.repeat(100_000)))).toBe("too_deep");
    expect(codeOf(bytes(`["${"[".repeat(1000)}\\"${"{".repeat(1000)}"]`))).toBe("ok");
  });

  test("counts keys before parsing, not the colons inside strings", () => {
    const limits = { depthMax: 8, keysMax: 3 };
    expect(codeOf(bytes('{"a":{"b":1},"c":"::::\\":"}'), limits)).toBe("ok");
    expect(codeOf(bytes('{"a":1,"b":2,"c":3,"d":4}'), limits)).toBe("too_many_keys");
  });

  test("refuses what is no JSON: empty, cut short, comments, trailing text, NaN, bare NUL", () => {
    const texts = [
      "",
      " ",
      '{"a":',
      '{"a":1}//x',
      "{}{}",
      "NaN",
      "{'a':1}",
      '"\u0000"',
      "\u0000",
      "[1,]",
      '"\\x"',
    ];
    for (const text of texts) expect(codeOf(bytes(text))).toBe("invalid_json");
  });

  test("keeps __proto__ and constructor as ordinary keys", () => {
    const outcome = parseJson(
      bytes('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}'),
    );
    if (!outcome.ok) throw new Error(outcome.code);
    const value = outcome.value as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)["admin"]).toBeUndefined();
  });

  test("tells what Postgres would refuse: NUL and halves of surrogate pairs, in values and keys", () => {
    const storable = (text: string): boolean => {
      const outcome = parseJson(bytes(text));
      if (!outcome.ok) throw new Error(outcome.code);
      return outcome.storable;
    };
    expect(storable('{"a":"\\u0000"}')).toBe(false);
    expect(storable('{"a\\u0000":1}')).toBe(false);
    expect(storable('{"a":["\\ud800"]}')).toBe(false);
    expect(storable('{"a":"\\uDFFF\\uD800"}')).toBe(false);
    expect(storable('{"a":"\\ud83d\\ude00 \\\\u0000 \\u0041 \\uD7FF"}')).toBe(true);
  });
});

describe("storableJson()", () => {
  test("gives well-formed text without NUL that parses to the same shape", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary", maxDepth: 4 }), (value) => {
        const text = storableJson(value);
        expect(text).not.toMatch(/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/);
        expect(JSON.stringify(JSON.parse(text)).isWellFormed()).toBe(true);
      }),
    );
    expect(JSON.parse(storableJson({ a: "\u0000x\ud800", b: "\\u0000 😀" }))).toEqual({
      a: "\uFFFDx\uFFFD",
      b: "\\u0000 😀",
    });
  });
});
