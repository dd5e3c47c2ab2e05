import { describe, expect, test } from "bun:test";
import { settingsFaults } from "../../src/domain/transformations/format-settings.ts";
import type { DocumentFormat } from "../../src/domain/transformations/transformation-schema.ts";

/** Places of the faults of a format's settings, on the side of the source. */
function pathsOf(format: DocumentFormat, source: Record<string, unknown>): string[] {
  const content = {
    sourceFormat: format,
    targetFormat: "JSON" as const,
    mappingRules: { source, rules: [] },
  };
  return settingsFaults(content).map(({ path }) => path);
}

describe("settingsFaults()", () => {
  test.each([
    ["CSV", { delimiter: '"' }, ["/mappingRules/source/delimiter"]],
    ["CSV", { quote: "," }, ["/mappingRules/source/quote"]],
    ["CSV", { delimiter: ";", quote: ";" }, ["/mappingRules/source/quote"]],
    ["CSV", { escape: "," }, ["/mappingRules/source/escape"]],
    ["CSV", { comment: "," }, ["/mappingRules/source/comment"]],
    ["CSV", { comment: '"' }, ["/mappingRules/source/comment"]],
    ["CSV", { escape: "#", comment: "#" }, ["/mappingRules/source/comment"]],
    ["CSV", { byteOrderMark: true, encoding: "windows-1252" }, ["/mappingRules/source/byteOrderMark"]],
    ["XML", { namespaces: { a: "urn:x", b: "urn:x" } }, ["/mappingRules/source/namespaces/b"]],
    ["XML", { namespaces: { "": "urn:x", b: "urn:x" } }, ["/mappingRules/source/namespaces/b"]],
    ["XML", { namespaces: { xmlns: "urn:x" } }, ["/mappingRules/source/namespaces/xmlns"]],
    ["XML", { namespaces: { xml: "urn:x" } }, ["/mappingRules/source/namespaces/xml"]],
    [
      "XML",
      { namespaces: { a: "http://www.w3.org/XML/1998/namespace" } },
      ["/mappingRules/source/namespaces/a"],
    ],
  ] as const)("%s %j is refused where it contradicts itself", (format, settings, paths) => {
    expect(pathsOf(format, settings)).toEqual([...paths]);
  });

  test("a prefix that no name can have is refused", () => {
    expect(pathsOf("XML", { namespaces: { "1a": "urn:x" } })).not.toEqual([]);
  });

  test.each([
    ["CSV", { delimiter: "\t", trim: true }],
    ["CSV", { delimiter: ";", quote: "'", escape: "\\", comment: "#" }],
    ["CSV", { escape: '"' }],
    ["CSV", { byteOrderMark: true, encoding: "utf-16le" }],
    ["XML", { namespaces: { "": "urn:x", b: "urn:y", xml: "http://www.w3.org/XML/1998/namespace" } }],
  ] as const)("%s %j is taken", (format, settings) => {
    expect(pathsOf(format, settings)).toEqual([]);
  });
});
