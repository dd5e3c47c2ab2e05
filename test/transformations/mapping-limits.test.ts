import { describe, expect, test } from "bun:test";
import { createLogger } from "../../src/platform/log.ts";
import { createJsonataPool } from "../../src/domain/transformations/jsonata-pool.ts";
import { compileMapping } from "../../src/domain/transformations/mapping/compile-mapping.ts";
import type { MapResult, MappingDeps } from "../../src/domain/transformations/mapping/mapping-result.ts";
import type { MappingExpression, MappingRules } from "../../src/domain/transformations/mapping/rules.ts";

const MIB = 1024 * 1024;
const list = Array.from({ length: 50_000 }, (_, index) => index);

async function run(rules: MappingRules, document: unknown, deps: MappingDeps = {}): Promise<MapResult> {
  return compileMapping(rules, deps).run(document);
}

const codes = (result: MapResult): string[] => (result.ok ? ["ok"] : result.faults.map(({ code }) => code));

/** Rules that would fill the memory or never end, with the fault that stops them. */
const HOSTILE: readonly [name: string, from: MappingExpression, document: unknown, code: string][] = [
  [
    "a list for each element of itself",
    { each: "list", do: { each: "$root.list", do: 1 } },
    { list },
    "too_many_values",
  ],
  ["a large subtree a thousand times", { each: "list", do: "$root" }, { list }, "too_many_values"],
  [
    "a long text a thousand times",
    { each: "list", do: "$root.text" },
    { list, text: "x".repeat(500_000) },
    "output_too_large",
  ],
  [
    "long names a thousand times",
    { each: "list", do: { object: [{ target: "n".repeat(400), from: 1 }] } },
    { list },
    "output_too_large",
  ],
  [
    "lists compared with each other",
    {
      each: "list",
      where: {
        call: "in",
        args: [
          "$item",
          { each: "$root.list", where: { call: "equals", args: ["$item", "$parent"] }, do: "$item" },
        ],
      },
      do: 1,
    },
    { list },
    "deadline_exceeded",
  ],
  [
    "a filter for each element",
    { each: "list", do: { call: "count", args: ["$root.list[?x='1']"] } },
    { list },
    "deadline_exceeded",
  ],
  [
    "a regular expression over a long text for each element",
    { each: "list", where: { call: "matches", args: ["$root.text", { value: "(a|aa)+$" }] }, do: 1 },
    { list, text: `${"a".repeat(100_000)}b` },
    "deadline_exceeded",
  ],
  [
    "sorting a list for each element",
    { each: "list", do: { call: "item", args: [{ call: "sort", args: ["$root.list"] }, 0] } },
    { list },
    "deadline_exceeded",
  ],
  [
    "a text joined and taken apart for each element",
    {
      each: "list",
      where: {
        call: "isEmpty",
        args: [{ call: "split", args: [{ call: "join", args: ["$root.list"] }, { value: "" }] }],
      },
      do: 1,
    },
    { list },
    "deadline_exceeded",
  ],
];

describe("limits", () => {
  for (const [name, from, document, code] of HOSTILE) {
    test(`stop ${name}, within time and memory`, async () => {
      Bun.gc(true);
      const before = process.memoryUsage.rss();
      const startMs = performance.now();
      const result = await run({ rules: [{ target: "out", from }] }, document);
      expect(codes(result)).toEqual([code]);
      expect(result).toMatchObject({ retryable: code === "deadline_exceeded" });
      // A second is the deadline; a loaded machine gets more.
      expect(performance.now() - startMs).toBeLessThan(8_000);
      expect(process.memoryUsage.rss() - before).toBeLessThan(400 * MIB);
    }, 20_000);
  }

  test("hold the depth of what is moved and nested", async () => {
    let deep: unknown = 1;
    for (let level = 0; level < 60; level++) deep = [deep];
    expect(codes(await run({ rules: [{ target: "a", from: "x" }] }, { x: deep }))).toEqual(["ok"]);
    expect(codes(await run({ rules: [{ target: "a.b.c.d.e", from: "x" }] }, { x: deep }))).toEqual([
      "output_too_deep",
    ]);
    const limits = { outputDepth: 3 };
    expect(
      codes(await run({ rules: [{ target: "a", from: "x" }] }, { x: { y: { z: {} } } }, { limits })),
    ).toEqual(["output_too_deep"]);
  });

  test("count exactly enough: an ordinary large document passes", async () => {
    const lines = Array.from({ length: 5_000 }, (_, index) => ({
      sku: `S${index}`,
      q: index,
      note: "x".repeat(100),
    }));
    const rules: MappingRules = {
      rules: [
        {
          target: "lines",
          from: {
            each: "lines",
            do: { object: ["sku", "q", "note"].map((target) => ({ target, from: target })) },
          },
        },
        { target: "all", from: "lines" },
      ],
    };
    expect(await run(rules, { lines })).toEqual({ ok: true, document: { lines, all: lines } });
  });

  test("end a template that calls others again and again", async () => {
    const resolveMapping = (code: string): MappingRules =>
      code === "m9"
        ? { rules: [{ target: "x", from: 1 }] }
        : {
            rules: [
              {
                target: "x",
                from: {
                  each: "$root.list",
                  do: { mapping: `m${Number(code.slice(1)) + 1}`, input: "$root" },
                },
              },
            ],
          };
    const few = { list: list.slice(0, 20) };
    const result = await run({ rules: [{ target: "x", from: { mapping: "m0" } }] }, few, { resolveMapping });
    expect(["too_many_values", "deadline_exceeded", "output_too_large"]).toContain(codes(result)[0] ?? "");
  }, 20_000);
});

