import { describe, expect, test } from "bun:test";
import { FORMAT_LIMITS } from "../../src/platform/formats/limits.ts";
import { parseDocument } from "../../src/platform/formats/parse-document.ts";
import type { XmlSettings } from "../../src/platform/formats/settings.ts";
import { writeDocument } from "../../src/platform/formats/write-document.ts";
import { bytesOf, read, refusal, textAt, write, writeRefusal } from "./outcomes.ts";

const ORDER = `<?xml version="1.0" encoding="UTF-8"?>\r
<!-- from the dock -->
<o:order xmlns:o="urn:order" id="7" o:kind='a"b'>
  <stop n="1">Memphis</stop>
  <stop>A &amp; B &lt;C&gt; &#233;&#x1D11E;</stop>
  <note/>
  <text>Call <b>first</b> <i>now</i><![CDATA[ <5> ]]></text>
  <stop/>
</o:order>
<?end now?>`;

describe("parseDocument(XML)", () => {
  test("makes strings, objects and arrays of elements, and keeps the order where it would be lost", () => {
    expect(read("XML", ORDER, {})).toEqual({
      "o:order": {
        "@xmlns:o": "urn:order",
        "@id": "7",
        "@o:kind": 'a"b',
        stop: [{ "@n": "1", "#text": "Memphis" }, "A & B <C> é𝄞", ""],
        note: "",
        text: {
          "#text": ["Call ", " ", " <5> "],
          b: "first",
          i: "now",
          "#order": ["#text", "b", "#text", "i", "#text"],
        },
        "#order": ["stop", "stop", "note", "text", "stop"],
      },
    });
  });

  test.each<[string, string, XmlSettings, unknown]>([
    [
      "arrays by path",
      "<a><b>1</b><c><b>2</b></c></a>",
      { arrays: ["/a/b"] },
      { a: { b: ["1"], c: { b: "2" } } },
    ],
    ["layout", "<a>\n <b> x </b>\n</a>", {}, { a: { b: " x " } }],
    ["layout that is wanted", "<a> <b/></a>", { whitespace: "keep" }, { a: { "#text": " ", b: "" } }],
    [
      "xml:space",
      '<a xml:space="preserve"> <b/></a>',
      {},
      { a: { "@xml:space": "preserve", "#text": " ", b: "" } },
    ],
    ["white space alone", "<a> \n </a>", {}, { a: " \n " }],
    ["a comment inside text", "<a>12<!-- x -->34</a>", {}, { a: "1234" }],
    [
      "a comment that is kept",
      "<a>12<!-- x -->34</a>",
      { comments: "keep" },
      { a: { "#text": ["12", "34"], "#comment": " x ", "#order": ["#text", "#comment", "#text"] } },
    ],
    [
      "line breaks",
      "<a b='1\r\n2\t3'>x\r\ny\rz&#13;</a>",
      {},
      { a: { "@b": "1 2 3", "#text": "x\ny\nz\r" } },
    ],
    [
      "names of Object's members",
      "<constructor><toString/></constructor>",
      {},
      { constructor: { toString: "" } },
    ],
    [
      "own prefixes",
      '<x:a xmlns:x="urn:a" xmlns:y="urn:b" y:k="1"><y:b/></x:a>',
      { namespaces: { "": "urn:a", b: "urn:b" } },
      { a: { "@b:k": "1", "b:b": "" } },
    ],
    [
      "own prefix for the default namespace",
      '<a xmlns="urn:a"><b xmlns="urn:z"/></a>',
      { namespaces: { p: "urn:a" } },
      { "p:a": { b: { "@xmlns": "urn:z" } } },
    ],
    [
      "xsi:nil",
      '<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><b i:nil="true"/><c i:nil="false"/></a>',
      { nulls: "nil" },
      { a: { b: null, c: { "@xsi:nil": "false" } } },
    ],
  ])("reads %s", (_what, text, settings, document) => {
    expect(read("XML", text, settings)).toEqual(document as never);
  });

  test.each<[string, string, XmlSettings, object]>([
    ["nothing", "", {}, { code: "invalid_xml", line: 1, column: 1, offset: 0 }],
    ["text outside", " x<a/>", {}, { code: "invalid_xml", offset: 1 }],
    ["a wrong closing tag", "<a>\n<b></c></a>", {}, { code: "invalid_xml", line: 2, column: 4, offset: 7 }],
    [
      "an element that is not closed",
      "<a>\n <b>\n",
      {},
      { code: "invalid_xml", line: 2, column: 2, offset: 5 },
    ],
    ["two roots", "<a/>\n<b/>", {}, { code: "invalid_xml", line: 2, column: 1, offset: 5 }],
    ["a doubled attribute", "<a><b x='1' x='2'/></a>", {}, { code: "invalid_xml", offset: 3 }],
    [
      "attributes doubled by namespace",
      "<a xmlns:p='u' xmlns:q='u'><b p:x='1' q:x='2'/></a>",
      {},
      { code: "invalid_xml", offset: 27 },
    ],
    ["an attribute without quotes", "<a b=1/>", {}, { code: "invalid_xml", offset: 5 }],
    ["an entity", "<a>é\n &nbsp;</a>", {}, { code: "invalid_xml", line: 2, column: 2, offset: 7 }],
    ["a reference to NUL", "<a>&#0;</a>", {}, { code: "invalid_xml", offset: 3 }],
    ["a control character", "<a>\u0001</a>", {}, { code: "invalid_xml", offset: 3 }],
    ["]]> in text", "<a>x]]></a>", {}, { code: "invalid_xml", offset: 4 }],
    ["a prefix without namespace", "<a><p:b/></a>", {}, { code: "invalid_xml", offset: 3 }],
    ["a name that begins with a digit", "<1/>", {}, { code: "invalid_xml", offset: 1 }],
    [
      "DOCTYPE",
      "<?xml version='1.0'?>\n<!-- x -->\n <!DOCTYPE a><a/>",
      {},
      { code: "doctype_refused", line: 3, column: 2, offset: 34 },
    ],
    ["DOCTYPE that does not end", "<!DOCTYPE a [ <!ENTITY", {}, { code: "doctype_refused", offset: 0 }],
    ["DOCTYPE that is at fault", "<!DOCTYPE a [\u0001", {}, { code: "doctype_refused", offset: 0 }],
    ["an element __proto__", "<a><__proto__/></a>", {}, { code: "reserved_name", offset: 3 }],
    [
      "a prefix of the settings for another namespace",
      "<p:a xmlns:p='urn:z'/>",
      { namespaces: { p: "urn:a" } },
      { code: "prefix_taken", offset: 0 },
    ],
    [
      "an unknown encoding",
      "<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>",
      {},
      { code: "unsupported_encoding" },
    ],
    [
      "UTF-16 that is none",
      "<?xml version='1.0' encoding='UTF-16'?><a/>",
      {},
      { code: "unsupported_encoding" },
    ],
  ])("refuses %s with its place", (_what, text, settings, fault) => {
    expect(refusal("XML", text, settings)).toMatchObject(fault);
  });

  test("reads each encoding by mark, first character or declaration", () => {
    const text = (encoding: string): string => `<?xml version="1.0" encoding="${encoding}"?><a>é</a>`;
    const inputs: Uint8Array[] = [
      bytesOf(`\uFEFF${text("utf-8")}`),
      Buffer.from(`\uFEFF${text("UTF-16")}`, "utf16le"),
      Buffer.from(`\uFEFF${text("UTF-16")}`, "utf16le").swap16(),
      Buffer.from(text("UTF-16"), "utf16le"),
      Buffer.from(text("utf-16be"), "utf16le").swap16(),
      Buffer.from(text("ISO-8859-1"), "latin1"),
      Buffer.from(text("Windows-1252"), "latin1"),
    ];
    for (const bytes of inputs) expect(read("XML", bytes, {})).toEqual({ a: "é" });
    expect(read("XML", Buffer.from("<a>é</a>", "latin1"), { encoding: "iso-8859-1" })).toEqual({ a: "é" });
    const broken = Buffer.concat([bytesOf("<a>\né"), Uint8Array.of(0xe9), bytesOf("</a>")]);
    expect(refusal("XML", broken, {})).toMatchObject({
      code: "invalid_encoding",
      line: 2,
      column: 2,
      offset: 6,
    });
  });

  test("counts bytes, depth, elements and attributes", () => {
    const limits = { bytesMax: 1000, depthMax: 3, valuesMax: 3 };
    expect(refusal("XML", "<a><b><c><d/></c></b></a>", {}, limits)).toMatchObject({
      code: "too_deep",
      offset: 9,
    });
    expect(refusal("XML", "<a><b x='1'/><c/></a>", {}, limits)).toMatchObject({
      code: "too_many_values",
      offset: 13,
    });
    expect(refusal("XML", " ".repeat(1001), {}, limits)).toMatchObject({ code: "document_too_large" });
  });

  test("tells where each value stands", () => {
    const at = (pointer: string): string | undefined => textAt("XML", ORDER, pointer, { comments: "keep" });
    expect(at("")).toStartWith("<o:order xmlns");
    expect(at("/o:order/@o:kind")).toStartWith("o:kind='a\"b'>");
    expect(at("/o:order/stop/0/@n")).toStartWith('n="1">');
    expect(at("/o:order/stop/0/#text")).toStartWith("Memphis");
    expect(at("/o:order/stop/2")).toStartWith("<stop/>");
    expect(at("/o:order/text/#text/1")).toStartWith(" <i>now");
    expect(at("/o:order/text/i")).toStartWith("<i>now");
    expect(at("/#comment")).toStartWith("<!-- from");
    expect(at("/#instruction")).toBe("<?end now?>");
    for (const none of ["/x", "/o:order/stop/3", "/o:order/stop/x", "/o:order/note/x", "/o:order/@id/0"]) {
      expect(at(none)).toBeUndefined();
    }
  });
});

