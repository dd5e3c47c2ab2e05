import { describe, expect, test } from "bun:test";
import { compileFilter } from "../../src/domain/subscriptions/event-filter.ts";

const DATA = {
  status: "NEW",
  total: 12.5,
  paid: false,
  note: null,
  none: [],
  tags: ["cold", "fragile"],
  stops: [
    { city: "Kyiv", n: 1 },
    { city: "Lviv", n: 2 },
  ],
};

function matches(filter: unknown, data: unknown = DATA): boolean {
  const compiled = compileFilter(filter);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.test({ id: "e1", type: "order.created", orderingKey: "K", data: () => data });
}

function faults(filter: unknown): string[] {
  const compiled = compileFilter(filter);
  return compiled.ok ? [] : compiled.errors.map(({ path }) => path);
}

describe("compileFilter()", () => {
  test.each<[object, boolean]>([
    [{}, true],
    [{ "data.status": "NEW" }, true],
    [{ "data.status": "OLD" }, false],
    [{ "data.status": { $eq: "NEW" }, "data.total": { $gt: 12, $lte: 12.5 } }, true],
    [{ "data.total": { $lt: 12 } }, false],
    [{ "data.total": { $gte: "1" } }, false],
    [{ "data.status": { $ne: "NEW" } }, false],
    [{ "data.missing": { $ne: "NEW" } }, true],
    [{ "data.status": { $in: ["SENT", "NEW"] } }, true],
    [{ "data.status": { $nin: ["SENT", "NEW"] } }, false],
    [{ "data.note": null }, true],
    [{ "data.missing": null }, false],
    [{ "data.note": { $exists: true }, "data.missing": { $exists: false } }, true],
    [{ "data.none": { $exists: true } }, true],
    [{ "data.none": { $not: { $exists: true } } }, false],
    [{ "data.none.x": { $exists: true } }, false],
    [{ "data.none": null }, false],
    [{ "data.status": { $startsWith: "N", $endsWith: "W", $contains: "E" } }, true],
    [{ "data.status": { $regex: "^(NEW|SENT)$" } }, true],
    [{ "data.tags": "cold" }, true],
    [{ "data.tags": { $nin: ["cold"] } }, false],
    [{ "data.stops.city": "Lviv" }, true],
    [{ "data.stops.1.city": "Kyiv" }, false],
    [{ "data.stops.n": { $gt: 1 } }, true],
    [{ $or: [{ "data.status": "X" }, { "data.paid": false }] }, true],
    [{ $and: [{ "data.status": "NEW" }, { "data.paid": true }] }, false],
    [{ $nor: [{ "data.status": "X" }] }, true],
    [{ $not: { "data.status": "NEW" } }, false],
    [{ "data.total": { $not: { $gt: 100 } } }, true],
    [{ type: "order.created", id: "e1", orderingKey: "K" }, true],
    [{ "data.constructor": { $exists: true } }, false],
    [{ "data.__proto__": { $exists: true } }, false],
  ])("%j is %p", (filter, expected) => {
    expect(matches(filter)).toBe(expected);
  });

  test("looks at data that is no object without an error", () => {
    for (const data of [null, 1, "x", [], [[1]]]) expect(matches({ "data.a.b": 1 }, data)).toBe(false);
    expect(matches({ data: 1 }, 1)).toBe(true);
  });

  test.each<[string, unknown, string]>([
    ["an unknown operator", { "data.a": { $where: "1" } }, "/filter/data.a/$where"],
    ["an unknown root", { status: "NEW" }, "/filter/status"],
    ["an empty step", { "data..a": 1 }, "/filter/data..a"],
    ["an empty condition", { "data.a": {} }, "/filter/data.a"],
    ["a list in $in that is none", { "data.a": { $in: 1 } }, "/filter/data.a/$in"],
    ["an object in $in", { "data.a": { $in: [{}] } }, "/filter/data.a/$in"],
    ["$gt of true", { "data.a": { $gt: true } }, "/filter/data.a/$gt"],
    ["a pattern that looks ahead", { "data.a": { $regex: "(?=a)" } }, "/filter/data.a/$regex"],
    [
      "a pattern that repeats too often",
      { "data.a": { $regex: "(a{1000}){1000}" } },
      "/filter/data.a/$regex",
    ],
    ["an empty $or", { $or: [] }, "/filter/$or"],
    ["$or of a text", { $or: ["x"] }, "/filter/$or/0"],
    ["no object", [1], "/filter"],
  ])("refuses %s with its path", (_name, filter, path) => {
    expect(faults(filter)).toEqual([path]);
  });

  test("refuses what is too deep, too long or has too many conditions", () => {
    let deep: object = { "data.a": 1 };
    for (let level = 0; level < 20; level++) deep = { $not: deep };
    expect(faults(deep).length).toBe(1);
    expect(faults({ "data.a": "x".repeat(20_000) })).toEqual(["/filter"]);
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`data.f${n}`, 1]));
    expect(faults(many).length).toBe(1);
  });

  test("searches hostile text in linear time", () => {
    expect(matches({ "data.a": { $regex: "^(a+)+$" } }, { a: `${"a".repeat(100_000)}!` })).toBe(true);
    expect(matches({ "data.a": { $regex: "(a|aa)+b" } }, { a: "a".repeat(100_000) })).toBe(false);
  });
});
