import { describe, expect, test } from "bun:test";
import type { DocumentValue } from "../../src/platform/formats/document.ts";
import { readRecords } from "../../src/platform/formats/read-records.ts";
import { openRecordWriter } from "../../src/platform/formats/record-writer.ts";
import { bytesOf, chunksOf, readAll } from "./outcomes.ts";

const LIMITS = { bytesMax: 200, depthMax: 8, valuesMax: 10 };
const XML = `<?xml version="1.0"?>\n<!-- é -->\n<orders a="1">\n <meta><order>no</order></meta>\n <order n="1"><x>é</x></order>\r\n <order/><order>three</order>\n</orders>\n`;

describe("readRecords()", () => {
  test("gives each record with its place, wherever the chunks are cut", async () => {
    for (const size of [1, 2, 3, 7, 1000]) {
      const xml = await readAll(readRecords("XML", chunksOf(XML, size), { recordPath: "/orders/order" }));
      expect(xml.records).toEqual([{ "@n": "1", x: "é" }, "", "three"]);
      expect(xml.places.map(({ line, column }) => [line, column])).toEqual([
        [5, 2],
        [6, 2],
        [6, 10],
      ]);
      const bytes = bytesOf(XML);
      for (const { offset } of xml.places)
        expect(Buffer.from(bytes.subarray(offset, offset + 6)).toString()).toBe("<order");

      const csv = 'a,b\r\n\r\n"é\r\nx",1\r\n2,3\n4,5';
      const read = await readAll(readRecords("CSV", chunksOf(csv, size), {}));
      expect(read.records).toEqual([
        { a: "é\r\nx", b: "1" },
        { a: "2", b: "3" },
        { a: "4", b: "5" },
      ]);
      expect(read.places).toEqual([
        { line: 3, column: 1, offset: 7 },
        { line: 5, column: 1, offset: 18 },
        { line: 6, column: 1, offset: 22 },
      ]);
    }
  });

  test("hands over the records in front of a fault, then the fault with its place", async () => {
    const csv = await readAll(readRecords("CSV", chunksOf("a,b\n1,2\n3\n4,5\n", 3), {}));
    expect(csv).toMatchObject({
      records: [{ a: "1", b: "2" }],
      fault: { code: "wrong_cell_count", line: 3, column: 2, offset: 9 },
    });
    const quote = await readAll(readRecords("CSV", chunksOf('a\n1\n"2"x\n3\n', 4), {}));
    expect(quote).toMatchObject({
      records: [{ a: "1" }],
      fault: { code: "invalid_csv", line: 3, column: 4, offset: 7 },
    });
    const open = await readAll(readRecords("CSV", chunksOf('a\n1\n"2\n3\n', 4), {}));
    expect(open).toMatchObject({
      records: [{ a: "1" }],
      fault: { code: "invalid_csv", line: 3, column: 1, offset: 4 },
    });
    const nul = await readAll(readRecords("CSV", chunksOf("a\n1\n2\u0000\n3\n", 4), {}));
    expect(nul).toMatchObject({ records: [{ a: "1" }], fault: { code: "invalid_csv", line: 3, column: 2 } });
    const settings = { recordPath: "/o/r" };
    const xml = await readAll(readRecords("XML", chunksOf("<o><r>1</r>\n<r>2</x></o>", 4), settings));
    expect(xml).toMatchObject({
      records: ["1"],
      fault: { code: "invalid_xml", line: 2, column: 5, offset: 16 },
    });
    const doctype = await readAll(readRecords("XML", chunksOf(" <!DOCTYPE o [", 5), settings));
    expect(doctype).toMatchObject({ records: [], fault: { code: "doctype_refused", offset: 1 } });
  });

  test("refuses broken UTF-8 at its offset, behind what was whole", async () => {
    const broken = (text: string): Uint8Array =>
      Buffer.concat([bytesOf(text), Uint8Array.of(0xe9), bytesOf("x\n")]);
    const csv = await readAll(readRecords("CSV", chunksOf(broken("a\né\nb"), 2), {}));
    expect(csv.fault).toMatchObject({ code: "invalid_encoding", line: 3, column: 2, offset: 6 });
    const xml = await readAll(
      readRecords("XML", chunksOf(broken("<o>\n<r>é</r>"), 2), { recordPath: "/o/r" }),
    );
    expect(xml.fault).toMatchObject({ code: "invalid_encoding", line: 2, column: 9, offset: 13 });
    const cut = await readAll(readRecords("CSV", [bytesOf("a\n"), Uint8Array.of(0xe2, 0x82)], {}));
    expect(cut.fault).toMatchObject({ code: "invalid_encoding", line: 2, column: 1, offset: 2 });
  });

  test("reads UTF-16 and declared encodings", async () => {
    const wide = Buffer.from("\uFEFFa\n𝄞\n", "utf16le");
    expect((await readAll(readRecords("CSV", chunksOf(wide, 3), {}))).records).toEqual([{ a: "𝄞" }]);
    const latin = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><o><r>é</r></o>', "latin1");
    expect((await readAll(readRecords("XML", chunksOf(latin, 3), { recordPath: "/o/r" }))).records).toEqual([
      "é",
    ]);
  });

  test("bounds one record and what stands between records, not the stream", async () => {
    const many = Array.from({ length: 5_000 }, (_, at) => `${at},x\n`).join("");
    expect(
      (await readAll(readRecords("CSV", chunksOf(`a,b\n${many}`, 1_000), {}, LIMITS))).records,
    ).toHaveLength(5_000);
    const large = await readAll(readRecords("CSV", chunksOf(`a\n1\n"${"x".repeat(300)}"\n`, 50), {}, LIMITS));
    expect(large).toMatchObject({
      records: [{ a: "1" }],
      fault: { code: "record_too_large", line: 3, offset: 4 },
    });
    const settings = { recordPath: "/o/r" };
    const cases: [string, string][] = [
      [`<o><r>${"x".repeat(300)}</r></o>`, "record_too_large"],
      [`<o><!--${"x".repeat(100_000)}--><r/></o>`, "record_too_large"],
      [`<o><r>${"<a>".repeat(9)}`, "too_deep"],
      [`<o><r>${"<a/>".repeat(11)}</r></o>`, "too_many_values"],
    ];
    for (const [text, code] of cases) {
      expect((await readAll(readRecords("XML", chunksOf(text, 50), settings, LIMITS))).fault).toMatchObject({
        code,
      });
    }
  });

  test("throws what the source throws, and closes it when the reader stops early", async () => {
    async function* failing(): AsyncGenerator<Uint8Array, void> {
      yield bytesOf("a\n1\n");
      throw new Error("connection lost");
    }
    await expect(readAll(readRecords("CSV", failing(), {}))).rejects.toThrow("connection lost");
    let isClosed = false;
    async function* endless(): AsyncGenerator<Uint8Array, void> {
      try {
        for (;;) yield bytesOf("a,b\n".repeat(20_000));
      } finally {
        isClosed = true;
      }
    }
    for await (const outcome of readRecords("CSV", endless(), {})) {
      expect(outcome.ok).toBe(true);
      break;
    }
    expect(isClosed).toBe(true);
  });

  test("says that XML needs a path", async () => {
    expect((await readAll(readRecords("XML", [], {}))).fault).toMatchObject({ code: "missing_record_path" });
  });
});

