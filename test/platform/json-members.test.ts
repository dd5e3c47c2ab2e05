import { describe, expect, test } from "bun:test";
import { withSortedMembers } from "../../src/platform/json/sort-members.ts";
import { unstorablePlace } from "../../src/platform/json/unstorable-place.ts";

describe("withSortedMembers()", () => {
  test("puts the members of every object in order, whatever they are called, and lists stay as they are", () => {
    const given = '{"b":[{"d":1,"c":[3,2]}],"a":{"__proto__":1,"10":2,"9":3,"Z":null},"é":true}';
    expect(JSON.stringify(withSortedMembers(JSON.parse(given)))).toBe(
      '{"a":{"9":3,"10":2,"Z":null,"__proto__":1},"b":[{"c":[3,2],"d":1}],"é":true}',
    );
  });

  test("hands back what is in order already", () => {
    const sorted = { a: [{ b: 1, c: "x" }], d: null };
    expect(withSortedMembers(sorted)).toBe(sorted);
  });
});

describe("unstorablePlace()", () => {
  test.each<[string, string | undefined]>([
    ['{"a":["x",{"b/c":"\\u0000"}]}', "/a/1/b~1c"],
    ['{"a":"x","b":"\\ud800"}', "/b"],
    ['{"a":{"x\\u0000":1}}', "/a"],
    ['"\\u0000"', ""],
    ['{"a":"\\ud83d\\ude9a","b":[1,null,true]}', undefined],
  ])("of %s is %j", (text, place) => {
    expect(unstorablePlace(JSON.parse(text))).toBe(place);
  });
});
