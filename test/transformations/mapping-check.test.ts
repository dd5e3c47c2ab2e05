import { describe, expect, test } from "bun:test";
import { checkMapping } from "../../src/domain/transformations/mapping/check-mapping.ts";
import {
  compileMapping,
  MappingRulesError,
} from "../../src/domain/transformations/mapping/compile-mapping.ts";
import { coverMapping } from "../../src/domain/transformations/mapping/cover-mapping.ts";
import type { MappingCheckOptions } from "../../src/domain/transformations/mapping/mapping-result.ts";
import type { MappingRules, ValidationRules } from "../../src/domain/transformations/mapping/rules.ts";
import { suggestMapping } from "../../src/domain/transformations/mapping/suggest-mapping.ts";
import { compileValidation } from "../../src/domain/transformations/mapping/validation.ts";

const found = async (rules: unknown, options: MappingCheckOptions = {}) =>
  (await checkMapping(rules, options)).map(({ code, rule }) => `${code} ${rule}`);

const ofRule = (from: unknown) => found({ rules: [{ target: "a", from }] });

describe("checkMapping()", () => {
  test("tells what is wrong with rules whose form as a whole is wrong too, and of a rule all that is", async () => {
    const rules = {
      mode: "combine",
      surprise: 1,
      tables: { t: [], u: { a: 1 } },
      rules: [
        { target: "a..b", from: "x[", when: { call: "nope" } },
        { from: "y[" },
        { target: "c", remove: true },
        { target: "d", from: { lookup: "x", table: "u" } },
        { target: "e", from: { jsonata: "$x" }, blank: "none" },
      ],
    };
    const expressions: string[] = [];
    const faults = await checkMapping(rules, {
      checkExpression: async (expression) => {
        expressions.push(expression);
        return { ok: true };
      },
    });
    expect(faults.map(({ code, rule }) => `${code} ${rule}`).sort()).toEqual([
      "invalid_path /rules/0/from",
      "invalid_path /rules/1/from",
      "invalid_rule /mode",
      "invalid_rule /rules/1/target",
      "invalid_rule /rules/4/blank",
      "invalid_rule /surprise",
      "invalid_rule /tables/t",
      "invalid_target /rules/0/target",
      "unknown_function /rules/0/when/call",
    ]);
    expect(faults.find(({ rule }) => rule === "/mode")!.message).toBe("mode must be one of build, merge");
    expect(expressions).toEqual(["$x"]);
    const validationRules = {
      input: { type: "nope" },
      surprise: 1,
      rules: [
        { on: "nowhere", check: true, message: "m" },
        { on: "input", check: { call: "nope" }, message: "m" },
      ],
    };
    expect(
      await found({ rules: [] }, { validationRules: validationRules as unknown as ValidationRules }),
    ).toEqual([
      "invalid_rule /surprise",
      "invalid_rule /rules/0/on",
      "invalid_schema /input",
      "unknown_function /rules/1/check/call",
    ]);
  });

  test("tells every fault at once, by pointer", async () => {
    const rules = {
      tables: { t: { a: [1] } },
      rules: [
        { target: "a", from: { call: "uper", args: ["x"] } },
        { target: "b", from: { call: "substring", args: ["x"] } },
        { target: "b.c", from: "x" },
        { target: "d", from: "x[" },
        { target: "e[*]", from: "x" },
        { target: "__proto__.f", from: "x" },
        { target: "g", from: { lookup: "x", table: "nowhere" } },
        { target: "h", from: { call: "matches", args: ["x", { value: "(?=a)" }] } },
        { target: "i", from: { mapping: "other" } },
        { target: "j" },
        { target: "k", from: "x", unknown: 1 },
        { target: "l", from: { each: "x", do: { object: [{ target: "m", from: "$parent.$parent.y" }] } } },
        { target: "n", from: { path: "x", value: 1 } },
        { target: "o", from: null },
        { target: "p", remove: true },
        { target: "q", from: { lookup: "x", table: "t", reverse: true } },
        { target: "r", from: { call: "formatDate", args: ["x", "pattern"] } },
        { target: "s", from: { call: "parseDate", args: ["x", { value: "YYYY" }, { value: "Mars/Base" }] } },
        { target: "t", from: { call: "round", args: ["x", 2, { value: "sideways" }] } },
        { from: "x" },
        "text",
      ],
    };
    expect(await found(rules)).toEqual([
      "unknown_function /rules/0/from/call",
      "wrong_argument_count /rules/1/from/args",
      "target_conflict /rules/2/target",
      "invalid_path /rules/3/from",
      "invalid_target /rules/4/target",
      "invalid_target /rules/5/target",
      "unknown_table /rules/6/from/table",
      "invalid_pattern /rules/7/from/args",
      "unknown_mapping /rules/8/from",
      "invalid_rule /rules/9",
      "invalid_rule /rules/10/unknown",
      "invalid_path /rules/11/from/do/object/0/from",
      "invalid_rule /rules/12/from",
      "invalid_rule /rules/13/from",
      "invalid_rule /rules/14/remove",
      "invalid_table /rules/15/from/table",
      "invalid_argument /rules/16/from/args/1",
      "invalid_argument /rules/17/from/args",
      "invalid_argument /rules/18/from/args/2",
      "invalid_rule /rules/19/target",
      "invalid_rule /rules/20",
    ]);
    expect(() => compileMapping(rules as MappingRules)).toThrow(MappingRulesError);
  });

  test("says what was most likely meant", async () => {
    const messages = await checkMapping({
      rules: [
        { target: "a", from: { call: "uper", args: ["x"] } },
        { target: "b", from: { lookup: "x", table: "loadstatus.fromX12" } },
        { target: "c", from: { call: "substring", args: ["x"] } },
      ],
    });
    expect(messages.map(({ message }) => message)).toEqual([
      'There is no function "uper"; did you mean upper?',
      'There is no table "loadstatus.fromX12"; did you mean loadStatus.fromX12?',
      "substring(text, start, length?) does not take 1 arguments",
    ]);
  });

  test("takes rules of any form without failing itself", async () => {
    for (const rules of [
      undefined,
      null,
      1,
      "x",
      [],
      {},
      { rules: {} },
      { rules: [null] },
      { rules: [{ target: 1 }] },
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await checkMapping(rules)).length).toBeGreaterThan(0);
    }
    expect(await found({ rules: [] })).toEqual([]);
    expect(await found({ rules: [], other: 1 })).toEqual(["invalid_rule /other"]);
    expect(await ofRule({ constructor: 1 })).toEqual(["invalid_rule /rules/0/from"]);
    expect(await ofRule({ call: "constructor" })).toEqual(["unknown_function /rules/0/from/call"]);
    expect(await ofRule({ lookup: "x", table: "constructor" })).toEqual([
      "unknown_table /rules/0/from/table",
    ]);
  });

  test("refuses paths that look outside the record of a streamed document", async () => {
    const rules = (from: unknown) => ({ recordPath: "orders.order", rules: [{ target: "a", from }] });
    expect(await found(rules("id"))).toEqual([]);
    expect(await found(rules("$number"))).toEqual([]);
    expect(await found(rules({ each: "lines", do: "$parent.id" }))).toEqual([]);
    expect(await found(rules("$root.sender"))).toEqual(["outside_record /rules/0/from"]);
    expect(await found(rules("$parent.sender"))).toEqual(["outside_record /rules/0/from"]);
    expect(await found(rules({ each: "lines", do: "$parent.$parent.x" }))).toEqual([
      "outside_record /rules/0/from/do",
    ]);
    expect(await found({ recordPath: "a[0].b", rules: [] })).toEqual(["invalid_path /recordPath"]);
    expect(await found({ recordPath: "$root", rules: [] })).toEqual(["invalid_path /recordPath"]);
    expect(await found({ recordPath: "[*]", rules: [] })).toEqual([]);
  });

  test("finds cycles among mappings, and faults inside them", async () => {
    const templates: Record<string, MappingRules> = {
      one: { rules: [{ target: "x", from: { mapping: "two" } }] },
      two: { rules: [{ target: "x", from: { mapping: "one" } }] },
      self: { rules: [{ target: "x", from: { mapping: "self" } }] },
      broken: { rules: [{ target: "x", from: { call: "nope" } }] },
    };
    const resolveMapping = (code: string) => templates[code];
    const at = (mapping: string, code?: string) =>
      found(
        { rules: [{ target: "a", from: { mapping } }] },
        { resolveMapping, ...(code === undefined ? {} : { code }) },
      );
    expect(await at("one")).toEqual(["mapping_cycle /rules/0/from"]);
    expect(await at("self")).toEqual(["mapping_cycle /rules/0/from"]);
    expect(await at("me", "me")).toEqual(["mapping_cycle /rules/0/from"]);
    expect(await at("broken")).toEqual(["unknown_function /rules/0/from"]);
    const [fault] = await checkMapping(
      { rules: [{ target: "a", from: { mapping: "broken" } }] },
      { resolveMapping },
    );
    expect(fault?.message).toBe('There is no function "nope" (in broken/rules/0/from/call)');
  });

  test("bounds what a template can grow to", async () => {
    let deep: unknown = "x";
    for (let level = 0; level < 60; level++) deep = { concat: [deep] };
    expect(await ofRule(deep)).toEqual([expect.stringMatching(/^too_large /)]);
    const many = Array.from({ length: 300 }, (_, index) => ({
      target: `r${index}`,
      from: { concat: Array.from({ length: 100 }, () => "x") },
    }));
    expect(await found({ rules: many })).toEqual([expect.stringMatching(/^too_large /)]);
    // Sixteen templates that call the next one twice each: 65,536 calls if nobody counted.
    const startMs = performance.now();
    const resolveMapping = (code: string): MappingRules => ({
      rules: ["a", "b"].map((target) => ({ target, from: { mapping: `m${Number(code.slice(1)) + 1}` } })),
    });
    const faults = await found({ rules: [{ target: "x", from: { mapping: "m0" } }] }, { resolveMapping });
    expect(faults.some((fault) => fault.startsWith("too_large"))).toBe(true);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    const entries = Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`k${index}`, 1]));
    expect(await found({ tables: { t: entries }, rules: [] })).toEqual(["too_large /tables/t"]);
  });

  test("has JSONata expressions compiled, and validation rules checked", async () => {
    const checkExpression = async (expression: string) =>
      expression === "a +"
        ? ({ ok: false, message: "Unexpected end", position: 3 } as const)
        : ({ ok: true } as const);
    const rules = {
      rules: [
        { target: "a", from: { each: "x", do: { jsonata: "a +" } } },
        { target: "b", from: { jsonata: "a" } },
      ],
    };
    expect(await checkMapping(rules, { checkExpression })).toEqual([
      {
        code: "invalid_expression",
        message: "Unexpected end (at character 3)",
        rule: "/rules/0/from/do/jsonata",
      },
    ]);
    const validationRules = {
      input: { type: "object", properties: { a: { pattern: "(?=x)" } } },
      rules: [
        { on: "input", check: { call: "nope" }, message: "m" },
        { on: "output", check: { jsonata: "a" }, message: "m" },
        { on: "sideways", check: true, message: "m" },
      ],
    };
    expect(
      await found({ rules: [] }, { validationRules: validationRules as unknown as ValidationRules }),
    ).toEqual([
      "invalid_rule /rules/2/on",
      "invalid_schema /input",
      "unknown_function /rules/0/check/call",
      "invalid_expression /rules/1/check/jsonata",
    ]);
    validationRules.rules.pop();
    const faults = await checkMapping(
      { rules: [] },
      { validationRules: validationRules as unknown as ValidationRules },
    );
    expect(faults.map(({ code, rule, part }) => [code, rule, part])).toEqual([
      ["invalid_schema", "/input", "validation"],
      ["unknown_function", "/rules/0/check/call", "validation"],
      ["invalid_expression", "/rules/1/check/jsonata", "validation"],
    ]);
  });
});

