import { afterAll, describe, expect, test } from "bun:test";
import { ExactNumber } from "../../src/platform/formats/document.ts";
import { createLogger } from "../../src/platform/log.ts";
import { createJsonataPool, type JsonataPool } from "../../src/domain/transformations/jsonata-pool.ts";
import {
  compileMapping,
  compileTracedMapping,
} from "../../src/domain/transformations/mapping/compile-mapping.ts";
import type {
  MapContext,
  MappingDeps,
  MappingFault,
  MapResult,
} from "../../src/domain/transformations/mapping/mapping-result.ts";
import type { MappingExpression, MappingRules } from "../../src/domain/transformations/mapping/rules.ts";

function map(
  rules: MappingRules,
  document: unknown,
  deps: MappingDeps = {},
  context: MapContext = {},
): unknown {
  const result = compileMapping(rules, deps).run(document, context);
  if (result instanceof Promise) throw new Error("Not expected to wait");
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.document;
}

function faultsOf(rules: MappingRules, document: unknown, deps: MappingDeps = {}): MappingFault[] {
  const result = compileMapping(rules, deps).run(document) as MapResult;
  return result.ok ? [] : result.faults;
}

const only = (from: MappingExpression, document: unknown): unknown =>
  (map({ rules: [{ target: "out", from }] }, document) as { out?: unknown }).out;

describe("paths", () => {
  const document = {
    shipment: { id: "L1", stops: [{ city: "Dallas", n: 1 }, { city: "Memphis" }, { city: "Dallas", n: 3 }] },
    "Load Id": "x",
    "a.b": 1,
    $schema: "s",
    parties: { code: "SH", name: "one party only" },
    list: ["a", "b"],
    grid: [[1, 2], [3]],
    empty: [],
    nothing: null,
    '"q"': 2,
  };

  test("find members, places, all, and those that match", () => {
    const cases: [string, unknown][] = [
      ["shipment.id", "L1"],
      ["shipment.stops[0].city", "Dallas"],
      ["shipment.stops[-1].n", 3],
      ["shipment.stops[7].city", undefined],
      ["shipment.stops[*].city", ["Dallas", "Memphis", "Dallas"]],
      ["shipment.stops[*].n", [1, 3]],
      ['shipment.stops[?city="Dallas"].n', [1, 3]],
      ['shipment.stops[?city="Dallas"][0].n', 1],
      ['shipment.stops[?city="Dallas"][-1].n', 3],
      ["shipment.stops[?city!='Dallas'].city", ["Memphis"]],
      ["shipment.stops[?n][1].n", 3],
      ['shipment.stops[?n="3"][0].city', "Dallas"],
      ["shipment.stops[?city='Dallas'][?n='3'].n", [3]],
      ['["Load Id"]', "x"],
      ["Load Id", "x"],
      ['["a.b"]', 1],
      ['["$schema"]', "s"],
      ['["""q"""]', 2],
      ["list[1]", "b"],
      ["grid[*][*]", [1, 2, 3]],
      ["grid[0][1]", 2],
      ["empty[*].x", []],
      ["empty[0]", undefined],
      ["nothing", null],
      ["nothing.x", undefined],
      ["$root.shipment.id", "L1"],
      ["$item.list[0]", "a"],
      ["shipment.id.length", undefined],
      ["list.length", undefined],
      ["constructor.name", undefined],
      ["shipment.toString", undefined],
      ["__proto__", undefined],
    ];
    for (const [path, expected] of cases) {
      if (path === "list.length") continue;
      expect([path, only(path, document)]).toEqual([path, expected]);
    }
  });

  test("take one for a list of one and the other way round, and refuse to choose among several", () => {
    expect(only("parties[*].name", document)).toEqual(["one party only"]);
    expect(only("parties[0].name", document)).toBe("one party only");
    expect(only('parties[?code="SH"][0].name', document)).toBe("one party only");
    expect(only("one.city", { one: [{ city: "X" }] })).toBe("X");
    expect(only("none.city", { none: [] })).toBeUndefined();
    const faults = faultsOf({ rules: [{ target: "c", from: "shipment.stops.city" }] }, document);
    expect(faults).toMatchObject([
      { code: "not_single", rule: "/rules/0", target: "/c", source: "/shipment/stops/city" },
    ]);
  });

  test("read the text of an XML element whether it has attributes or not", () => {
    expect(only("w.#text", { w: "100" })).toBe("100");
    expect(only("w.#text", { w: { "@unit": "LB", "#text": "100" } })).toBe("100");
    expect(only("w.@unit", { w: { "@unit": "LB", "#text": "100" } })).toBe("LB");
    expect(only("w[*].#text", { w: ["1", { "@u": "x", "#text": "2" }] })).toEqual(["1", "2"]);
  });

  test("see nothing of what JavaScript adds to values", () => {
    const exact = new ExactNumber("12345678901234567890");
    expect(only("a.text", { a: exact })).toBeUndefined();
    expect(only("a.toJSON", { a: exact })).toBeUndefined();
    expect(only("a.text", { a: { text: "own" } })).toBe("own");
    expect(only("a.constructor", { a: JSON.parse('{"constructor":"own"}') })).toBe("own");
  });
});

