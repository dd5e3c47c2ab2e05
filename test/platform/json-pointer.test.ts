import { describe, expect, test } from "bun:test";
import { getPointer, isPointer } from "../../src/platform/json/pointer.ts";

describe("getPointer()", () => {
  test("finds the examples of RFC 6901, section 5", () => {
    const document = {
      foo: ["bar", "baz"],
      "": 0,
      "a/b": 1,
      "c%d": 2,
      "e^f": 3,
      "g|h": 4,
      "i\\j": 5,
      'k"l': 6,
      " ": 7,
      "m~n": 8,
    };
    const expected: [string, unknown][] = [
      ["", document],
      ["/foo", document.foo],
      ["/foo/0", "bar"],
      ["/", 0],
      ["/a~1b", 1],
      ["/c%d", 2],
      ["/e^f", 3],
      ["/g|h", 4],
      ["/i\\j", 5],
      ['/k"l', 6],
      ["/ ", 7],
      ["/m~0n", 8],
    ];
    for (const [pointer, value] of expected) expect(getPointer(document, pointer)).toEqual(value);
  });

  test("finds nothing that the document does not hold", () => {
    const document = JSON.parse('{"a":[1],"s":"text","n":null}') as unknown;
    for (const pointer of [
      "/a/1",
      "/a/-",
      "/a/01",
      "/a/length",
      "/s/0",
      "/n/x",
      "/constructor",
      "/__proto__",
      "a",
      "/~2",
    ]) {
      expect(getPointer(document, pointer)).toBeUndefined();
    }
    expect(getPointer(JSON.parse('{"__proto__":5}'), "/__proto__")).toBe(5);
  });
});

describe("isPointer()", () => {
  test("takes the grammar of RFC 6901, section 3", () => {
    for (const good of ["", "/", "/a", "/a/b~0~1"]) expect(isPointer(good)).toBe(true);
    for (const bad of ["a", "#/a", "/~", "/a~2"]) expect(isPointer(bad)).toBe(false);
  });
});
