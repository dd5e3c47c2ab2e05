import { describe, expect, test } from "bun:test";
import { ExactNumber, isHeldByDouble } from "../../src/platform/formats/document.ts";
import { FORMAT_LIMITS } from "../../src/platform/formats/limits.ts";
import { bytesOf, read, refusal, textAt, write, writeRefusal } from "./outcomes.ts";

/** Documents that no JSON parser may take, after the categories of JSONTestSuite; offset of the place that is named. */
const REFUSED: readonly (readonly [what: string, text: string, offset: number])[] = [
  ["nothing", "", 0],
  ["white space only", " \n ", 3],
  ["array: extra comma", "[1,]", 3],
  ["array: double comma", "[1,,2]", 3],
  ["array: comma first", "[,1]", 1],
  ["array: only a comma", "[,]", 1],
  ["array: no comma", "[1 true]", 3],
  ["array: colon", "[1:2]", 2],
  ["array: not closed", '["a"', 4],
  ["array: closed twice", "[1]]", 3],
  ["array: closed by a brace", "[1}", 2],
  ["array: comma behind it", "[1],", 3],
  ["array: star inside", "[*]", 1],
  ["object: extra comma", '{"a":1,}', 7],
  ["object: two commas", '{"a":1,,"b":2}', 7],
  ["object: no colon", '{"a" 1}', 5],
  ["object: comma for the colon", '{"a",1}', 4],
  ["object: two colons", '{"a"::1}', 5],
  ["object: no value", '{"a":}', 5],
  ["object: key without quotes", "{a:1}", 1],
  ["object: key in single quotes", "{'a':1}", 1],
  ["object: number as a key", "{1:1}", 1],
  ["object: bracket as a key", "{[:1}", 1],
  ["object: not closed", '{"a":1', 6],
  ["object: text behind it", '{"a":1}#', 7],
  ["object: comment behind it", '{"a":1}//', 7],
  ["object: comment inside", '{"a":/*1*/1}', 5],
  ["number: plus sign", "[+1]", 1],
  ["number: leading zero", "[012]", 2],
  ["number: minus and leading zero", "[-012]", 3],
  ["number: only a minus", "[-]", 1],
  ["number: two minus", "[--1]", 1],
  ["number: space behind the minus", "[- 1]", 1],
  ["number: begins with the point", "[.5]", 1],
  ["number: ends with the point", "[1.]", 2],
  ["number: two points", "[1.2.3]", 4],
  ["number: exponent without digits", "[1e]", 2],
  ["number: exponent with a sign only", "[1e+]", 2],
  ["number: exponent with a point", "[1e1.5]", 4],
  ["number: hexadecimal", "[0x1F]", 2],
  ["number: infinity", "[Infinity]", 1],
  ["number: not a number", "[NaN]", 1],
  ["number: minus infinity", "[-Infinity]", 1],
  ["number: wide digit", "[\uFF11]", 1],
  ["number: letter inside", "[1a]", 2],
  ["number: expression", "[1+2]", 2],
  ["string: single quotes", "['a']", 1],
  ["string: not closed", '["a', 1],
  ["string: closing quote escaped", '["a\\"]', 1],
  ["string: escape x", '["\\x41"]', 2],
  ["string: escape of a control character", '["\\\u0000"]', 2],
  ["string: escape a", '["\\a"]', 2],
  ["string: escape of a wide character", '["\\é"]', 2],
  ["string: u without digits", '["\\u"]', 2],
  ["string: u with three digits", '["\\u12"]', 2],
  ["string: u with a letter", '["\\u00g0"]', 2],
  ["string: capital U", '["\\U0041"]', 2],
  ["string: line feed", '["a\nb"]', 3],
  ["string: tab", '["\t"]', 2],
  ["string: NUL", '["\u0000"]', 2],
  ["string: no quotes", "[abc]", 1],
  ["structure: capital word", "[True]", 1],
  ["structure: word cut short", "[tru]", 1],
  ["structure: nul", "[nul]", 1],
  ["structure: two documents", "1 2", 2],
  ["structure: form feed as space", "[\f]", 1],
  ["structure: no-break space", "[\u00A0]", 1],
  ["structure: word joiner", "[\u2060]", 1],
  ["structure: only a brace", "}", 0],
  ["structure: bracket and brace", "[{", 2],
  ["structure: unescaped u in a key", '{"\\uD8":1}', 2],
  ["structure: tag", "<.>", 0],
];