describe("compileValidation()", () => {
  const validation = compileValidation({
    input: {
      type: "object",
      required: ["id", "stops"],
      properties: {
        id: { type: "string", pattern: "^L" },
        stops: { type: "array", items: { type: "object", required: ["city"] } },
        weight: { type: "number", maximum: 100 },
      },
    },
    rules: [
      {
        on: "input",
        check: { call: "atLeast", args: [{ call: "count", args: ["stops"] }, 2] },
        path: "stops",
        message: "A load has two stops",
      },
      {
        on: "input",
        each: "stops",
        check: { call: "hasValue", args: ["date"] },
        message: "A stop needs its date",
      },
      {
        on: "output",
        check: { call: "equals", args: ["total", { call: "sum", args: ["lines[*].amount"] }] },
        message: "The total is wrong",
      },
    ],
  });

  test("tells every fault of either side with its place", () => {
    expect(
      validation.checkInput({
        id: "L1",
        stops: [
          { city: "A", date: "d" },
          { city: "B", date: "d" },
        ],
      }),
    ).toEqual([]);
    const faults = validation.checkInput({ id: "X", weight: 101, stops: [{}] });
    expect(faults.map(({ code, rule, source, part }) => [code, rule, source, part])).toEqual([
      ["schema_mismatch", "/input", "/id", "validation"],
      ["schema_mismatch", "/input", "/stops/0/city", "validation"],
      ["schema_mismatch", "/input", "/weight", "validation"],
      ["rule_violated", "/rules/0", "/stops", "validation"],
      ["rule_violated", "/rules/1", "/stops/0/date", "validation"],
    ]);
    expect(validation.checkOutput({ total: "0.3", lines: [] })).toMatchObject([
      { message: "The total is wrong", target: "/total" },
    ]);
    expect(validation.checkOutput({ total: 0.3, lines: [{ amount: 0.1 }, { amount: "0.2" }] })).toEqual([]);
    expect(validation.checkOutput({ total: 1, lines: [{ amount: "x" }] })).toMatchObject([
      { code: "rule_violated", message: expect.stringContaining("The total is wrong (") },
    ]);
  });

  test("tells a hundred faults at most, and of a large document the first", () => {
    expect(validation.checkInput({ id: "L", stops: Array.from({ length: 1_000 }, () => ({})) })).toHaveLength(
      100,
    );
    const large = Array.from({ length: 20_000 }, () => ({ date: "d" }));
    expect(validation.checkInput({ id: "L", stops: large })).toMatchObject([{ source: "/stops/0/city" }]);
  });
});

