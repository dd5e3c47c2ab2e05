import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { compilePipeline } from "../../src/domain/transformations/document-pipeline.ts";
import { recipeOf } from "../../src/domain/transformations/load-template.ts";
import { checkElements } from "../../src/platform/x12/check-elements.ts";
import { characterCodes } from "../../src/platform/x12/decode-text.ts";
import type { X12Fault } from "../../src/platform/x12/model.ts";
import { formatFaults, parseX12Document } from "../../src/platform/x12/parse-x12-document.ts";
import { assembleSegment, cleanReading, readClean } from "../../src/platform/x12/read-clean.ts";
import { SegmentWriter, toReadable } from "../../src/platform/x12/readable.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { placeOfPointer } from "../../src/platform/x12/place-of-pointer.ts";
import { resolveSettings } from "../../src/platform/x12/settings.ts";
import { segmentsOf } from "../../src/platform/x12/tables/segments.ts";
import { envelopeOf, writeX12Document } from "../../src/platform/x12/write-x12-document.ts";
import { bytesOf, loadTender, wrap } from "./documents.ts";
import { expectations, readSample, samplesAreThere } from "./samples.ts";

const TIME = new Date("2026-11-23T10:30:00Z");
const SEPARATORS = { element: "*", component: ">", repetition: "^", segment: "~" };

/** A value that often fits its element and often just fails to. */
const value = fc.oneof(
  fc.constantFrom(
    "",
    "",
    "A",
    "AB",
    "ABC",
    "1",
    "-1",
    "12.5",
    "1.",
    ".5",
    "-",
    "1E5",
    "20261123",
    "20260230",
    "0930",
  ),
  fc.constantFrom("2461", "261301", "09301", "093059", "9999999999", "A>B", "A^B", "É", "\t", "X".repeat(81)),
  fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
);

describe("formatFaults()", () => {
  test("tells of ids in small letters that they must be capitals", () => {
    const bytes = bytesOf(loadTender().replace("B2**", "b2**"));
    const [first] = formatFaults(parseX12Document(bytes).document);
    expect(first).toMatchObject({ code: "segment_id_invalid", segment: 2 });
    expect(first!.message).toContain("capital letters");
  });
});

describe("readClean()", () => {
  test("is sure only where the exact check finds nothing, and nearly always then, and reads what the exact reader does", () => {
    const rules = [...segmentsOf("005010").values()];
    let clean = 0;
    let surely = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...rules),
        fc.array(value, { minLength: 1, maxLength: 12 }),
        (rule, values) => {
          const text = [rule.id, ...values].join("*");
          const elements = text.split("*");
          const faults: X12Fault[] = [];
          const segment = {
            kind: "segment" as const,
            id: rule.id,
            elements,
            start: 0,
            end: text.length,
            ordinal: 1,
          };
          const sink = { settings: resolveSettings(), byteOffset: (offset: number) => offset, faultCount: 0 };
          checkElements({ sink, faults, segment, detail: {}, separators: SEPARATORS }, rule);
          const read: (string | undefined)[] = [];
          const reading = cleanReading({ text, codes: characterCodes(text) }, SEPARATORS);
          const sure = readClean(reading, segment, rule, read);
          expect(readClean(reading, segment, rule, null)).toBe(sure);
          if (sure) {
            expect(faults).toEqual([]);
            const exact = new SegmentWriter(SEPARATORS, "005010", null).named(segment);
            const json = assembleSegment(rule, read);
            expect(Object.entries(json)).toEqual(Object.entries(exact));
          }
          if (faults.length === 0) clean += 1;
          if (sure) surely += 1;
        },
      ),
      { numRuns: 20_000 },
    );
    expect(clean).toBeGreaterThan(500);
    expect(surely / clean).toBeGreaterThan(0.5);
  });
});

describe("parseX12Document()", () => {
  test("gives each set as its readable JSON with ISA and GS beside it", () => {
    const read = parseX12Document(bytesOf(loadTender(7)));
    expect(read.document.accepted).toBe(true);
    expect(read.sets).toHaveLength(1);
    const input = read.sets[0]!.input!;
    expect(input.ISA).toMatchObject({ ISA05: "ZZ", ISA06: "ACMEFREIGHT    ", ISA13: "000000101" });
    expect(input.GS).toMatchObject({ GS01: "SM", GS02: "ACMEFREIGHT", GS06: "55" });
    expect(input["B2"]).toEqual({ B202: "SCAC", B204: "750270007", B206: "PP" });
    expect((input["loop0300"] as { S5: { S502: string } }[]).map(({ S5 }) => S5.S502)).toEqual([
      "CL",
      "PU",
      "PU",
      "CU",
    ]);
  });

  test("a set with a fault has no input, and those beside it have theirs", () => {
    const good = ["B1*SCAC*L1*20261123*A", "N9*CN*P1"];
    const bad = ["B1*SCAC*L2*20261323*A"];
    const text = wrap(
      [
        { code: "990", body: good },
        { code: "990", body: bad },
      ],
      { functionalId: "GF" },
    );
    const read = parseX12Document(bytesOf(text));
    expect(read.sets.map(({ input }) => input === null)).toEqual([false, true]);
    const [fault] = formatFaults(read.document);
    expect(fault).toMatchObject({ code: "element_date", segment: 2, element: 3 });
    expect(fault!.message).toContain("B1, segment 2 of set 2, element 3");
    expect(text.slice(fault!.offset).startsWith("20261323")).toBe(true);
  });

  test.skipIf(!samplesAreThere).each(expectations)("%s: the same JSON as the whole document's", (name) => {
    for (const mode of ["strict", "lenient"] as const) {
      const bytes = readSample(name);
      const { sets } = parseX12Document(bytes, { mode });
      const whole = toReadable(parseInterchanges(bytes, { mode }));
      for (const { set, input } of sets) {
        const interchange = whole.interchanges[set.place.interchange]!;
        if (input === null || !("groups" in interchange)) continue;
        const { ISA, GS, ...body } = input;
        const group = interchange.groups[set.place.group]!;
        expect({ ISA, GS, body } as object).toEqual({
          ISA: interchange.ISA,
          GS: group.GS,
          body: group.sets[set.place.set],
        });
      }
    }
  });
});

