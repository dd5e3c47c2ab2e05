import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ExactNumber } from "../../src/platform/formats/document.ts";
import { FORMAT_LIMITS } from "../../src/platform/formats/limits.ts";
import type { CsvSettings } from "../../src/platform/formats/settings.ts";
import { parseDocument } from "../../src/platform/formats/parse-document.ts";
import { writeDocument } from "../../src/platform/formats/write-document.ts";
import { bytesOf, read, refusal, textAt, write, writeRefusal } from "./outcomes.ts";

/** csv-spectrum 2.0.0; its file location_coordinates has quotes that RFC 4180 does not allow, and expects what it does not hold. */
const SPECTRUM = join(import.meta.dir, "../../../shared/samples/csv");
const hasSpectrum = existsSync(SPECTRUM);
if (!hasSpectrum) console.log("CSV: the samples of csv-spectrum are not here; their test is skipped");

describe("parseDocument(CSV)", () => {
  test.skipIf(!hasSpectrum)(
    "reads 11 of the 12 files of csv-spectrum, and refuses the 12th with its place",
    () => {
      const read12 = readdirSync(join(SPECTRUM, "csv-spectrum")).map((file) => {
        const outcome = parseDocument("CSV", readFileSync(join(SPECTRUM, "csv-spectrum", file)), {});
        const expected = readFileSync(
          join(SPECTRUM, "csv-spectrum-expected", file.replace(/csv$/, "json")),
          "utf8",
        );
        return { file, outcome, expected: JSON.parse(expected) as unknown };
      });
      expect(read12).toHaveLength(12);
      for (const { file, outcome, expected } of read12) {
        if (file === "location_coordinates.csv") {
          expect(outcome).toMatchObject({
            ok: false,
            faults: [{ code: "invalid_csv", line: 2, column: 22, offset: 81 }],
          });
        } else {
          expect(outcome.ok && outcome.document).toEqual(expected as never);
        }
      }
    },
  );

  test("makes text of cells and guesses nothing", () => {
    const text = "zip,weight,flag,formula\n00123,1e5,true,=1+1\n";
    expect(read("CSV", text, {})).toEqual([{ zip: "00123", weight: "1e5", flag: "true", formula: "=1+1" }]);
  });

  test.each<[string, string, CsvSettings, unknown]>([
    ["semicolons", "a;b\n1,5;2\n", { delimiter: ";" }, [{ a: "1,5", b: "2" }]],
    ["tabs", "a\tb\n1\t\n", { delimiter: "\t" }, [{ a: "1", b: "" }]],
    ["a delimiter of two bytes", "a§b\n1§2", { delimiter: "§" }, [{ a: "1", b: "2" }]],
    ["another quote", "a,b\n'x,''y',\"\n", { quote: "'" }, [{ a: "x,'y", b: '"' }]],
    ["an escape", 'a\n"x\\"y"\n', { escape: "\\" }, [{ a: 'x"y' }]],
    ["comments", "# no\na,b\n# no\n1,#2\n", { comment: "#" }, [{ a: "1", b: "#2" }]],
    ["space around cells", 'a , b\n 1 , " 2 " \n', { trim: true }, [{ a: "1", b: " 2 " }]],
    ["space that counts", "a\n 1 \n", {}, [{ a: " 1 " }]],
    ["all line breaks in one file", "a\r\n1\n2\r3", {}, [{ a: "1" }, { a: "2" }, { a: "3" }]],
    ["line breaks inside quotes", 'a,b\n"1\r\n2","\r"\n', {}, [{ a: "1\r\n2", b: "\r" }]],
    ["empty lines", "\na\n\n1\n\n", {}, [{ a: "1" }]],
    ["empty lines as records", "a\n\n1\n", { emptyLines: "keep" }, [{ a: "" }, { a: "1" }]],
    [
      "no header",
      "1,2\n3,4\n",
      { header: "absent" },
      [
        ["1", "2"],
        ["3", "4"],
      ],
    ],
    ["no header, but columns", "1,2\n", { header: "absent", columns: ["a", "b"] }, [{ a: "1", b: "2" }]],
    [
      "columns in any order, and more",
      "b,x,a\n1,2,3\n",
      { columns: ["a", "b"] },
      [{ b: "1", x: "2", a: "3" }],
    ],
    [
      "more columns, dropped",
      "b,x,a\n1,2,3\n",
      { columns: ["a", "b"], extraColumns: "drop" },
      [{ b: "1", a: "3" }],
    ],
    ["short records", "a,b,c\n1\n", { shortRecords: "fill" }, [{ a: "1", b: "", c: "" }]],
    ["a header only", "a,b\n", {}, []],
    ["nothing", "", {}, []],
    ["a byte-order mark", '\uFEFF"a",b\n1,2', {}, [{ a: "1", b: "2" }]],
    ["names of Object's members", "constructor,toString\n1,2", {}, [{ constructor: "1", toString: "2" }]],
  ])("reads %s", (_what, text, settings, document) => {
    expect(read("CSV", text, settings)).toEqual(document as never);
  });

  test.each<[string, string, CsvSettings, object]>([
    ["a doubled column", "a,b\u00e9,a\n", {}, { code: "duplicate_header", line: 1, column: 6, offset: 6 }],
    ["a column without a name", "a,,b\n", {}, { code: "empty_header", line: 1, column: 3, offset: 2 }],
    ["a column __proto__", "a,__proto__\n1,2", {}, { code: "reserved_name", offset: 2 }],
    [
      "a column __proto__ of the settings",
      "1",
      { header: "absent", columns: ["__proto__"] },
      { code: "reserved_name" },
    ],
    [
      "a missing column",
      "\na\n",
      { columns: ["a", "b"] },
      { code: "missing_column", line: 2, column: 1, offset: 1 },
    ],
    ["a missing header", "", { columns: ["a"] }, { code: "missing_column", line: 1, column: 1, offset: 0 }],
    [
      "a column too many",
      "a,b\n",
      { columns: ["a"], extraColumns: "refuse" },
      { code: "unknown_column", offset: 2 },
    ],
    [
      "a cell too many",
      'a,b\n"x\r\ny",2\n1,2,3\n',
      {},
      { code: "wrong_cell_count", pointer: "/1", line: 4, column: 5, offset: 17 },
    ],
    [
      "a cell too few",
      "a,b\n1\r\n1,2",
      {},
      { code: "wrong_cell_count", pointer: "/0", line: 2, column: 2, offset: 5 },
    ],
    [
      "a cell too few without header",
      "1,2\n3",
      { header: "absent" },
      { code: "wrong_cell_count", pointer: "/1", offset: 5 },
    ],
    ["an open quote", 'a,b\n1,"x\n', {}, { code: "invalid_csv", line: 2, column: 3, offset: 6 }],
    ["text behind a quote", 'a\n"x"y\n', {}, { code: "invalid_csv", line: 2, column: 4, offset: 5 }],
    ["a quote inside a cell", 'a\nx"y"\n', {}, { code: "invalid_csv", line: 2, column: 2, offset: 3 }],
    ["NUL", "a\n1\u0000\n", {}, { code: "invalid_csv", line: 2, column: 2, offset: 3 }],
  ])("refuses %s with its place", (_what, text, settings, fault) => {
    expect(refusal("CSV", text, settings)).toMatchObject(fault);
  });

  test("tells all that is wrong with a header, and the first faults of the records", () => {
    const outcome = parseDocument("CSV", bytesOf("a,a,\n1\n1,2,3,4\n"), {});
    const codes = outcome.ok ? [] : outcome.faults.map(({ code }) => code);
    expect(codes).toEqual(["duplicate_header", "empty_header", "wrong_cell_count", "wrong_cell_count"]);
  });

  test("reads each encoding, and refuses bytes that are not of it", () => {
    const text = "a,b\né,€\n";
    const document = [{ a: "é", b: "€" }];
    expect(read("CSV", Buffer.from(`\uFEFF${text}`, "utf16le"), {})).toEqual(document);
    expect(read("CSV", Buffer.from(text, "utf16le"), { encoding: "utf-16le" })).toEqual(document);
    expect(
      read("CSV", Buffer.from([...bytesOf("a,b\n"), 0xe9, 0x2c, 0x80]), { encoding: "windows-1252" }),
    ).toEqual(document);
    expect(
      read("CSV", Buffer.from([...bytesOf("a,b\n"), 0xe9, 0x2c, 0x80]), { encoding: "iso-8859-1" }),
    ).toEqual([{ a: "é", b: "\u0080" }]);
    expect(refusal("CSV", Buffer.from([...bytesOf("a\n"), 0x78, 0xe9]), {})).toMatchObject({
      code: "invalid_encoding",
      line: 2,
      column: 2,
      offset: 3,
    });
    expect(refusal("CSV", Buffer.from(`\uFEFFa\n\ud800x`, "utf16le"), {})).toMatchObject({
      code: "invalid_encoding",
      line: 2,
      offset: 6,
    });
  });

  test("counts bytes and cells", () => {
    const limits = { ...FORMAT_LIMITS, valuesMax: 4, bytesMax: 100 };
    expect(refusal("CSV", "a,b\n1,2\n3,4\n", {}, limits)).toMatchObject({
      code: "too_many_values",
      line: 3,
      column: 1,
    });
    expect(refusal("CSV", "a".repeat(101), {}, limits)).toMatchObject({ code: "document_too_large" });
  });

  test("tells where each cell stands", () => {
    const text = '# é\r\nname,"é "\r\n\r\n"x\r\ny" ,1\r\nz,2\r\n';
    const settings: CsvSettings = { comment: "#", trim: true };
    expect(textAt("CSV", text, "/0/name", settings)).toStartWith('"x\r\ny"');
    expect(textAt("CSV", text, "/0/é ", settings)).toStartWith("1\r\nz");
    expect(textAt("CSV", text, "/1", settings)).toBe("z,2\r\n");
    expect(textAt("CSV", text, "/1/é ", settings)).toBe("2\r\n");
    for (const none of ["/2", "/0/x", "/0/name/x", "/name"])
      expect(textAt("CSV", text, none, settings)).toBeUndefined();
  });
});