describe("openRecordWriter()", () => {
  const all = (format: "JSON" | "XML" | "CSV", settings: object, records: DocumentValue[]): string => {
    const writer = openRecordWriter(format, settings);
    const outcomes = [...records.map((record) => writer.write(record)), writer.end()];
    return outcomes
      .map((outcome) => (outcome.ok ? Buffer.from(outcome.bytes).toString() : outcome.faults[0]!.code))
      .join("");
  };

  test("writes JSON, XML and CSV, also without records", () => {
    expect(all("JSON", {}, [{ a: 1 }, "x"])).toBe('[{"a":1},\n"x"]');
    expect(all("JSON", {}, [])).toBe("[]");
    const xml = { recordPath: "/o/r", declaration: false, namespaces: { p: "urn:p" } };
    expect(all("XML", xml, [{ "p:a": "1" }, "x"])).toBe('<o xmlns:p="urn:p"><r><p:a>1</p:a></r><r>x</r></o>');
    expect(all("XML", xml, [])).toBe('<o xmlns:p="urn:p"></o>');
    expect(all("CSV", {}, [{ a: 1 }, { a: "x,y" }])).toBe('a\r\n1\r\n"x,y"\r\n');
    expect(all("CSV", { columns: ["a", "b"] }, [])).toBe("a,b\r\n");
    expect(all("CSV", {}, [])).toBe("");
  });

  test("a record at fault writes nothing, and the next one goes on", () => {
    expect(all("CSV", {}, [{ a: { b: 1 } }, { a: 1 }, { z: 1 }, { a: 2 }])).toBe(
      "unwritable_valuea\r\n1\r\nunknown_column2\r\n",
    );
    expect(all("XML", { recordPath: "/o/r", declaration: false }, [{ "<": 1 }, "x"])).toBe(
      "invalid_name<o><r>x</r></o>",
    );
    expect(all("JSON", {}, [Number.NaN, 1])).toBe("unwritable_value[1]");
    expect(all("XML", { recordPath: "/r" }, ["x"])).toBe("missing_record_pathmissing_record_path");
  });
});
