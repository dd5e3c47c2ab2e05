import { describe, expect, test } from "bun:test";
import { filesBelow } from "./source-files.ts";

const header = (text: string): string => /^(?:--.*\n)+/.exec(text)?.[0] ?? "";

describe("Lua scripts", () => {
  const scripts = filesBelow(["src", "workers"], [".lua"]);

  test.each(scripts.map(({ path, text }) => [path, text] as const))(
    "%s says what it is for, takes and gives",
    (_path, text) => {
      const words = header(text);
      for (const word of ["Purpose:", "KEYS:", "ARGV:", "Output:"]) expect(words).toContain(word);
    },
  );

  test.each(scripts.map(({ path, text }) => [path, text] as const))("%s makes no key name", (_path, text) => {
    // A key that is not in KEYS lies in another slot of a Cluster.
    expect(text.replaceAll(/--.*$/gm, "")).not.toMatch(
      /redis\.p?call\(\s*["'](?!XGROUP|XINFO|OBJECT|MEMORY|SCRIPT)[A-Z]+["']\s*,\s*["']/i,
    );
  });
});

describe("SQL files", () => {
  const migrations = filesBelow(["migrations"], [".sql"]);

  test.each(migrations.map(({ path, text }) => [path, text] as const))(
    "%s says what it is for",
    (_path, text) => {
      expect(header(text)).toMatch(/^-- Purpose: /);
    },
  );

  test("are numbered without a gap", () => {
    const numbers = migrations.map(({ path }) =>
      Number(/^migrations\/(\d{4})_[a-z0-9_]+\.sql$/.exec(path)?.[1]),
    );
    expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
  });
});