describe("parseDocument(JSON)", () => {
  test.each(REFUSED)("refuses %s", (_what, text, offset) => {
    const fault = refusal("JSON", text, {});
    expect(fault.code).toBe("invalid_json");
    expect(fault.offset).toBe(Buffer.byteLength(text.slice(0, offset)));
    expect(fault.message).toStartWith("The document is not JSON: ");
  });

  test.each([
    ["[]", []],
    ["{}", {}],
    [" [1 , -0.5e-2 , true , false , null ] \n", [1, -0.005, true, false, null]],
    ['"\\u0061\\/\\b\\f\\n\\r\\t\\"\\\\"', 'a/\b\f\n\r\t"\\'],
    ['"\\uD834\\uDD1E"', "𝄞"],
    ['"\\u0000"', "\u0000"],
    ['{"":0,"constructor":1,"toString":2}', { "": 0, constructor: 1, toString: 2 }],
    ['"\u2028\u007f"', "\u2028\u007f"],
    ["1E5", 100_000],
    ["-0", -0],
    ["123456789012345", 123_456_789_012_345],
  ])("reads %s", (text, value) => {
    expect(read("JSON", text, {})).toEqual(value);
  });

  test("keeps numbers exact that a double would change, and writes them as they were", () => {
    const numbers = [
      "12345678901234567890",
      "-9007199254740993",
      "1e400",
      "0.1000000000000000055511151231257827",
      "1E-400",
    ];
    for (const text of numbers) {
      const document = read("JSON", `{"n":${text}}`, {}) as { n: ExactNumber };
      expect(document.n).toBeInstanceOf(ExactNumber);
      expect(document.n.text).toBe(text);
      expect(write("JSON", document, {})).toBe(`{"n":${text}}`);
      expect(write("JSON", document, { indent: 2 })).toBe(`{\n  "n": ${text}\n}`);
    }
    expect(
      read("JSON", "[0.1,1.10,9007199254740992,5e-324,1.7976931348623157e308,1e21,35.149534199999998]", {}),
    ).toEqual([
      0.1,
      1.1,
      9_007_199_254_740_992,
      5e-324,
      Number.MAX_VALUE,
      1e21,
      new ExactNumber("35.149534199999998"),
    ]);
    expect(() => new ExactNumber("1; drop")).toThrow(RangeError);
  });

  test("takes a number for held when the double's shortest text is the same number", () => {
    for (const text of [
      "0",
      "-0",
      "0.0",
      "0e999",
      "1.0",
      "100e-2",
      "1000000000000000000000",
      "0.30000000000000004",
    ]) {
      expect([text, isHeldByDouble(text)]).toEqual([text, true]);
    }
    for (const text of ["1e-999", "1e999", "9007199254740993", "0.30000000000000003"]) {
      expect([text, isHeldByDouble(text)]).toEqual([text, false]);
    }
  });

  test("takes no more than linear time over a number as long as the document", () => {
    const digits = "9".repeat(100_000);
    const numbers = [`1e${digits}`, `1e-${digits}`, `1${"0".repeat(900_000)}1`, `1.${"0".repeat(900_000)}1`];
    for (const text of numbers) expect(read("JSON", `[${text}]`, {})).toEqual([new ExactNumber(text)]);
    expect(read("JSON", `[0e${digits},1e${"0".repeat(100_000)}1]`, {})).toEqual([0, 10]);
  });

  test("refuses doubled keys at any depth, written in any way, each with its pointer and place", () => {
    const text = '{\n  "a": [0, {"b": 1, "c": 2, "\\u0062": 3}],\n  "a": 4\n}';
    const outcome = refusal("JSON", text, {});
    expect(outcome).toEqual({
      code: "duplicate_key",
      message: 'The key "b" occurs twice in one object',
      pointer: "/a/1/b",
      line: 2,
      column: 29,
      offset: 30,
    });
    expect(refusal("JSON", '{"a/b":{"~":1,"~":2}}', {})).toMatchObject({
      code: "duplicate_key",
      pointer: "/a~1b/~0",
    });
    expect(read("JSON", '[{"a":1},{"a":2}]', {})).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test("refuses __proto__ as a key, and changes no prototype", () => {
    for (const key of ["__proto__", "\\u005f_proto__"]) {
      const fault = refusal("JSON", `{"a":{"${key}":{"polluted":true}}}`, {});
      expect(fault).toMatchObject({ code: "reserved_name", pointer: "/a/__proto__", offset: 6 });
    }
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("refuses halves of surrogate pairs in values and keys", () => {
    expect(refusal("JSON", '["\\ud800"]', {})).toMatchObject({
      code: "lone_surrogate",
      pointer: "/0",
      offset: 1,
    });
    expect(refusal("JSON", '{"\\udc00x":1}', {})).toMatchObject({ code: "lone_surrogate", offset: 1 });
    expect(refusal("JSON", '"\\udd1e\\ud834"', {})).toMatchObject({ code: "lone_surrogate" });
  });

  test("reads UTF-8 with its mark and UTF-16 with its mark, and tells places in their bytes", () => {
    const text = '{"a":"é𝄞"}';
    const bigEndian = Buffer.from(`\uFEFF${text}`, "utf16le").swap16();
    for (const bytes of [bytesOf(`\uFEFF${text}`), Buffer.from(`\uFEFF${text}`, "utf16le"), bigEndian]) {
      expect(read("JSON", bytes, {})).toEqual({ a: "é𝄞" });
    }
    const broken = '{"é":1,\n "𝄞é":x}';
    expect(refusal("JSON", `\uFEFF${broken}`, {})).toMatchObject({ line: 2, column: 7, offset: 3 + 9 + 10 });
    expect(refusal("JSON", Buffer.from(`\uFEFF${broken}`, "utf16le"), {})).toMatchObject({
      line: 2,
      column: 7,
      offset: 32,
    });
    expect(refusal("JSON", "\uFEFF\uFEFF1", {})).toMatchObject({ code: "invalid_json", offset: 3 });
  });

  test("refuses broken UTF-8 at its offset", () => {
    const cases: [number[], number][] = [
      [[0x22, 0xc0, 0xaf, 0x22], 1],
      [[0x22, 0xc3, 0xa9, 0xff, 0x22], 3],
      [[0x22, 0x0a, 0xed, 0xa0, 0x80, 0x22], 2],
      [[0x22, 0xe2, 0x82], 1],
      [[0x22, 0xf4, 0x90, 0x80, 0x80, 0x22], 1],
      [[0x22, 0xf8, 0x88, 0x80, 0x80, 0x80, 0x22], 1],
      [[0x80], 0],
    ];
    for (const [bytes, offset] of cases) {
      expect(refusal("JSON", Uint8Array.from(bytes), {})).toMatchObject({ code: "invalid_encoding", offset });
    }
  });

  test("counts bytes, depth and keys before parsing", () => {
    const limits = { bytesMax: 1000, depthMax: 3, valuesMax: 2 };
    expect(read("JSON", "[[[1]]]", {}, limits)).toEqual([[[1]]]);
    expect(refusal("JSON", "[[[\n[1]]]]", {}, limits)).toMatchObject({
      code: "too_deep",
      line: 2,
      column: 1,
      offset: 4,
    });
    expect(refusal("JSON", '{"a":1,"b":2,"c":3}', {}, limits)).toMatchObject({
      code: "too_many_values",
      offset: 16,
    });
    expect(refusal("JSON", " ".repeat(1001), {}, limits)).toMatchObject({
      code: "document_too_large",
      offset: 1000,
    });
    expect(refusal("JSON", "[".repeat(1_000_000), {})).toMatchObject({
      code: "too_deep",
      offset: FORMAT_LIMITS.depthMax,
    });
  });

  test("tells where each value stands", () => {
    const text = '{ "a/b" : [ 10, {"ключ": "ä", "n": 12345678901234567890} ],\n "e": [] }';
    expect(textAt("JSON", text, "", {})).toBe(text);
    expect(textAt("JSON", text, "/a~1b/0", {})).toStartWith("10,");
    expect(textAt("JSON", text, "/a~1b/1/ключ", {})).toStartWith('"ä"');
    expect(textAt("JSON", text, "/a~1b/1/n", {})).toStartWith("1234567");
    expect(textAt("JSON", text, "/e", {})).toBe("[] }");
    for (const none of ["/x", "/e/0", "/a~1b/2", "/a~1b/01", "/a~1b/-", "/a~1b/0/x", "a"]) {
      expect(textAt("JSON", text, none, {})).toBeUndefined();
    }
  });
});

describe("writeDocument(JSON)", () => {
  test("refuses what JSON has no form for, with its pointer", () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const own = JSON.parse('{"a":{"__proto__":1}}') as unknown;
    const cases: [unknown, string, string][] = [
      [{ a: [1, Number.NaN] }, "unwritable_value", "/a/1"],
      [{ "a/b": Infinity }, "unwritable_value", "/a~1b"],
      [{ a: 1n }, "unwritable_value", "/a"],
      [[undefined], "unwritable_value", "/0"],
      [{ a: () => 1 }, "unwritable_value", "/a"],
      [{ a: { toJSON: () => "x" } }, "unwritable_value", "/a/toJSON"],
      [{ a: new Date(0) }, "unwritable_value", "/a"],
      [{ a: new Map() }, "unwritable_value", "/a"],
      [{ a: Symbol("x") }, "unwritable_value", "/a"],
      [undefined, "unwritable_value", ""],
      [{ a: ["\ud800"] }, "unwritable_text", "/a/0"],
      [{ a: { "\udc00": 1 } }, "unwritable_text", "/a/\udc00"],
      [own, "reserved_name", "/a/__proto__"],
    ];
    for (const [document, code, pointer] of cases) {
      expect(writeRefusal("JSON", document, {})).toMatchObject({ code, pointer });
    }
    expect(writeRefusal("JSON", cyclic, {})).toMatchObject({ code: "too_deep" });
    expect(writeRefusal("JSON", "abc", {}, { ...FORMAT_LIMITS, bytesMax: 4 })).toMatchObject({
      code: "document_too_large",
    });
  });

  test("leaves out members that are undefined, and lets text that looks like an escape pass", () => {
    expect(write("JSON", { a: undefined, b: "\\ud800" } as never, {})).toBe(String.raw`{"b":"\\ud800"}`);
    expect(write("JSON", Object.assign(Object.create(null) as object, { a: 1 }) as never, {})).toBe(
      '{"a":1}',
    );
  });
});