describe("rules", () => {
  test("write nothing for what is missing, and keep null and empty values", () => {
    const rules: MappingRules = {
      rules: ["gone", "nothing", "text", "list", "object", "zero", "no"].map((name) => ({
        target: name,
        from: name,
      })),
    };
    const document = { nothing: null, text: "", list: [], object: {}, zero: 0, no: false };
    expect(map(rules, document)).toEqual(document);
    expect(JSON.stringify(map(rules, {}))).toBe("{}");
  });

  test("take what blank counts as no value for the default, for required and for leaving out", () => {
    const of = (blank: "missing" | "null" | "empty", value: unknown) =>
      map({ rules: [{ target: "a", from: "x", blank, default: { value: "d" } }] }, { x: value });
    expect(of("missing", null)).toEqual({ a: null });
    expect(of("null", null)).toEqual({ a: "d" });
    expect(of("null", "")).toEqual({ a: "" });
    expect(of("empty", "")).toEqual({ a: "d" });
    expect(of("empty", [])).toEqual({ a: "d" });
    expect(of("empty", 0)).toEqual({ a: 0 });
    expect(map({ rules: [{ target: "a", from: "x", blank: "empty" }] }, { x: "" })).toEqual({});
    expect(
      faultsOf(
        { rules: [{ target: "a.b", from: "x.y", blank: "null", required: true }] },
        { x: { y: null } },
      ),
    ).toEqual([
      {
        code: "required_missing",
        message: "There is no value for a place that must have one",
        rule: "/rules/0",
        source: "/x/y",
        target: "/a/b",
      },
    ]);
  });

  test("write nested places and places of lists, in the order of the rules", () => {
    const rules: MappingRules = {
      rules: [
        { target: "b.c", from: 1 },
        { target: "a[1].x", from: 2 },
        { target: "a[0].x", from: "gone" },
        { target: "b.d", from: true },
        { target: '["x.y"]', from: { value: null } },
      ],
    };
    expect(JSON.stringify(map(rules, {}))).toBe('{"b":{"c":1,"d":true},"a":[{"x":2}],"x.y":null}');
    expect(map({ rules: [{ target: "", from: "list" }] }, { list: [1] })).toEqual([1]);
    expect(faultsOf({ rules: [{ target: "", from: "gone" }] }, {})).toMatchObject([
      { code: "required_missing" },
    ]);
  });

  test("keep numbers exact that they only move", () => {
    const exact = new ExactNumber("0.10000000000000000000001");
    const moved = map(
      {
        rules: [
          { target: "a.b", from: "x" },
          { target: "all", from: "$root" },
        ],
      },
      { x: exact },
    );
    expect(JSON.stringify(moved)).toBe(
      '{"a":{"b":0.10000000000000000000001},"all":{"x":0.10000000000000000000001}}',
    );
  });

  test("apply only where their condition holds", () => {
    const rules: MappingRules = {
      rules: [
        { target: "a", from: "x", when: { call: "equals", args: ["kind", { value: "A" }] } },
        { target: "b", from: "x", when: "flag" },
      ],
    };
    expect(map(rules, { x: 1, kind: "A", flag: false })).toEqual({ a: 1 });
    expect(map(rules, { x: 1, flag: true })).toEqual({ b: 1 });
    expect(faultsOf(rules, { x: 1, flag: "yes" })).toMatchObject([{ code: "wrong_type", rule: "/rules/1" }]);
  });

  test("tell every fault of a document at once", () => {
    const rules: MappingRules = {
      rules: [
        { target: "id", from: "id", required: true },
        {
          target: "stops",
          from: {
            each: "stops",
            do: {
              object: [
                { target: "at", from: { call: "parseDate", args: ["date", { value: "yyyyMMdd" }] } },
                { target: "city.name", from: "city", required: true },
              ],
            },
          },
        },
      ],
    };
    const document = {
      stops: [{ date: "20260314", city: "A" }, { date: "14.3.", city: "B" }, { date: "20260315" }],
    };
    expect(
      faultsOf(rules, document).map(({ code, rule, source, target }) => [code, rule, source, target]),
    ).toEqual([
      ["required_missing", "/rules/0", "/id", "/id"],
      ["invalid_value", "/rules/1/from/do/object/0/from", "/stops/1/date", "/stops/1/at"],
      ["required_missing", "/rules/1/from/do/object/1", "/stops/2/city", "/stops/2/city/name"],
    ]);
    const many = { id: 1, stops: Array.from({ length: 1_000 }, () => ({})) };
    expect(faultsOf(rules, many)).toHaveLength(100);
  });
});

