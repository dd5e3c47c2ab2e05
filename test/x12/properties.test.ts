import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  buildInterchange,
  type InterchangeInput,
  type SetInput,
} from "../../src/platform/x12/build-interchange.ts";
import { buildAcknowledgement } from "../../src/platform/x12/acknowledge.ts";
import { checkDocument } from "../../src/platform/x12/check-set.ts";
import { fromReadable } from "../../src/platform/x12/from-readable.ts";
import { allFaults, type Separators } from "../../src/platform/x12/model.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { setToReadable, toReadable } from "../../src/platform/x12/readable.ts";
import { CODE_LISTS } from "../../src/platform/x12/tables/codes.ts";
import { findSet } from "../../src/platform/x12/tables/find-set.ts";
import { segmentsOf } from "../../src/platform/x12/tables/segments.ts";
import type { LoopUse } from "../../src/platform/x12/tables/set-table.ts";
import type { ElementRule, PlaceRule, SegmentRule } from "../../src/platform/x12/tables/table-notation.ts";
import { bytesOf, loadTender } from "./documents.ts";

const seed = Number(process.env["X12_SEED"] ?? Date.now() % 2 ** 31);
console.log(`X12 properties: seed ${seed} (X12_SEED)`);
const RUNS = { numRuns: 1_000, seed };

/** Characters that are no separator in any of the sets below. */
const DATA = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-/()&#'"];

const separatorSets: readonly Separators[] = [
  { element: "*", component: ">", repetition: null, segment: "~" },
  { element: "*", component: ":", repetition: "^", segment: "~" },
  { element: "|", component: "<", repetition: "!", segment: "\n" },
  { element: "\u001d", component: "\u001f", repetition: null, segment: "\u001c" },
  { element: "~", component: "\\", repetition: null, segment: "_" },
];

function arbitraryText(lengthMin: number, lengthMax: number): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom(...DATA), { minLength: lengthMin, maxLength: Math.min(lengthMax, lengthMin + 12) })
    .map((characters) => characters.join(""));
}

const digits = (lengthMin: number, lengthMax: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(..."0123456789"), { minLength: lengthMin, maxLength: lengthMax })
    .map((characters) => characters.join(""));

