import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { compileMapping } from "../../src/domain/transformations/mapping/compile-mapping.ts";
import {
  add,
  divide,
  formatDecimal,
  multiply,
  parseDecimal,
  round,
} from "../../src/domain/transformations/mapping/decimal.ts";
import { formatSteps, parsePath, type PathStep } from "../../src/domain/transformations/mapping/path.ts";
import type { MappingExpression, MappingRule } from "../../src/domain/transformations/mapping/rules.ts";
import { findTimeZone, momentOf } from "../../src/domain/transformations/mapping/time-zone.ts";

/** Another run with the same cases: `FC_SEED=… bun test`. */
const seed = Number(Bun.env["FC_SEED"] ?? Date.now() % 0x7fff_ffff);
console.log(`mapping properties: seed ${seed}`);
const options = (numRuns: number) => ({ seed, numRuns, verbose: 1 }) as const;

/** Names that a careless implementation finds on every object. */
const name = fc.constantFrom(
  "a",
  "b",
  "c",
  "x y",
  "d.e",
  "constructor",
  "toString",
  "text",
  "length",
  "$f",
  "ü",
);
const scalar = fc.oneof(fc.string({ maxLength: 6 }), fc.integer(), fc.boolean(), fc.constant(null));
const { tree: document } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(name, tie("tree"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

type Model = (item: unknown, parents: readonly unknown[]) => unknown;
interface Pair {
  expression: MappingExpression;
  model: Model;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What a path with `[*]` after every name but the last finds, written anew. */
function everyMember(value: unknown, names: readonly string[]): unknown[] {
  const [first, ...rest] = names;
  if (first === undefined) return [value];
  const elements = Array.isArray(value) ? value : value === null || value === undefined ? [] : [value];
  return elements
    .flat(Infinity)
    .flatMap((element: unknown) =>
      isObject(element) && Object.hasOwn(element, first) ? everyMember(element[first], rest) : [],
    );
}

const pathOf = (names: readonly string[]): string =>
  formatSteps(names.flatMap((one): PathStep[] => [{ kind: "every" }, { kind: "name", name: one }]));

const names = fc.array(name, { minLength: 1, maxLength: 3 });

const paths = names.map((path): Pair => ({
  expression: pathOf(path),
  model: (item) => everyMember(item, path),
}));
const constants = scalar.map((value): Pair => ({ expression: { value }, model: () => value }));
const counts = names.map((path): Pair => ({
  expression: { call: "count", args: [pathOf(path)] },
  model: (item) => everyMember(item, path).length,
}));
const firsts = fc.tuple(names, scalar).map(([path, other]): Pair => ({
  expression: { first: [{ call: "item", args: [pathOf(path), 0] }, { value: other }], blank: "null" },
  model: (item) => {
    const value = everyMember(item, path)[0];
    return value === undefined || value === null ? (other ?? undefined) : value;
  },
}));
const joined = fc.tuple(names, fc.string({ maxLength: 3 })).map(([path, end]): Pair => ({
  expression: {
    concat: [
      {
        each: pathOf(path),
        // oxlint-disable-next-line unicorn/no-thenable -- data, never a function
        do: { if: { call: "equals", args: [{ call: "count", args: ["$item"] }, 1] }, then: "$index" },
      },
      { value: end },
    ].slice(1) as MappingExpression[],
  },
  model: () => end,
}));

const { pair } = fc.letrec<{ pair: Pair }>((tie) => ({
  pair: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    paths,
    constants,
    counts,
    firsts,
    joined,
    fc.tuple(names, tie("pair"), tie("pair")).map(([path, then, otherwise]): Pair => ({
      expression: {
        if: { call: "hasValue", args: [pathOf(path)] },
        // oxlint-disable-next-line unicorn/no-thenable -- data, never a function
        then: then.expression,
        else: otherwise.expression,
      },
      model: (item, parents) => (everyMember(item, path).length > 0 ? then : otherwise).model(item, parents),
    })),
    fc.tuple(names, tie("pair")).map(([path, inner]): Pair => ({
      expression: { each: pathOf(path), do: inner.expression },
      model: (item, parents) =>
        everyMember(item, path)
          .map((element) => inner.model(element, [item, ...parents]))
          .filter((value) => value !== undefined),
    })),
    fc.tuple(names, names).map(([path, outer]): Pair => ({
      expression: { each: pathOf(path), do: { path: `$parent${pathOf(outer)}` } },
      model: (item) => everyMember(item, path).map(() => everyMember(item, outer)),
    })),
    fc
      .array(fc.tuple(fc.constantFrom("p", "q", "r.s", "r.t"), tie("pair")), { maxLength: 3 })
      .map((members): Pair => {
        const unique = [...new Map(members).entries()];
        return {
          expression: { object: unique.map(([target, { expression }]) => ({ target, from: expression })) },
          model: (item, parents) => modelObject(unique, item, parents, undefined),
        };
      }),
    fc.tuple(names, names).map(([list, key]): Pair => ({
      expression: {
        group: pathOf(list),
        by: { call: "item", args: [pathOf(key), 0] },
        do: { call: "count", args: ["items"] },
      },
      model: (item) => {
        const sizes = new Map<string, number>();
        for (const element of everyMember(item, list)) {
          const value = everyMember(element, key)[0] ?? null;
          const text = JSON.stringify(value);
          sizes.set(text, (sizes.get(text) ?? 0) + 1);
        }
        return [...sizes.values()];
      },
    })),
  ),
}));

function modelObject(
  members: readonly [string, Pair][],
  item: unknown,
  parents: readonly unknown[],
  empty: unknown,
): unknown {
  const object: Record<string, unknown> = {};
  for (const [target, { model }] of members) {
    const value = model(item, parents);
    if (value === undefined) continue;
    const [first = "", second] = target.split(".");
    if (second === undefined) object[first] = value;
    else object[first] = { ...(object[first] as object | undefined), [second]: value };
  }
  return Object.keys(object).length === 0 ? empty : object;
}

describe("a mapping of generated documents", () => {
  test("equals its model", () => {
    const targets = fc.constantFrom("out", "o.p", "o.q", "z");
    const rules = fc.array(fc.tuple(targets, pair), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(rules, document, (members, source) => {
        const unique = [...new Map(members).entries()];
        const compiled = compileMapping({
          rules: unique.map(([target, { expression }]): MappingRule => ({ target, from: expression })),
        });
        const before = JSON.stringify(source);
        const result = compiled.run(source);
        expect(result).toEqual({ ok: true, document: modelObject(unique, source, [], {}) });
        expect(JSON.stringify(source)).toBe(before);
      }),
      options(3_000),
    );
  }, 120_000);
});

describe("paths", () => {
  test("come back from their text", () => {
    const step: fc.Arbitrary<PathStep> = fc.oneof(
      fc.string({ minLength: 1, maxLength: 5 }).map((text) => ({ kind: "name", name: text }) as const),
      fc.integer({ min: -99, max: 99 }).map((index) => ({ kind: "index", index: index + 0 }) as const),
      fc.constant({ kind: "every" } as const),
      fc
        .tuple(
          fc.array(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 2 }),
          fc.constantFrom("equals", "differs"),
          fc.string({ maxLength: 4 }),
        )
        .map(([members, kind, value]) => ({ kind: "where", names: members, test: kind, value }) as PathStep),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const outcome = parsePath(formatSteps(steps));
        expect(outcome).toEqual({ ok: true, path: { head: "item", levels: 0, steps } });
      }),
      options(2_000),
    );
  });
});