describe("writeDocument(XML)", () => {
  test("writes the same document back, also indented and in other encodings", () => {
    const variants: XmlSettings[] = [
      {},
      { comments: "keep" },
      { indent: 2 },
      { encoding: "utf-16le" },
      { encoding: "iso-8859-1" },
      { encoding: "windows-1252" },
      { declaration: false },
      { whitespace: "keep", comments: "keep" },
    ];
    for (const settings of variants) {
      const document = read("XML", ORDER, settings);
      const written = writeDocument("XML", document, settings);
      if (!written.ok) throw new Error(JSON.stringify(written.faults));
      expect(read("XML", written.bytes, settings)).toEqual(document);
    }
  });

  test("escapes text and attributes so that they come back", () => {
    const nasty = `<&>"']]>\t\n\r \u0085\u2028é𝄞`;
    const written = write("XML", { a: { "@b": nasty, "#text": nasty } }, { declaration: false });
    expect(written).toBe(
      `<a b="&lt;&amp;&gt;&quot;']]&gt;&#9;&#10;&#13; \u0085\u2028é𝄞">&lt;&amp;&gt;"']]&gt;\t\n&#13; \u0085\u2028é𝄞</a>`,
    );
    expect(read("XML", written, {})).toEqual({ a: { "@b": nasty, "#text": nasty } });
  });

  test("writes numbers, booleans and null as the settings say", () => {
    const document = { a: { "@n": 1.5, "@x": null, b: [true, null, 0], c: null } };
    expect(write("XML", document, { declaration: false })).toBe('<a n="1.5"><b>true</b><b/><b>0</b><c/></a>');
    expect(write("XML", document, { declaration: false, nulls: "omit" })).toBe(
      '<a n="1.5"><b>true</b><b>0</b></a>',
    );
    const nil = write("XML", document, { declaration: false, nulls: "nil" });
    expect(nil).toContain('<c xsi:nil="true"/>');
    expect(read("XML", nil, { nulls: "nil" })).toEqual({
      a: { "@n": "1.5", b: ["true", null, "0"], c: null },
    });
  });

  test("declares the settings' namespaces on the root", () => {
    const settings: XmlSettings = { namespaces: { "": "urn:a", b: "urn:b&c" }, declaration: false };
    const written = write("XML", { a: { "b:c": "x" } }, settings);
    expect(written).toBe('<a xmlns="urn:a" xmlns:b="urn:b&amp;c"><b:c>x</b:c></a>');
    expect(read("XML", written, settings)).toEqual({ a: { "b:c": "x" } });
  });

  test("puts what #order does not name behind what it names, and skips what is gone", () => {
    const document = { a: { b: ["1", "2"], c: "3", d: "4", "#order": ["c", "x", "b", "c"] } };
    expect(write("XML", document, { declaration: false })).toBe("<a><c>3</c><b>1</b><b>2</b><d>4</d></a>");
  });

  test.each<[string, unknown, XmlSettings, string, string]>([
    ["no root", {}, {}, "unwritable_value", ""],
    ["two roots", { a: "", b: "" }, {}, "unwritable_value", ""],
    ["a list of roots", { a: ["1", "2"] }, {}, "unwritable_value", ""],
    ["a text", "x", {}, "unwritable_value", ""],
    ["text beside the root", { "#text": "x", a: "" }, {}, "unwritable_value", ""],
    ["an attribute beside the root", { "@x": "x", a: "" }, {}, "unwritable_value", ""],
    ["a name with markup", { "a><evil/><a": "" }, {}, "invalid_name", "/a><evil~1><a"],
    ["a name with a space", { a: { "b c": "" } }, {}, "invalid_name", "/a/b c"],
    ["an empty name", { a: { "": "" } }, {}, "invalid_name", "/a/"],
    ["an attribute's name with markup", { a: { '@x="1" y': "" } }, {}, "invalid_name", '/a/@x="1" y'],
    ["a name with two colons", { "a:b:c": "" }, {}, "invalid_name", "/a:b:c"],
    ["another member with #", { a: { "#cdata": "x" } }, {}, "invalid_name", "/a/#cdata"],
    ["a prefix without namespace", { a: { "p:b": "" } }, {}, "undeclared_prefix", "/a/p:b"],
    ["an attribute's prefix without namespace", { a: { "@p:b": "" } }, {}, "undeclared_prefix", "/a/@p:b"],
    ["a prefix taken back", { a: { "@xmlns:p": "" } }, {}, "undeclared_prefix", "/a/@xmlns:p"],
    ["the prefix xmlns", { a: { "@xmlns:xmlns": "u" } }, {}, "undeclared_prefix", "/a/@xmlns:xmlns"],
    ["an element with the prefix xmlns", { a: { "xmlns:b": "u" } }, {}, "invalid_name", "/a/xmlns:b"],
    ["another namespace for xml", { a: { "@xmlns:xml": "u" } }, {}, "undeclared_prefix", "/a/@xmlns:xml"],
    [
      "attributes doubled by namespace",
      { a: { "@xmlns:p": "u", "@xmlns:q": "u", "@p:x": "1", "@q:x": "2" } },
      {},
      "invalid_name",
      "/a/@q:x",
    ],
    [
      "a namespace against the settings",
      { a: { "@xmlns:p": "u" } },
      { namespaces: { p: "v" } },
      "prefix_taken",
      "/a/@xmlns:p",
    ],
    ["NUL", { a: ["x\u0000"] }, {}, "unwritable_text", "/a/0"],
    ["half a surrogate pair", { a: { "@b": "\ud800" } }, {}, "unwritable_text", "/a/@b"],
    ["U+FFFE", { a: "\uFFFE" }, {}, "unwritable_text", "/a"],
    ["-- in a comment", { a: { "#comment": "x--y" } }, {}, "unwritable_text", "/a/#comment"],
    ["- at a comment's end", { a: { "#comment": "x-" } }, {}, "unwritable_text", "/a/#comment"],
    ["?> in an instruction", { a: { "#instruction": "x ?><b/>" } }, {}, "unwritable_text", "/a/#instruction"],
    [
      "an XML declaration",
      { "#instruction": "xml version='1.0'", a: "" },
      {},
      "unwritable_text",
      "/#instruction",
    ],
    [
      "a name that the encoding has not",
      { a: { ключ: "" } },
      { encoding: "iso-8859-1" },
      "unwritable_text",
      "/a/ключ",
    ],
    ["an object as an attribute", { a: { "@b": {} } }, {}, "unwritable_value", "/a/@b"],
    ["an object as text", { a: { "#text": {} } }, {}, "unwritable_value", "/a/#text"],
    ["a list of lists", { a: { b: [["x"]] } }, {}, "unwritable_value", "/a/b/0"],
    ["NaN", { a: { b: Number.NaN } }, {}, "unwritable_value", "/a/b"],
    ["an order that is none", { a: { b: "", "#order": "b" } }, {}, "unwritable_value", "/a"],
  ])("refuses %s", (_what, document, settings, code, pointer) => {
    expect(writeRefusal("XML", document, settings)).toMatchObject({ code, pointer });
  });

  test("refuses what is deeper or larger than the limits", () => {
    const cyclic: { a?: unknown } = {};
    cyclic.a = cyclic;
    expect(writeRefusal("XML", cyclic, {})).toMatchObject({ code: "too_deep" });
    expect(
      writeRefusal("XML", { a: "x".repeat(100) }, {}, { ...FORMAT_LIMITS, bytesMax: 100 }),
    ).toMatchObject({
      code: "document_too_large",
    });
  });

  test("writes nothing that is not well-formed, whatever the names and values are", () => {
    const pieces = [
      "a",
      "b:c",
      "<",
      ">",
      "&",
      '"',
      "@x",
      "@xmlns",
      "@xmlns:b",
      "#text",
      "#comment",
      "#order",
      "]]>",
      "--",
      "\u0000",
      " ",
      "é",
    ];
    for (const name of pieces) {
      for (const value of pieces) {
        const written = writeDocument("XML", { a: { [name]: value, "@y": value } }, {});
        if (written.ok) expect(parseDocument("XML", written.bytes, {})).toMatchObject({ ok: true });
      }
    }
  });
});