function writeBytes(document: { a: string }[], encoding: "utf-8" | "utf-16le" | "windows-1252"): Uint8Array {
  const outcome = writeDocument("CSV", document, { encoding });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return outcome.bytes;
}

describe("writeDocument(CSV)", () => {
  test("writes RFC 4180, columns in the order in which they occur", () => {
    const document = [
      { a: "x", b: 'q"u,o' },
      { b: -5.2, c: new ExactNumber("12345678901234567890"), a: null },
      { a: true, c: "l\r\nf" },
    ];
    expect(write("CSV", document, {})).toBe(
      'a,b,c\r\nx,"q""u,o",\r\n,-5.2,12345678901234567890\r\ntrue,,"l\r\nf"\r\n',
    );
    expect(write("CSV", document, { columns: ["c"], extraColumns: "drop", newline: "\n" })).toBe(
      'c\n""\n12345678901234567890\n"l\r\nf"\n',
    );
    expect(write("CSV", [["1", "2"]], { header: "absent", quoting: "all", newline: "\n" })).toBe('"1","2"\n');
    expect(write("CSV", [["1", "2"]], { columns: ["a", "b"], byteOrderMark: true })).toBe("a,b\r\n1,2\r\n");
  });

  test("escapes what a spreadsheet would calculate when it is asked to, and nothing else", () => {
    const cells = ["=1+1", "+1-555-0100", "-2+3", "@SUM(A1)", "\tx", "\rx", "＝1", "-5.2", "+7", "a=b", ""];
    const document = cells.map((a) => ({ a, n: -5 }));
    const escaped = read("CSV", write("CSV", document, { formulas: "escape" }), {}) as {
      a: string;
      n: string;
    }[];
    expect(escaped.map(({ a }) => a)).toEqual([
      "'=1+1",
      "'+1-555-0100",
      "'-2+3",
      "'@SUM(A1)",
      "'\tx",
      "'\rx",
      "'＝1",
      "-5.2",
      "+7",
      "a=b",
      "",
    ]);
    expect(escaped.every(({ n }) => n === "-5")).toBe(true);
    expect(write("CSV", [{ "=cmd": "=1" }], { formulas: "escape" })).toBe("'=cmd\r\n'=1\r\n");
    const kept = read("CSV", write("CSV", document, {}), {}) as { a: string }[];
    expect(kept.map(({ a }) => a)).toEqual(cells);
  });

  test("refuses what CSV has no form for, with its pointer", () => {
    const cases: [unknown, CsvSettings, string, string][] = [
      [{ a: 1 }, {}, "unwritable_value", ""],
      [[{ a: { b: 1 } }], {}, "unwritable_value", "/0/a"],
      [[{ a: "x" }, { a: [1] }], {}, "unwritable_value", "/1/a"],
      [[{ a: Number.NaN }], {}, "unwritable_value", "/0/a"],
      [[{ a: 1 }, [1, 2]], {}, "wrong_cell_count", "/1"],
      [[{ a: 1 }, 2], {}, "unwritable_value", "/1"],
      [[["x"]], {}, "unwritable_value", "/0"],
      [[{}], {}, "unwritable_value", "/0"],
      [[{ "": 1 }], {}, "empty_header", ""],
      [[["1", "2"], ["3"]], { header: "absent" }, "wrong_cell_count", "/1"],
      [[{ a: 1, b: 2 }], { columns: ["a"], extraColumns: "refuse" }, "unknown_column", "/0/b"],
      [[{ a: "x\u0000" }], {}, "unwritable_text", "/0/a"],
      [[{ a: "x" }, { a: "\ud800" }], {}, "unwritable_text", "/1"],
      [[{ a: "x" }, { a: "€" }], { encoding: "iso-8859-1" }, "unwritable_text", "/1"],
    ];
    for (const [document, settings, code, pointer] of cases) {
      expect(writeRefusal("CSV", document, settings)).toMatchObject({ code, pointer });
    }
  });

  test("writes each encoding", () => {
    const document = [{ a: "é€" }];
    for (const encoding of ["utf-8", "utf-16le", "windows-1252"] as const) {
      const outcome = parseDocument("CSV", writeBytes(document, encoding), { encoding });
      expect(outcome).toMatchObject({ ok: true, document });
    }
  });
});