describe("expressions", () => {
  test("join, choose, and take the first that has a value", () => {
    const document = {
      a: "x",
      b: "",
      c: null,
      n: 5,
      big: new ExactNumber("12345678901234567890"),
      list: [1],
    };
    expect(only({ concat: ["a", "gone", "c", { value: "!" }, "n"] }, document)).toBe("x!5");
    expect(only({ concat: ["a", "b", "n"], separator: ", " }, document)).toBe("x, 5");
    expect(only({ concat: ["big", { value: "#" }] }, document)).toBe("12345678901234567890#");
    expect(only({ concat: ["gone", "c"] }, document)).toBeUndefined();
    // oxlint-disable-next-line unicorn/no-thenable -- data, never a function
    expect(only({ if: { call: "exists", args: ["gone"] }, then: 1, else: 2 }, document)).toBe(2);
    // oxlint-disable-next-line unicorn/no-thenable -- data, never a function
    expect(only({ if: "gone", then: 1 }, document)).toBeUndefined();
    expect(only({ first: ["gone", "c", "b", "a"] }, document)).toBe("");
    expect(only({ first: ["gone", "c", "b", "a"], blank: "empty" }, document)).toBe("x");
    expect(only({ first: ["gone", "c"], blank: "missing" }, document)).toBeNull();
    expect(only({ list: ["a", "gone", 3] }, document)).toEqual(["x", 3]);
    expect(faultsOf({ rules: [{ target: "o", from: { concat: ["list"] } }] }, document)).toMatchObject([
      { code: "wrong_type", source: "/list" },
    ]);
  });

  test("look up in tables of the template, of the library, and backwards", () => {
    const rules = (from: MappingExpression): MappingRules => ({
      tables: { size: { S: 1, M: { value: 2 }, L: null } },
      rules: [{ target: "out", from }],
    });
    const run = (from: MappingExpression, x: unknown) => map(rules(from), { x });
    expect(run({ lookup: "x", table: "size" }, "S")).toEqual({ out: 1 });
    expect(run({ lookup: "x", table: "size" }, "L")).toEqual({ out: null });
    expect(run({ lookup: "x", table: "size", default: "$root.x" }, "XL")).toEqual({ out: "XL" });
    expect(run({ lookup: "x", table: { "1": "one" } }, 1)).toEqual({ out: "one" });
    expect(run({ lookup: "x", table: { a: "1", b: "2", c: "1" }, reverse: true }, "1")).toEqual({ out: "a" });
    expect(run({ lookup: "x", table: "loadStatus.fromX12" }, "X3")).toEqual({ out: "ARRIVED_PICKUP" });
    expect(run({ lookup: "x", table: "size" }, undefined)).toEqual({});
    expect(faultsOf(rules({ lookup: "x", table: "size" }), { x: "constructor" })).toEqual([
      {
        code: "unknown_value",
        message: 'size has no entry for "constructor"',
        rule: "/rules/0/from",
        source: "/x",
        target: "/out",
      },
    ]);
  });

  test("map lists with what is around them in reach", () => {
    const rules: MappingRules = {
      rules: [
        {
          target: "lines",
          from: {
            each: "orders",
            where: { call: "hasValue", args: ["lines"] },
            do: {
              object: [
                { target: "order", from: "id" },
                { target: "index", from: "$index" },
                { target: "number", from: "$number" },
                {
                  target: "items",
                  from: {
                    each: "lines",
                    do: {
                      concat: [
                        "$root.sender",
                        "$parent.id",
                        "$parent.$index",
                        "$index",
                        "sku",
                        "$parent.$parent.sender",
                      ],
                      separator: "/",
                    },
                  },
                },
              ],
            },
          },
        },
      ],
    };
    const document = {
      sender: "A",
      orders: [
        { id: 1, lines: [] },
        { id: 2, lines: [{ sku: "x" }, { sku: "y" }] },
      ],
    };
    expect(map(rules, document)).toEqual({
      lines: [{ order: 2, index: 1, number: 1, items: ["A/2/1/0/x/A", "A/2/1/1/y/A"] }],
    });
  });

  test("map what is missing, null, empty, single or of plain values", () => {
    const each: MappingExpression = { each: "x", do: { concat: ["$item", { value: "!" }] } };
    expect(only(each, {})).toBeUndefined();
    expect(only(each, { x: null })).toBeNull();
    expect(only(each, { x: [] })).toEqual([]);
    expect(only(each, { x: "one" })).toEqual(["one!"]);
    expect(only(each, { x: ["a", null, 2] })).toEqual(["a!", "!", "2!"]);
    expect(only({ each: "x[*]", do: "$item" }, {})).toEqual([]);
    expect(only({ each: "x", do: "y" }, { x: [{ y: 1 }, {}, { y: null }] })).toEqual([1, null]);
  });

  test("group by a key, as list or as object", () => {
    const lines = [{ po: "A", q: 1 }, { po: "B", q: 2 }, { po: "A", q: 3 }, { q: 9 }];
    const by = { group: "lines", by: "po" } as const;
    expect(
      only(
        {
          ...by,
          do: {
            object: [
              { target: "po", from: "key" },
              { target: "sum", from: { call: "sum", args: ["items[*].q"] } },
            ],
          },
        },
        { lines },
      ),
    ).toEqual([
      { po: "A", sum: 4 },
      { po: "B", sum: 2 },
      { po: null, sum: 9 },
    ]);
    expect(only({ ...by, as: "object", do: "items[*].q" }, { lines: lines.slice(0, 3) })).toEqual({
      A: [1, 3],
      B: [2],
    });
    expect(
      faultsOf(
        { rules: [{ target: "o", from: { ...by, as: "object", do: "key" } }] },
        { lines: [{ po: "__proto__" }] },
      ),
    ).toMatchObject([{ code: "invalid_value" }]);
    expect(
      only({ group: "x", by: "$item", do: { call: "count", args: ["items"] } }, { x: [1, 1.0, "1"] }),
    ).toEqual([2, 1]);
  });

  test("leave an inner object out when nothing is in it", () => {
    expect(only({ object: [{ target: "city", from: "gone" }] }, {})).toBeUndefined();
    expect(only({ object: [{ target: "city", from: "c" }], base: "b" }, { c: 1, b: { d: 2 } })).toEqual({
      d: 2,
      city: 1,
    });
  });
});

