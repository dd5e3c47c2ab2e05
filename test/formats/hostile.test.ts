import { describe, expect, test } from "bun:test";
import { runStream } from "../../bench/support/transform-streams.ts";
import type { DocumentFormat } from "../../src/platform/formats/document.ts";
import { parseDocument } from "../../src/platform/formats/parse-document.ts";
import { bytesOf } from "./outcomes.ts";

const MEBIBYTE = 1_048_576;
const filled = (text: string, head = "", tail = ""): Uint8Array =>
  bytesOf(
    head + text.repeat(Math.floor((MEBIBYTE - head.length - tail.length) / Buffer.byteLength(text))) + tail,
  );

const LAUGHS = `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">${Array.from(
  { length: 9 },
  (_, level) => `<!ENTITY lol${level + 1} "${`&lol${level === 0 ? "" : level};`.repeat(10)}">`,
).join("")}]><lolz>&lol9;</lolz>`;

/** A document of up to a mebibyte that would make a careless reader slow, large, or tell what it must not. */
const DOCUMENTS: readonly (readonly [
  what: string,
  format: DocumentFormat,
  bytes: Uint8Array,
  code: string | null,
])[] = [
  [
    "external entity",
    "XML",
    bytesOf('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    "doctype_refused",
  ],
  ["external DTD", "XML", bytesOf('<!DOCTYPE a SYSTEM "http://169.254.169.254/x"><a/>'), "doctype_refused"],
  [
    "parameter entity",
    "XML",
    bytesOf('<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><a/>'),
    "doctype_refused",
  ],
  ["entity without DOCTYPE", "XML", bytesOf("<a>&x;</a>"), "invalid_xml"],
  ["billion laughs", "XML", bytesOf(LAUGHS), "doctype_refused"],
  [
    "quadratic blow-up",
    "XML",
    filled("&a;", `<!DOCTYPE a [<!ENTITY a "${"a".repeat(50_000)}">]><a>`),
    "doctype_refused",
  ],
  ["DOCTYPE without end", "XML", filled("<!ENTITY a 'b'>", "<!DOCTYPE a ["), "doctype_refused"],
  [
    "XInclude",
    "XML",
    bytesOf('<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd"/></a>'),
    null,
  ],
  ["elements within elements", "XML", filled("<a>"), "too_deep"],
  ["elements beside each other", "XML", filled("<b/>", "<a>", "</a>"), "too_many_values"],
  [
    "attributes without end",
    "XML",
    bytesOf(`<a ${Array.from({ length: 90_000 }, (_, at) => `a${at}=""`).join(" ")}/>`),
    null,
  ],
  [
    "namespaces without end",
    "XML",
    bytesOf(`<a ${Array.from({ length: 30_000 }, (_, at) => `xmlns:a${at}="u"`).join(" ")}/>`),
    null,
  ],
  ["references", "XML", filled("&#65;", "<a>", "</a>"), null],
  ["CDATA sections", "XML", filled("<![CDATA[x]]>", "<a>", "</a>"), null],
  ["comments in front", "XML", filled("<!---->", "", "<a/>"), null],
  ["open brackets", "XML", filled("<"), "invalid_xml"],
  ["]] without end", "XML", filled("]", "<a>", "</a>"), null],
  ["element __proto__", "XML", bytesOf("<__proto__><polluted/></__proto__>"), "reserved_name"],
  ["brackets", "JSON", filled("["), "too_deep"],
  ["objects", "JSON", filled('{"a":'), "too_deep"],
  ["brackets that are closed", "JSON", filled("[]", "[[", "]]"), "invalid_json"],
  ["empty arrays", "JSON", filled("[],", "[", "1]"), null],
  ["keys", "JSON", bytesOf(`{${Array.from({ length: 70_000 }, (_, at) => `"${at}":{}`).join(",")}}`), null],
  ["keys without end", "JSON", filled('"":0,', "{", '"":0}'), "too_many_values"],
  ["the same key", "JSON", filled('"aaaa":0,', "{", '"aaaa":0}'), "duplicate_key"],
  ["key __proto__", "JSON", bytesOf('{"__proto__":{"polluted":1}}'), "reserved_name"],
  ["a long number", "JSON", filled("9", "[", "]"), null],
  ["long numbers", "JSON", filled("12345678901234567890,", "[", "1]"), null],
  ["a number with zeros in the middle", "JSON", filled("0", "[1", "1]"), null],
  ["backslashes", "JSON", filled("\\\\", '["', '"]'), null],
  ["an open string", "JSON", filled("a", '["'), "invalid_json"],
  ["halves of surrogate pairs", "JSON", filled('"\\ud800",', "[", "1]"), "lone_surrogate"],
  [
    "broken UTF-8 at the end",
    "JSON",
    Buffer.concat([filled("a", '["', '"]').subarray(0, -2), Uint8Array.of(0xc3)]),
    "invalid_encoding",
  ],
  ["line breaks", "CSV", filled("\n"), null],
  ["line breaks before a fault", "CSV", filled("\n", "a,b\n1\n", "1,2,3"), "wrong_cell_count"],
  ["delimiters", "CSV", filled(","), "too_many_values"],
  ["columns of one name", "CSV", filled("aaaaaaaa,", "", "b"), "duplicate_header"],
  ["an open quote", "CSV", filled("a\n", 'a\n"'), "invalid_csv"],
  ["quotes", "CSV", filled('""', "a\n"), null],
  ["quotes that open late", "CSV", filled('a"', "a\n"), "invalid_csv"],
  ["a header __proto__", "CSV", bytesOf("__proto__,b\n1,2\n"), "reserved_name"],
  ["NUL bytes", "CSV", filled("\u0000"), "invalid_csv"],
];

describe("hostile documents", () => {
  test.each(DOCUMENTS)("%s (%s) end in time and within memory", (_what, format, bytes, code) => {
    const before = process.memoryUsage().rss;
    const outcome = parseDocument(format, bytes, {});
    expect(outcome.ok ? null : outcome.faults[0]!.code).toBe(code);
    if (!outcome.ok) {
      expect(outcome.faults.length).toBeLessThan(25);
      for (const { offset } of outcome.faults) expect(offset).toBeWithin(0, bytes.byteLength + 1);
      expect(JSON.stringify(outcome.faults)).not.toContain("root:");
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * MEBIBYTE);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("streams of ten megabytes", () => {
  test.each(["CSV", "XML"] as const)(
    "%s takes no more than 64 MiB beyond the idle process",
    async (format) => {
      const cost = await runStream(format);
      expect(cost.bytes).toBeGreaterThan(9 * MEBIBYTE);
      expect(cost.extraBytes).toBeLessThan(64 * MEBIBYTE);
    },
    60_000,
  );
});