describe("suggestMapping()", () => {
  test("finds the mapping between two samples of the same content", async () => {
    const source = {
      Shipment: { ShipmentNumber: "SH-88123", EquipCode: "RT", GrossWt: "42150", PickupDate: "20260316" },
      Consignee: { Name: "FRESH FOODS DC", Zip: "38118", St: "TN" },
      Items: [
        { Sku: "A-100", Qty: "12", Desc: "APPLES" },
        { Sku: "B-200", Qty: "7", Desc: "BERRIES" },
      ],
      Refs: ["PO-1", "PO-2"],
    };
    const target = {
      loadId: "SH-88123",
      equipment: "REEFER",
      weight: 42150,
      pickup: { date: "2026-03-16" },
      receiver: { name: "Fresh Foods Dc", postalCode: "38118", region: "TN" },
      lines: [
        { sku: "A-100", quantity: 12, description: "apples" },
        { sku: "B-200", quantity: 7, description: "berries" },
      ],
      references: ["PO-1", "PO-2"],
      secret: "nothing like it",
    };
    const { rules, matches, unmatchedTargets } = suggestMapping(source, target);
    expect(await checkMapping(rules)).toEqual([]);
    const { secret: _, ...rest } = target;
    expect(compileMapping(rules).run(source)).toEqual({ ok: true, document: rest });
    expect(unmatchedTargets).toEqual(["secret"]);
    expect(matches.every(({ confidence }) => confidence >= 0.5 && confidence <= 1)).toBe(true);
  });

  test("takes samples of any form", () => {
    for (const sample of [null, 1, "x", [], {}, [[1]], { a: [] }, { a: { b: null } }]) {
      for (const other of [null, [], { a: [{}] }, { a: { b: 1 } }])
        expect(suggestMapping(sample, other).rules.rules).toBeArray();
    }
  });
});