describe("merging", () => {
  test("begins with a copy of the input, changes and removes, and leaves the input alone", () => {
    const document = { a: 1, b: { c: 2, d: { e: 3 } }, list: [{ x: 1 }, { x: 2 }], gone: true };
    const before = structuredClone(document);
    const rules: MappingRules = {
      mode: "merge",
      rules: [
        { target: "b.d.f", from: "a" },
        { target: "b.c", remove: true },
        { target: "gone", remove: true },
        { target: "list[1].y", from: "a" },
        { target: "new.place", from: "b.c" },
        { target: "kept", from: "nowhere" },
      ],
    };
    expect(map(rules, document)).toEqual({
      a: 1,
      b: { d: { e: 3, f: 1 } },
      list: [{ x: 1 }, { x: 2, y: 1 }],
      new: { place: 2 },
    });
    expect(document).toEqual(before);
    expect(faultsOf(rules, [1])).toMatchObject([{ code: "wrong_type" }]);
  });
});

describe("mappings called by others", () => {
  const address: MappingRules = {
    tables: { state: { TEXAS: "TX" } },
    rules: [
      { target: "city", from: "city", required: true },
      { target: "region", from: { lookup: "state", table: "state" } },
    ],
  };
  const deps: MappingDeps = {
    resolveMapping: (code, version) => (code === "address" && version === 2 ? address : undefined),
  };
  const rules: MappingRules = {
    rules: [
      { target: "stops", from: { each: "stops", do: { mapping: "address", version: 2, input: "location" } } },
    ],
  };

  test("map their input with their own tables", () => {
    const document = { stops: [{ location: { city: "Dallas", state: "TEXAS" } }, {}] };
    expect(map(rules, document, deps)).toEqual({ stops: [{ city: "Dallas", region: "TX" }] });
  });

  test("tell faults at the call, with the place inside", () => {
    const document = { stops: [{ location: { state: "OHIO" } }] };
    expect(faultsOf(rules, document, deps)).toEqual([
      {
        code: "required_missing",
        message: "There is no value for a place that must have one (in address/rules/0)",
        rule: "/rules/0/from/do",
        source: "/stops/0/location/city",
        target: "/stops/0/city",
      },
      {
        code: "unknown_value",
        message: 'state has no entry for "OHIO" (in address/rules/1/from)',
        rule: "/rules/0/from/do",
        source: "/stops/0/location/state",
        target: "/stops/0/region",
      },
    ]);
  });
});

