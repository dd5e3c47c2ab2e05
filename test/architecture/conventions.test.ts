import { describe, expect, test } from "bun:test";
import { filesBelow, withoutComments } from "./source-files.ts";

const product = filesBelow(["src", "workers", "bench"], [".ts", ".tsx"]);
const everything = filesBelow(
  ["src", "workers", "bench", "test", "migrations"],
  [".ts", ".tsx", ".lua", ".sql"],
);

const matching = (files: typeof product, pattern: RegExp): string[] =>
  files.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );

describe("the code", () => {
  test("names Redis keys in one file only", () => {
    const spelled = product
      .filter(({ path }) => path !== "src/platform/redis/keys.ts" && !path.startsWith("bench/"))
      .map(({ path, text }) => ({ path, text: withoutComments(text) }));
    expect(matching(spelled, /["'`](?:hub:[a-z$]|svc:[a-z$]|\{p\$\{|\{[gh]:)/)).toEqual([]);
  });

  test("uses no any and switches no check off without a reason", () => {
    const code = product.map(({ path, text }) => ({ path, text: withoutComments(text) }));
    expect(matching(code, /[:<(,]\s*any\b\s*[,;)>=[\]|&]|\bas any\b/)).toEqual([]);
    expect(
      matching(everything, /@ts-(?:ignore|nocheck)|(?:ox|es)lint-disable(?!-next-line [\w/-]+ -- \w)/),
    ).toEqual([]);
  });

  test("leaves nothing for later and tells no history", () => {
    const own = everything.filter(({ path }) => path !== "test/architecture/conventions.test.ts");
    expect(matching(own, /\b(?:TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
    expect(
      matching(own, /(?:--|\/\/|\*).*\b(?:we now|used to be|old version|in the meantime we)\b/i),
    ).toEqual([]);
  });

  test("skips and focuses no test", () => {
    const tests = everything.filter(
      ({ path }) => path.endsWith(".test.ts") && !path.startsWith("test/architecture/"),
    );
    expect(matching(tests, /\b(?:test|describe|it)\.(?:only|todo)\b/)).toEqual([]);
  });

  test("mocks none of its own parts", () => {
    const tests = everything.filter(
      ({ path }) => path.startsWith("test/") && !path.startsWith("test/architecture/"),
    );
    expect(matching(tests, /\bmock\.module\(|\bspyOn\(/)).toEqual([]);
  });
});