describe("coverMapping()", () => {
  test("tells unused fields of the source and unmapped ones of the target", () => {
    const rules: MappingRules = {
      rules: [
        { target: "id", from: "a.id" },
        {
          target: "lines",
          from: {
            each: "lines",
            where: { call: "hasValue", args: ["sku"] },
            do: { object: [{ target: "n", from: { concat: ["qty", "$root.a.unit"] } }] },
          },
        },
        {
          target: "groups",
          from: {
            group: "lines",
            by: "po",
            do: { object: [{ target: "w", from: { call: "sum", args: ["items[*].weight"] } }] },
          },
        },
        {
          target: "note",
          from: { jsonata: "$uppercase(remarks)" },
          when: { call: "exists", args: ["flag"] },
        },
        { target: "extra", from: { value: 1 } },
      ],
    };
    const coverage = coverMapping(rules, {
      sourceSample: {
        a: { id: 1, unit: "kg", other: 2 },
        lines: [{ sku: "s", qty: 1, po: "p", weight: 1 }, { color: "red" }],
        remarks: "r",
        flag: true,
        unread: { deep: [1] },
      },
      targetSchema: {
        type: "object",
        additionalProperties: false,
        required: ["id", "status", "party"],
        properties: {
          id: {},
          status: {},
          note: {},
          name: {},
          groups: {},
          party: { type: "object", required: ["code"], properties: { code: {} } },
          option: { type: "object", required: ["x"], properties: { x: {} } },
          lines: { type: "array", items: { $ref: "#/$defs/line" } },
        },
        $defs: { line: { type: "object", required: ["n", "m"], properties: { n: {}, m: {} } } },
      },
    });
    expect(coverage).toEqual({
      unusedSource: ["a.other", "lines[*].color", "unread.deep[*]"],
      sourceFields: 11,
      targets: ["id", "lines.n", "groups.w", "note", "extra"],
      unmappedRequired: ["status", "party", "party.code", "lines[*].m"],
      unmappedOptional: ["name", "option"],
      unknownTargets: ["extra"],
    });
    expect(coverMapping({ mode: "merge", rules: [] }, { sourceSample: { a: 1 } }).unusedSource).toEqual([]);
  });
});