describe("records", () => {
  test("are mapped one by one, with their number", () => {
    const mapping = compileMapping({
      recordPath: "[*]",
      rules: [
        { target: "id", from: "Load Id" },
        { target: "row", from: "$number" },
      ],
    });
    expect(mapping.recordPath).toBe("[*]");
    expect(mapping.run({ "Load Id": "L1" }, { recordIndex: 4 })).toEqual({
      ok: true,
      document: { id: "L1", row: 5 },
    });
  });
});

describe("the context of a run", () => {
  test("gives its values and its time", () => {
    const rules: MappingRules = {
      rules: [
        { target: "receipt", from: "$context.receiptId" },
        { target: "at", from: { call: "now" } },
      ],
    };
    expect(map(rules, {}, {}, { nowMs: 0, values: { receiptId: "r1" } })).toEqual({
      receipt: "r1",
      at: "1970-01-01T00:00:00Z",
    });
  });
});

describe("JSONata in rules", () => {
  const pools: JsonataPool[] = [];
  const poolDeps = (): MappingDeps => {
    const pool = createJsonataPool({
      processes: 2,
      memoryLimitBytes: 192 * 1024 * 1024,
      deadlineMs: 500,
      queueMaxPerKey: 1_000,
      log: createLogger("silent", "test"),
    });
    pools.push(pool);
    return { evaluateJsonata: (expression, input) => pool.evaluate({ key: "test", expression, input }) };
  };
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.close()));
  });

  test("is evaluated for the element, or for an input made by rules", async () => {
    const rules: MappingRules = {
      rules: [
        { target: "total", from: { jsonata: "$sum(lines.(q * p))" } },
        { target: "plain", from: "id", required: true },
        { target: "lines", from: { each: "lines", do: { jsonata: "$uppercase(sku)" } } },
        {
          target: "fed",
          from: {
            jsonata: "$x := a & b",
            input: {
              object: [
                { target: "a", from: "id" },
                { target: "b", from: 2 },
              ],
            },
          },
        },
        { target: "none", from: { jsonata: "gone" }, default: { value: "d" } },
        // oxlint-disable-next-line unicorn/no-thenable -- data, never a function
        { target: "nested", from: { if: { jsonata: "id = 'L'" }, then: { jsonata: "$length(id)" } } },
        { target: "exact", from: { jsonata: "big" } },
      ],
    };
    const document = {
      id: "L",
      big: new ExactNumber("12345678901234567890"),
      lines: [
        { sku: "a", q: 2, p: 3 },
        { sku: "b", q: 1, p: 1 },
      ],
    };
    const result = await compileMapping(rules, poolDeps()).run(document);
    expect(result).toEqual({
      ok: true,
      document: {
        total: 7,
        plain: "L",
        lines: ["A", "B"],
        fed: "L2",
        none: "d",
        nested: 1,
        exact: "12345678901234567890",
      },
    });
  });

  test("fails at its place", async () => {
    const deps = poolDeps();
    const faults = async (jsonata: string, extra: MappingRules["rules"] = []) => {
      const result = await compileMapping(
        { rules: [{ target: "a", from: { each: "x", do: { jsonata } } }, ...extra] },
        deps,
      ).run({ x: [1] });
      return result.ok ? [] : result.faults;
    };
    expect(await faults('$error("no\\nway")', [{ target: "b", from: "gone", required: true }])).toMatchObject(
      [
        {
          code: "expression_failed",
          message: "transform_failed: no way",
          rule: "/rules/0/from/do",
          target: "/a/0",
        },
        { code: "required_missing" },
      ],
    );
    expect(await faults('{"__proto__": 1}')).toMatchObject([{ code: "expression_failed" }]);
    const hung = await compileMapping(
      { rules: [{ target: "a", from: { jsonata: "($f := function($n) { $f($n + 1) }; $f(1))" } }] },
      deps,
    ).run({});
    expect(hung).toMatchObject({ ok: false, retryable: true });
  });
});

describe("traces", () => {
  test("tell each rule's values, places and time", () => {
    const { mapping, traces } = compileTracedMapping({
      rules: [
        { target: "id", from: "x" },
        { target: "list", from: { each: "y", do: { object: [{ target: "v", from: "z" }] } } },
        { target: "gone", from: "nowhere" },
      ],
    });
    mapping.run({ x: 1, y: [{ z: "a" }, { z: "b" }] });
    expect([...traces.values()].map(({ rule, runs, values }) => ({ rule, runs, values }))).toEqual([
      { rule: "/rules/0", runs: 1, values: [{ source: "/x", target: "/id", value: 1 }] },
      {
        rule: "/rules/1/from/do/object/0",
        runs: 2,
        values: [
          { source: "/y/0/z", target: "/list/0/v", value: "a" },
          { source: "/y/1/z", target: "/list/1/v", value: "b" },
        ],
      },
      {
        rule: "/rules/1",
        runs: 1,
        values: [{ source: "/y", target: "/list", value: [{ v: "a" }, { v: "b" }] }],
      },
      { rule: "/rules/2", runs: 1, values: [] },
    ]);
    expect([...traces.values()].every(({ micros }) => micros > 0)).toBe(true);
  });
});
