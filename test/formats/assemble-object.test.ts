import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { assemblerOf } from "../../src/platform/formats/assemble-object.ts";

const names = fc.uniqueArray(
  fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom('"]; throw 1; //', "a\u2028b", "\\", "`${1}`", "constructor", "0", "class"),
  ),
  { maxLength: 70 },
);

describe("assemblerOf()", () => {
  test("writes exactly the members that have a value, whatever they are called", () => {
    fc.assert(
      fc.property(names, fc.array(fc.option(fc.integer(), { nil: undefined })), (given, numbers) => {
        const members = given.filter((name) => name !== "__proto__");
        const values = members.map((_, index) => numbers[index]);
        const wanted = members.flatMap((name, index): [string, unknown][] =>
          values[index] === undefined ? [] : [[name, values[index]]],
        );
        const made = assemblerOf(members)(values);
        expect(made ?? {}).toEqual(Object.fromEntries(wanted));
        expect(made === undefined).toBe(wanted.length === 0);
      }),
      { numRuns: 300 },
    );
  });

  test("gives one function for all lists of names that are the same, and writes no program with __proto__", () => {
    expect(assemblerOf(["city", "region"])).toBe(assemblerOf(["city", "region"]));
    expect(assemblerOf(["__proto__"])).not.toBe(assemblerOf(["__proto__"]));
  });
});