describe("decimal arithmetic", () => {
  test("is that of whole numbers, moved by the point", () => {
    const decimal = fc.tuple(
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      fc.integer({ min: 0, max: 12 }),
    );
    fc.assert(
      fc.property(decimal, decimal, fc.integer({ min: 0, max: 15 }), ([a, s], [b, t], places) => {
        const [one, other] = [
          { digits: a, scale: s },
          { digits: b, scale: t },
        ];
        expect(parseDecimal(formatDecimal(one))).toEqual(one);
        const scaled = a * 10n ** BigInt(t) + b * 10n ** BigInt(s);
        const sum = add(one, other);
        expect(sum.digits * 10n ** BigInt(s + t - sum.scale)).toBe(scaled);
        expect(multiply(one, other)).toEqual({ digits: a * b, scale: s + t });
        const rounded = round(one, places, "half_even");
        const error = rounded.digits * 10n ** BigInt(12 + 15 - places) - a * 10n ** BigInt(12 + 15 - s);
        expect((error < 0n ? -error : error) * 2n <= 10n ** BigInt(27 - places)).toBe(true);
        if (b === 0n) return;
        const quotient = divide(one, other, places, "down");
        const [p, q] = [a * 10n ** BigInt(t), b * 10n ** BigInt(s)];
        expect(quotient.digits).toBe((p * 10n ** BigInt(places)) / q);
      }),
      options(2_000),
    );
  });
});

describe("local times", () => {
  test("come back from their moment, unless clocks skip them", () => {
    const zone = fc.constantFrom(
      "America/Chicago",
      "Europe/Berlin",
      "Australia/Lord_Howe",
      "America/St_Johns",
      "Asia/Kolkata",
      "Africa/Casablanca",
    );
    const local = fc.integer({ min: Date.UTC(1995, 0), max: Date.UTC(2035, 0) });
    fc.assert(
      fc.property(zone, local, (zoneName, localMs) => {
        const timeZone = findTimeZone(zoneName);
        if (timeZone === undefined) throw new Error("Cannot find the zone");
        const epochMs = momentOf(localMs, timeZone, "compatible");
        const back = epochMs + timeZone.offsetMsAt(epochMs);
        // Skipped times are later by what was skipped: an hour at most, half of one on Lord Howe.
        expect(back - localMs === 0 || back - localMs === 3_600_000 || back - localMs === 1_800_000).toBe(
          true,
        );
      }),
      options(2_000),
    );
  });
});
