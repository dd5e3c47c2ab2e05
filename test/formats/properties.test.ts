import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  ExactNumber,
  isHeldByDouble,
  type DocumentFormat,
  type DocumentValue,
} from "../../src/platform/formats/document.ts";
import { parseDocument } from "../../src/platform/formats/parse-document.ts";
import { readRecords } from "../../src/platform/formats/read-records.ts";
import { openRecordWriter } from "../../src/platform/formats/record-writer.ts";
import type { CsvSettings, SettingsOf, XmlSettings } from "../../src/platform/formats/settings.ts";
import { writeDocument } from "../../src/platform/formats/write-document.ts";
import { chunksOf, readAll } from "./outcomes.ts";

const seed = Number(process.env["FORMATS_SEED"] ?? Date.now() % 2 ** 31);
console.log(`Formats: seed ${seed} (FORMATS_SEED)`);
const RUNS = { numRuns: 1_000, seed };

function bytesOfDocument<F extends DocumentFormat>(
  format: F,
  document: DocumentValue,
  settings: SettingsOf<F>,
): Uint8Array {
  const written = writeDocument(format, document, settings);
  if (!written.ok) throw new Error(JSON.stringify(written.faults));
  return written.bytes;
}

function expectSame<F extends DocumentFormat>(
  format: F,
  document: DocumentValue,
  settings: SettingsOf<F>,
): void {
  const outcome = parseDocument(format, bytesOfDocument(format, document, settings), settings);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  expect(outcome.document).toEqual(document);
}

/** Any characters that UTF-8 can carry. */
const text = fc.string({ unit: "binary", maxLength: 12 });
const name = fc.string({ maxLength: 8 }).filter((candidate) => candidate !== "__proto__");

const exactNumber = fc
  .tuple(
    fc.boolean(),
    fc.bigInt({ min: 10n ** 16n, max: 10n ** 40n }),
    fc.nat(60),
    fc.integer({ min: -400, max: 400 }),
  )
  .map(([isNegative, digits, fraction, exponent]) => {
    const all = String(digits);
    const point = fraction % all.length;
    const mantissa = point === 0 ? all : `${all.slice(0, point)}.${all.slice(point)}`;
    return `${isNegative ? "-" : ""}${mantissa}${exponent % 3 === 0 ? "" : `e${exponent}`}`;
  })
  .filter((number) => !isHeldByDouble(number))
  .map((number) => new ExactNumber(number));

const double = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((number) => (Object.is(number, -0) ? 0 : number));

const jsonDocument = fc.letrec<{ value: DocumentValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(text, double, fc.boolean(), fc.constant(null), exactNumber, fc.maxSafeInteger()),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(name, tie("value"), { maxKeys: 5 }).map((object) => ({ ...object })),
  ),
})).value;

/** Characters of XML, among them all that need an escape. */
const xmlText = fc
  .array(fc.constantFrom(..."aZ09 <>&\"'\t\n\r]é€𝄞\u0085\u2028-?:#@"), { minLength: 1, maxLength: 8 })
  .map((characters) => characters.join(""));
const solidText = xmlText.map((characters) => `${characters}x`);
const xmlName = fc.constantFrom("a", "b", "c", "p:a", "p:é", "_x-1.2", "constructor", "toString");
const xmlAttributes = fc.dictionary(
  fc.constantFrom("id", "p:id", "xml:lang", "class"),
  fc.oneof(xmlText, fc.constant("")),
  { maxKeys: 3 },
);

type Content = { name: string; value: DocumentValue }[];

