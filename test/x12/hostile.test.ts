import { describe, expect, test } from "bun:test";
import { checkDocument } from "../../src/platform/x12/check-set.ts";
import { fromReadable } from "../../src/platform/x12/from-readable.ts";
import { allFaults } from "../../src/platform/x12/model.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { toReadable } from "../../src/platform/x12/readable.ts";
import { bytesOf, wrap } from "./documents.ts";

const MEBIBYTE = 1_048_576;
const HEAD = wrap([]).slice(0, 106);
const GROUP = `${HEAD}GS*SM*A1*B1*20261123*1030*1*X*004010~ST*204*0001~`;

/** Fills the document up to its limit with a text that would make a careless reader slow, deep or large. */
const filled = (text: string, head = GROUP): Uint8Array =>
  bytesOf(head + text.repeat(Math.floor((MEBIBYTE - Buffer.byteLength(head)) / Buffer.byteLength(text))));

describe("hostile documents of one mebibyte", () => {
  test.each([
    ["nothing but ISA", filled("ISA", "")],
    ["headers that break off", filled("ISA*00*", "")],
    [
      "a header with each separator",
      bytesOf(
        Array.from({ length: 150_000 }, (_, index) => `ISA${String.fromCodePoint(0x1000 + (index % 20_000))}`)
          .join("")
          .slice(0, 300_000),
      ),
    ],
    ["complete headers", filled(HEAD, "")],
    ["terminators", filled("~")],
    ["element separators", filled("*")],
    ["segments without separators", filled("ABCDEFG~")],
    ["open groups", filled("GS*SM*A1*B1*20261123*1030*1*X*004010~")],
    ["open sets", filled("ST*204*0001~")],
    ["stops, each with faults", filled("S5**XX~")],
    ["loops within loops", filled("S5*1*CL~L5~G61*A*B~LH1*EA*1~")],
    [
      "hierarchy that only goes down",
      bytesOf(
        GROUP.replace("ST*204", "ST*856") +
          Array.from({ length: 60_000 }, (_, index) => `HL*${index + 1}*${index || ""}*I~`).join(""),
      ),
    ],
    ["lengths of binary data that are wrong", filled("BIN*999999999*~")],
    ["binary data without end", filled("BIN*")],
    [
      "digits that are nearly a number",
      bytesOf(`${GROUP}L3*${"1".repeat(60_000)}x~L3*${"1.".repeat(30_000)}~`),
    ],
    ["characters of four bytes, each at fault", filled("𝄞𝄞~")],
    ["components and repetitions", filled("K1*>>>>>>^^^^^^~")],
    ["blanks", filled(" \r\n", "")],
    ["zeros", new Uint8Array(MEBIBYTE)],
    ["line breaks in all places", filled("\nK\n1\n*\nA\n~")],
  ])(
    "%s end in coded faults with places, and in the same bytes",
    (_what, bytes) => {
      for (const lineBreaks of ["keep", "remove"] as const) {
        const document = parseInterchanges(bytes, {
          lineBreaks,
          mode: "lenient",
          limits: { segmentsMax: 200_000 },
        });
        checkDocument(document);
        const faults = [...allFaults(document)];
        expect(faults.length).toBeGreaterThan(0);
        expect(faults.length).toBeLessThanOrEqual(1_001);
        for (const { at } of faults) expect(at.offset).toBeWithin(0, bytes.byteLength + 1);
        const back = fromReadable(toReadable(document));
        expect(back.ok && Buffer.compare(back.bytes, bytes)).toBe(0);
      }
    },
    60_000,
  );

  test("over the limit are refused before they are decoded", () => {
    const document = parseInterchanges(new Uint8Array(MEBIBYTE + 1));
    expect(document.faults.map(({ code }) => code)).toEqual(["document_too_large"]);
    expect(document.text).toBe("");
  });
});

describe("fromReadable() on hostile JSON", () => {
  const layout = { encoding: "ascii", leading: "", newline: "", gaps: {}, terminated: true, lineBreaks: [] };
  const separators = { element: "*", component: ">", repetition: null, segment: "~" };
  const of = (segments: unknown): unknown => ({ x12: layout, interchanges: [{ separators, segments }] });

  test.each([
    ["null", null, ""],
    ["a list", [], ""],
    ["text", "ISA*00", ""],
    ["no interchanges", { x12: layout }, "/interchanges"],
    ["no layout", { interchanges: [] }, "/x12"],
    ["no separators", { x12: layout, interchanges: [{ segments: [] }] }, "/interchanges/0/separators"],
    [
      "a separator of two characters",
      { x12: layout, interchanges: [{ separators: { ...separators, element: "**" } }] },
      "/interchanges/0/separators/element",
    ],
    ["a segment that is text", of(["K1*A"]), "/interchanges/0/segments/0"],
    ["an element of ten million", of([{ id: "K1", K19999999: "x" }]), "/interchanges/0/segments/0/K19999999"],
    ["element 0", of([{ id: "K1", K100: "x" }]), "/interchanges/0/segments/0/K100"],
    ["an object for text", of([{ id: "K1", K101: { a: "x" } }]), "/interchanges/0/segments/0/K101/a"],
    ["a separator in a value", of([{ id: "K1", K101: "A*B" }]), "/interchanges/0/segments/0/K101"],
    ["a separator in an id", of([{ id: "K1*A~K1" }]), "/interchanges/0/segments/0/id"],
    ["a prototype", of([JSON.parse('{"id":"K1","__proto__":"x"}')]), "/interchanges/0/segments/0/__proto__"],
    [
      "offsets that descend",
      {
        x12: {
          ...layout,
          lineBreaks: [
            { offset: 5, text: "\n" },
            { offset: 1, text: "\n" },
          ],
        },
        interchanges: [],
      },
      "/x12/lineBreaks/1/offset",
    ],
  ])("refuses %s with its pointer", (_what, readable, pointer) => {
    const outcome = fromReadable(readable);
    expect(outcome.ok ? "bytes" : outcome.faults[0]!.pointer).toBe(pointer);
  });
});