describe("hostile JSONata", () => {
  test("is stopped in its own process while the neighbours' documents go on", async () => {
    const pool = createJsonataPool({
      processes: 2,
      memoryLimitBytes: 192 * MIB,
      deadlineMs: 500,
      queueMaxPerKey: 1_000,
      log: createLogger("silent", "test"),
    });
    const depsOf = (key: string): MappingDeps => ({
      evaluateJsonata: (expression, input) => pool.evaluate({ key, expression, input }),
    });
    const good = compileMapping({ rules: [{ target: "a", from: { jsonata: "x * 2" } }] }, depsOf("good"));
    const input = { s: `${"a".repeat(60)}!`, n: Array.from({ length: 1_000 }, (_, index) => index) };
    const hostile = [
      "($f := function($n) { $f($n + 1) }; $f(1))",
      '($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f("xxxxxxxx", 40)))',
      "$count($map(n, function($a) { $map($$.n, function($b) { $map($$.n, function($c) { $c }) }) }))",
      "($f := function($n) { 1 + $f($n + 1) }; $f(1))",
      '$pad("x", 3e8)',
      "$contains(s, /^(?:(a+)+c|b)$/)",
      "$reduce([1..90000], function($a, $b) { $append($a, [$b..($b + 1000)]) })",
      '$join([1..99999].($pad("x", 10000)))',
    ];
    let peakBytes = 0;
    const watchMemory = async (pid: number): Promise<void> => {
      const status = await Bun.file(`/proc/${pid}/status`)
        .text()
        .catch(() => "");
      peakBytes = Math.max(peakBytes, Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024);
    };
    const watch = setInterval(() => {
      for (const pid of pool.stats().pids) void watchMemory(pid);
    }, 5);
    const ownBytes = process.memoryUsage.rss();
    const attack = async (jsonata: string, index: number) => {
      const result = await run(
        { rules: [{ target: "a", from: { jsonata } }] },
        input,
        depsOf(`bad ${index}`),
      );
      return codes(result)[0];
    };
    const first = await Promise.all(hostile.map(attack));
    // Known by now: whoever failed by time or memory shares one process with its like.
    const state = { isOver: false };
    const second = Promise.all(hostile.map(attack)).finally(() => (state.isOver = true));
    let mapped = 0;
    while (!state.isOver) {
      // oxlint-disable-next-line no-await-in-loop -- one document after the other, as a consumer has them
      const result = await good.run({ x: mapped });
      expect(result).toEqual({ ok: true, document: { a: mapped * 2 } });
      mapped++;
    }
    clearInterval(watch);
    await pool.close();
    // The pattern is searched in linear time: it simply does not match.
    const expected = hostile.map((jsonata) => (jsonata.startsWith("$contains") ? "ok" : "expression_failed"));
    expect([first, await second]).toEqual([expected, expected]);
    expect(mapped).toBeGreaterThan(100);
    expect(peakBytes).toBeLessThan(500 * MIB);
    expect(process.memoryUsage.rss() - ownBytes).toBeLessThan(300 * MIB);
  }, 60_000);
});