/** The value that the reader makes of some content, put together in another way than the reader does. */
function valueOf(attributes: Record<string, string>, content: Content): DocumentValue {
  const entries: [string, DocumentValue][] = Object.entries(attributes).map(([key, value]) => [
    `@${key}`,
    value,
  ]);
  if (entries.length === 0 && content.length === 0) return "";
  if (entries.length === 0 && content.length === 1 && content[0]!.name === "#text") return content[0]!.value;
  const groups = Map.groupBy(content, (piece) => piece.name);
  for (const [key, pieces] of groups)
    entries.push([key, pieces.length === 1 ? pieces[0]!.value : pieces.map(({ value }) => value)]);
  const grouped = [...groups.values()].flat();
  if (grouped.some((piece, index) => piece !== content[index]))
    entries.push(["#order", content.map((piece) => piece.name)]);
  return Object.fromEntries(entries);
}

const xmlElement = fc.letrec<{ value: DocumentValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(xmlText, fc.constant("")),
    fc
      .record({
        attributes: xmlAttributes,
        children: fc.array(fc.record({ name: xmlName, value: tie("value") }), { maxLength: 6 }),
        texts: fc.option(fc.array(solidText, { minLength: 1, maxLength: 6 }), { nil: [] }),
      })
      .map(({ attributes, children, texts }) => {
        const content: Content = children.flatMap((child, index) =>
          texts[index] === undefined ? [child] : [{ name: "#text", value: texts[index] }, child],
        );
        if (children.length === 0 && texts[0] !== undefined) content.push({ name: "#text", value: texts[0] });
        return valueOf(attributes, content);
      }),
  ),
})).value;

const xmlSettings: fc.Arbitrary<XmlSettings> = fc.constantFrom<XmlSettings>(
  { namespaces: { p: "urn:p" } },
  { namespaces: { p: "urn:p", "": "urn:default" }, encoding: "utf-16le" },
  { namespaces: { p: "urn:p" }, encoding: "iso-8859-1", declaration: true },
  { namespaces: { p: "urn:p" }, encoding: "windows-1252", nulls: "nil" },
  { namespaces: { p: "urn:p" }, indent: 2 },
  { namespaces: { p: "urn:p" }, whitespace: "keep", comments: "keep" },
);

const csvCell = fc
  .array(fc.constantFrom(..."ab,;\t\"'\\ \r\n#=é€𝄞\uFEFF\u2028\u0001"), { maxLength: 6 })
  .map((characters) => characters.join(""));
const csvSettings: fc.Arbitrary<CsvSettings> = fc.record(
  {
    delimiter: fc.constantFrom(",", ";", "\t", "|", "§"),
    quote: fc.constantFrom('"', "'"),
    escape: fc.constant("\\"),
    comment: fc.constant("#"),
    emptyLines: fc.constantFrom("skip", "keep"),
    quoting: fc.constantFrom("needed", "all"),
    newline: fc.constantFrom("\n", "\r\n"),
    byteOrderMark: fc.boolean(),
    encoding: fc.constantFrom("utf-8", "utf-16le"),
  },
  { requiredKeys: [] },
);
const csvRecords = fc
  .tuple(
    fc.uniqueArray(
      csvCell.filter((cell) => cell !== ""),
      { minLength: 1, maxLength: 4 },
    ),
    fc.array(fc.array(csvCell, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
  )
  .map(([columns, rows]) =>
    rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]!]))),
  );