describe("placeOfPointer()", () => {
  const input = parseX12Document(bytesOf(loadTender())).sets[0]!.input!;

  test.each([
    ["/B2/B204", { segment: 2, segmentId: "B2", element: 4 }],
    ["/B2/B203", { segment: 2, segmentId: "B2", element: 3 }],
    ["/L11/1", { segment: 5, segmentId: "L11" }],
    ["/loop0300/1/G62/1/G6202", { segment: 34, segmentId: "G62", element: 2 }],
    ["/loop0300/1", { segment: 30, segmentId: "S5" }],
    ["/ISA/ISA06", { segmentId: "ISA", element: 6 }],
    ["/GS", { segmentId: "GS" }],
  ])("%s is %j", (pointer, place) => {
    expect(placeOfPointer(input, pointer)).toEqual(place);
    const { segment, segmentId } = place as { segment?: number; segmentId: string };
    const lines = loadTender().split("\n");
    if (segment !== undefined) expect(lines[segment + 1]).toStartWith(`${segmentId}*`);
  });

  test("a pointer to no segment has no place", () => {
    expect(placeOfPointer(input, "")).toBeUndefined();
    expect(placeOfPointer(input, "/loop0999/0/N1")).toBeUndefined();
  });

  test("a mapping's fault tells segment, id and element beside its pointer", async () => {
    const recipe = recipeOf(
      {
        sourceFormat: "X12",
        targetFormat: "JSON",
        mappingRules: { rules: [{ target: "n", from: { call: "number", args: ["B2.B204"] } }] },
        validationRules: null,
      },
      {},
    );
    const deps = { evaluateJsonata: () => Promise.reject(new Error("Cannot evaluate here")) };
    const bytes = bytesOf(loadTender().replace("750270001", "SH-7"));
    const outcome = await compilePipeline(recipe, deps).transform({ bytes }, {});
    expect(outcome).toMatchObject({
      ok: false,
      faults: [{ source: "/B2/B204", segment: 2, segmentId: "B2", element: 4 }],
    });
    expect(outcome).toHaveProperty("message", expect.stringContaining("B2 segment 2 element 4"));
  });
});

describe("writeX12Document()", () => {
  test("writes back what was read, with the envelope that it names", () => {
    const text = loadTender();
    const [set] = parseX12Document(bytesOf(text)).sets;
    const outcome = writeX12Document(set!.input, { ...envelopeOf(set!.input, TIME), newline: "\n" });
    expect(outcome.ok && Buffer.from(outcome.bytes).toString()).toBe(`${text}\n`);
  });

  test("several sets count their control numbers on", () => {
    const body = { ST: { ST01: "990" }, B1: { B101: "SCAC", B102: "L1", B103: "20261123", B104: "A" } };
    const envelope = { ...envelopeOf(body, TIME), setControlNumber: 41 };
    const outcome = writeX12Document([body, body], envelope);
    expect(outcome.ok).toBe(true);
    if (!outcome.ok) return;
    expect(parseX12Document(outcome.bytes).sets.map(({ set }) => set.controlNumber)).toEqual([
      "0041",
      "0042",
    ]);
  });

  test.each([
    [{ B1: {} }, "/ST", "input_invalid"],
    [{ ST: { ST01: "99" } }, "/ST/ST01", "input_invalid"],
    [{ ST: { ST01: "990" }, B1: { B101: "SCAC", B102: "A*B", B104: "A" } }, "/B1/B102", "separator_in_data"],
    [{ ST: { ST01: "990" }, B1: { B101: "SCAC", B102: "L1", B104: "Z" } }, "/B1/B104", "element_code"],
    [{ ST: { ST01: "990" }, B2: {} }, "/B2", "input_invalid"],
    [[{ ST: { ST01: "990" }, N9: { N901: "CN", N902: "1" } }], "/0", "segment_missing"],
    [[], "", "input_invalid"],
  ])("%j is refused at %s", (output, pointer, code) => {
    const outcome = writeX12Document(output, envelopeOf(output, TIME));
    expect(outcome.ok).toBe(false);
    if (!outcome.ok) expect(outcome.faults[0]).toMatchObject({ pointer, code });
  });

  test("an envelope that cannot be said is refused at the element of ISA that says it", () => {
    const output = { ST: { ST01: "990" }, ISA: { ISA08: "MORE THAN FIFTEEN" } };
    const outcome = writeX12Document(output, envelopeOf(output, TIME));
    expect(!outcome.ok && outcome.faults[0]).toMatchObject({
      pointer: "/ISA/ISA08",
      code: "element_too_long",
    });
  });
});