const date = fc
  .tuple(
    fc.integer({ min: 1990, max: 2090 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
  )
  .map(([year, month, day]) => `${year}${String(month).padStart(2, "0")}${String(day).padStart(2, "0")}`);

const time = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((part) => String(part).padStart(2, "0")).join(""));

/** A value that the element allows. */
function arbitraryValue(rule: ElementRule): fc.Arbitrary<string> {
  const codes = CODE_LISTS.get(rule.ref);
  if (codes !== undefined) return fc.constantFrom(...codes);
  switch (rule.type) {
    case "DT":
      return rule.lengthMax === 6 ? date.map((value) => value.slice(2)) : date;
    case "TM":
      return time;
    case "AN":
    case "ID":
      return arbitraryText(rule.lengthMin, rule.lengthMax);
    case "B":
      return fc.constant("~*>:^|<!\n");
    default:
      return digits(rule.lengthMin, rule.lengthMax);
  }
}

/** A place's value with all components, so that every relation between them holds. */
function arbitraryPlace(place: PlaceRule, key: string): fc.Arbitrary<unknown> {
  if (place.repeatMax > 1) {
    return fc.array(arbitraryPlace({ ...place, repeatMax: 1 }, key), { minLength: 1, maxLength: 3 });
  }
  if (place.element !== null) return arbitraryValue(place.element);
  const entries = (place.components ?? []).map((component, index): [string, fc.Arbitrary<string>] => [
    `${key}-${String(index + 1).padStart(2, "0")}`,
    arbitraryValue(component.element!),
  ]);
  return fc.record(Object.fromEntries(entries));
}

/** All elements but those that exclude each other, or the mandatory ones where no relation asks for more. */
function arbitrarySegment(rule: SegmentRule): fc.Arbitrary<Record<string, unknown>> {
  const keyOf = (place: number): string => `${rule.id}${String(place).padStart(2, "0")}`;
  const excluded = new Set(
    rule.notes.filter(({ kind }) => kind === "E").flatMap(({ places }) => places.slice(1)),
  );
  // What needs an excluded element must go with it: AT704 with AT703, MS106 with MS104.
  for (const { kind, places } of rule.notes) {
    if (kind === "P" && places.some((place) => excluded.has(place))) {
      for (const place of places) excluded.add(place);
    }
  }
  for (const { kind, places } of rule.notes) {
    if (kind === "C" && places.slice(1).some((place) => excluded.has(place))) excluded.add(places[0]!);
  }
  const full = rule.places.flatMap((place, index): [string, fc.Arbitrary<unknown>][] =>
    excluded.has(index + 1) ? [] : [[keyOf(index + 1), arbitraryPlace(place, keyOf(index + 1))]],
  );
  const fullRecord = fc.record(Object.fromEntries(full)).map((record) => {
    if (rule.id !== "BIN" && rule.id !== "BDS") return record;
    const last = rule.places.length;
    const data = record[keyOf(last)] as string;
    return { ...record, [keyOf(last - 1)]: String(Buffer.byteLength(data)) };
  });
  if (rule.notes.length > 0 || rule.id === "BIN") return fullRecord;
  const required = full.filter((_, index) => rule.places[index]!.mandatory);
  if (required.length === 0) return fullRecord;
  return fc.oneof(fullRecord, fc.record(Object.fromEntries(required)));
}

/** The body of a set: mandatory parts always, others now and then. */
function arbitraryLoop(
  use: LoopUse,
  rules: ReadonlyMap<string, SegmentRule>,
  depth: number,
): fc.Arbitrary<object> {
  const parts = use.children
    .filter(({ id }) => id !== "ST" && id !== "SE")
    .map((child, index): [string, fc.Arbitrary<unknown[]>] => {
      const item: fc.Arbitrary<unknown> =
        child.kind === "loop"
          ? arbitraryLoop(child, rules, depth + 1)
          : arbitrarySegment(rules.get(child.id)!);
      const isStart = depth > 0 && index === 0;
      const minLength = child.mandatory || isStart ? 1 : 0;
      const maxLength = isStart ? 1 : Math.min(child.usesMax, depth > 1 ? 1 : 2);
      const list = fc.array(item, { minLength, maxLength });
      const seldom =
        minLength === 0
          ? fc.oneof(
              { weight: 2 + depth, arbitrary: fc.constant<unknown[]>([]) },
              { weight: 1, arbitrary: list },
            )
          : list;
      return [child.kind === "loop" ? `loop${child.id}` : child.id, seldom];
    });
  return fc.record(Object.fromEntries(parts)).map((record) => {
    const filled = Object.entries(record).filter(([, list]) => list.length > 0);
    return Object.fromEntries(
      filled.map(([name, list]) => {
        const child = use.children.find(({ id, kind }) => name === (kind === "loop" ? `loop${id}` : id))!;
        return [name, child.usesMax > 1 ? list : list[0]];
      }),
    );
  });
}

const setBodies = ["204", "210", "214", "990", "997", "999"].map((code) => {
  const table = findSet(code)!;
  return { table, body: arbitraryLoop(table.root, segmentsOf(table.version), 0) };
});

const arbitraryInterchange: fc.Arbitrary<InterchangeInput> = fc
  .constantFrom(...setBodies)
  .chain(({ table, body }) =>
    fc.record({
      table: fc.constant(table),
      bodies: fc.array(body, { minLength: 1, maxLength: 3 }),
      // Elements of 005010 are repeated, which takes a separator.
      separators: fc.constantFrom(
        ...separatorSets.filter(({ repetition }) => repetition !== null || table.version < "005010"),
      ),
      newline: fc.constantFrom("", "\n", "\r\n"),
      number: fc.integer({ min: 1, max: 999_999_000 }),
    }),
  )
  .map(({ table, bodies, separators, newline, number }) => ({
    separators,
    newline,
    sender: { qualifier: "02", id: "SCAC" },
    receiver: { qualifier: "ZZ", id: "ACME" },
    version: table.version === "005010" || separators.repetition !== null ? "00501" : "00401",
    controlNumber: number,
    test: number % 2 === 0,
    time: new Date(Date.UTC(2026, 10, 23, 10, 30)),
    groups: [
      {
        sender: "SCAC",
        receiver: "ACME",
        version: table.version,
        controlNumber: number,
        sets: bodies.map((body, index): SetInput => ({
          code: table.code,
          controlNumber: number + index,
          body,
        })),
      },
    ],
  }));

describe("properties", () => {
  test("reading what was written gives back its input", () => {
    fc.assert(
      fc.property(arbitraryInterchange, (input) => {
        const outcome = buildInterchange(input);
        if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults[0]));
        const document = parseInterchanges(outcome.bytes, {
          repetition: input.separators!.repetition === null ? "never" : "always",
        });
        checkDocument(document);
        expect([...allFaults(document)].filter(({ severity }) => severity === "error")).toEqual([]);
        const bodies = document.interchanges[0]!.groups[0]!.sets.map((set) => {
          const { ST: _st, SE: _se, ...body } = setToReadable(set);
          return body;
        });
        expect(bodies as unknown).toEqual(input.groups[0]!.sets.map(({ body }) => body));
        const back = fromReadable(JSON.parse(JSON.stringify(toReadable(document))));
        expect(back.ok && Buffer.compare(back.bytes, outcome.bytes)).toBe(0);
        const rebuilt = buildInterchange({ ...input, groups: input.groups });
        expect(rebuilt).toEqual(outcome);
      }),
      RUNS,
    );
  }, 120_000);

  test("any damage is survived: coded faults, the same bytes from the JSON, a reply that can be written", () => {
    const text = loadTender();
    const damage = fc.array(
      fc.record({
        at: fc.integer({ min: 0, max: text.length }),
        cut: fc.integer({ min: 0, max: 12 }),
        put: fc.oneof(
          fc.constantFrom(
            "~",
            "*",
            ">",
            "\n",
            "ISA*",
            "IEA*1*000000101~",
            "SE*1*0001~",
            "ST*204*0001~",
            "HL*1~",
            "BIN*5*",
            "é",
            "\u0000",
            "𝄞",
          ),
          fc.string({ maxLength: 8 }),
        ),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(
        damage,
        fc.constantFrom("strict" as const, "lenient" as const),
        fc.constantFrom("keep" as const, "remove" as const),
        (edits, mode, lineBreaks) => {
          let damaged = text;
          for (const { at, cut, put } of edits)
            damaged = damaged.slice(0, at) + put + damaged.slice(at + cut);
          const bytes = bytesOf(damaged.toWellFormed());
          const document = parseInterchanges(bytes, { mode, lineBreaks });
          checkDocument(document);
          for (const { at } of allFaults(document)) expect(at.offset).toBeWithin(0, bytes.byteLength + 1);
          const back = fromReadable(JSON.parse(JSON.stringify(toReadable(document))));
          if (!back.ok) throw new Error(JSON.stringify(back.faults));
          expect(Buffer.compare(back.bytes, bytes)).toBe(0);
          for (const interchange of document.interchanges) {
            for (const kind of ["997", "999"] as const) {
              const reply = buildAcknowledgement(interchange, {
                kind,
                interchangeControlNumber: 1,
                groupControlNumber: 1,
                setControlNumber: 1,
                time: new Date(0),
                ta1: "always",
              });
              const built = reply === null ? null : buildInterchange(reply);
              if (built?.ok === false) throw new Error(`${kind} ${JSON.stringify(built.faults[0])}`);
            }
          }
        },
      ),
      RUNS,
    );
  }, 120_000);
});