describe("properties", () => {
  test("JSON: reading what was written gives the same document", () => {
    fc.assert(
      fc.property(jsonDocument, fc.constantFrom(0, 2), (document, indent) =>
        expectSame("JSON", document, { indent }),
      ),
      RUNS,
    );
  }, 60_000);

  test("XML: reading what was written gives the same document", () => {
    fc.assert(
      fc.property(xmlElement, xmlName, xmlSettings, (value, root, settings) =>
        expectSame("XML", { [root]: value }, settings),
      ),
      RUNS,
    );
  }, 60_000);

  test("CSV: reading what was written gives the same document, in any dialect", () => {
    fc.assert(
      fc.property(csvRecords, csvSettings, (records, settings) => expectSame("CSV", records, settings)),
      RUNS,
    );
    const rows = fc.array(fc.array(csvCell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(rows, csvSettings, (document, settings) =>
        expectSame("CSV", document, { ...settings, header: "absent" }),
      ),
      RUNS,
    );
  }, 60_000);

  test("streams: records come back the same, wherever the chunks are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        csvRecords,
        csvSettings,
        fc.integer({ min: 1, max: 40 }),
        async (records, settings, size) => {
          const writer = openRecordWriter("CSV", settings);
          const outcomes = [...records.map((record) => writer.write(record)), writer.end()];
          const bytes = Buffer.concat(
            outcomes.map((outcome) => (outcome.ok ? outcome.bytes : Buffer.from("fault"))),
          );
          expect(Buffer.compare(bytes, bytesOfDocument("CSV", records, settings))).toBe(0);
          const stream = await readAll(readRecords("CSV", chunksOf(bytes, size), settings));
          expect(stream).toMatchObject({ records, fault: undefined });
        },
      ),
      RUNS,
    );
    const path = { recordPath: "/orders/list/order" };
    await fc.assert(
      fc.asyncProperty(
        fc.array(xmlElement, { maxLength: 5 }),
        xmlSettings,
        fc.integer({ min: 1, max: 40 }),
        async (records, settings, size) => {
          const writer = openRecordWriter("XML", { ...settings, ...path });
          const outcomes = [...records.map((record) => writer.write(record)), writer.end()];
          const bytes = Buffer.concat(
            outcomes.map((outcome) => (outcome.ok ? outcome.bytes : Buffer.from("fault"))),
          );
          const stream = await readAll(readRecords("XML", chunksOf(bytes, size), { ...settings, ...path }));
          expect(stream).toMatchObject({ records, fault: undefined });
        },
      ),
      RUNS,
    );
  }, 120_000);

  test("any bytes end with an outcome, and a fault has a place inside them", () => {
    const soup = fc.array(
      fc.constantFrom(
        "{",
        "}",
        "[",
        "]",
        '"',
        ",",
        ":",
        "<a>",
        "</a>",
        "<",
        "&",
        "\\u",
        "\n",
        "1",
        "e",
        "é",
        "a",
        "<!",
        "?>",
        "\u0000",
      ),
      { maxLength: 30 },
    );
    const bytes = fc.oneof(
      soup.map((parts) => Buffer.from(parts.join(""))),
      fc.uint8Array({ maxLength: 60 }),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom("JSON", "XML", "CSV"), (input, format) => {
        const outcome = parseDocument(format, input, {});
        if (outcome.ok) {
          expect(writeDocument(format, outcome.document, {}).ok || format !== "JSON").toBe(true);
          return;
        }
        for (const { offset, line, column } of outcome.faults) {
          expect(offset).toBeWithin(0, input.byteLength + 1);
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
        }
      }),
      { ...RUNS, numRuns: 5_000 },
    );
  }, 60_000);

  test("JSON: what is read is what JSON.parse reads, and what it refuses is refused", () => {
    const soup = fc.array(
      fc.constantFrom(
        "{",
        "}",
        "[",
        "]",
        '"a"',
        ",",
        ":",
        "1",
        "-",
        "0.5",
        "e3",
        "true",
        "null",
        " ",
        '"\\n"',
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(soup, (parts) => {
        const input = parts.join("");
        // Beyond a double: JSON.parse says Infinity.
        if (/e3\d/.test(input)) return;
        const outcome = parseDocument("JSON", Buffer.from(input), {});
        let expected: unknown;
        try {
          expected = JSON.parse(input);
        } catch {
          expect(outcome).toMatchObject({ ok: false, faults: [{ code: "invalid_json" }] });
          return;
        }
        if (outcome.ok) expect(outcome.document as unknown).toEqual(expected);
        else expect(outcome.faults[0]!.code).toBe("duplicate_key");
      }),
      { ...RUNS, numRuns: 5_000 },
    );
  }, 60_000);
});
