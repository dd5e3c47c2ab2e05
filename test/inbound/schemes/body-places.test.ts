import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { compileBodyBlanking } from "../../../src/domain/inbound/schemes/blank-secrets.ts";
import { findJsonValues, pointerTokens } from "../../../src/domain/inbound/schemes/json-ranges.ts";
import { findScheme } from "../../../src/domain/inbound/schemes/registry.ts";
import { findXmlValues } from "../../../src/domain/inbound/schemes/xml-ranges.ts";

function jsonAt(text: string, pointer: string): string[] {
  return findJsonValues(text, pointerTokens(pointer)).map(({ start, end }) => text.slice(start, end));
}

/** Every pointer of a document with the value that stands there. */
function pointersOf(value: unknown, pointer = ""): [string, unknown][] {
  if (typeof value !== "object" || value === null) return [[pointer, value]];
  const below = Object.entries(value).flatMap(([key, inner]) =>
    pointersOf(inner, `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`),
  );
  return [[pointer, value], ...below];
}

describe("findJsonValues()", () => {
  test("finds every value of any document, however it is spaced", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1, "\t"), (document, space) => {
        const text = JSON.stringify(document, undefined, space);
        for (const [pointer, value] of pointersOf(JSON.parse(text))) {
          expect(jsonAt(text, pointer).map((source) => JSON.parse(source) as unknown)).toEqual([value]);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("gives the source of numbers, and both of a member that stands twice", () => {
    expect(jsonAt('{"id":9007199254740993,"a":{"id":1e400}}', "/id")).toEqual(["9007199254740993"]);
    expect(jsonAt('{"id":"a","id":"b"}', "/id")).toEqual(['"a"', '"b"']);
    expect(jsonAt('{"\\u0069d":1}', "/id")).toEqual(["1"]);
    expect(jsonAt('{"a":[[],[{"b/c~":true}]]}', "/a/1/0/b~1c~0")).toEqual(["true"]);
    expect(jsonAt("[1,2]", "/01")).toEqual([]);
  });

  test("comes to an end on texts that are no JSON, and on deep ones", () => {
    const alphabet = fc.constantFrom("{", "}", "[", "]", '"', "\\", ",", ":", "a", "1", " ");
    fc.assert(
      fc.property(
        fc.string({ unit: alphabet, maxLength: 60 }),
        fc.constantFrom("/a", "/0", "/a/1", ""),
        (text, pointer) => {
          for (const { start, end } of findJsonValues(text, pointerTokens(pointer))) {
            expect(start).toBeLessThan(end);
            expect(end).toBeLessThanOrEqual(text.length);
          }
        },
      ),
      { numRuns: 2000 },
    );
    const deep = `{"x":${"[".repeat(100_000)}${"]".repeat(100_000)},"id":"after"}`;
    expect(jsonAt(deep, "/id")).toEqual(['"after"']);
  });
});

describe("findXmlValues()", () => {
  const XML =
    '\uFEFF<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="u">😀\r\n<s:Body><n   tok = \'se&amp;c\' a=" tok=\'q\'">' +
    "<Org>  ab&lt;<![CDATA[c]]><sub>no</sub></Org><Org/><Org>é😀z</Org></n></s:Body></s:Envelope>";

  test("gives decoded text and the place of its source, whatever the prefixes", () => {
    const found = findXmlValues(XML, "/Envelope/Body/n/Org")!;
    expect(found.map(({ value }) => value)).toEqual(["  ab<c", "", "é😀z"]);
    expect(found.map(({ start, end }) => XML.slice(start, end))).toEqual([
      "  ab&lt;<![CDATA[c]]><sub>no</sub>",
      "",
      "é😀z",
    ]);
    const [attribute] = findXmlValues(XML, "/Envelope/Body/n/@tok")!;
    expect([attribute!.value, XML.slice(attribute!.start, attribute!.end)]).toEqual(["se&c", "se&amp;c"]);
  });

  test("matches the path from the root only", () => {
    expect(
      findXmlValues("<a><b><a><b>x</b></a></b><c><b>y</b></c></a>", "/a/b")!.map(({ value }) => value),
    ).toEqual([""]);
    expect(findXmlValues("<a><c><b>y</b></c></a>", "/a/b")).toEqual([]);
  });

  test("refuses a DOCTYPE, broken and very deep documents", () => {
    expect(findXmlValues("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "/a")).toBeUndefined();
    expect(findXmlValues("<a>&x;</a>", "/a")).toBeUndefined();
    expect(findXmlValues("<a>", "/a")).toBeUndefined();
    expect(findXmlValues("<a>".repeat(300) + "</a>".repeat(300), "/a")).toBeUndefined();
  });
});

describe("compileBodyBlanking()", () => {
  const blank = (scheme: string, signatureSettings: Record<string, unknown> | null, body: string) => {
    const blanking = compileBodyBlanking(findScheme(scheme)!, { signatureSettings });
    return blanking === undefined
      ? undefined
      : new TextDecoder("utf-8", { ignoreBOM: true }).decode(blanking(new TextEncoder().encode(body)));
  };

  test("blanks the token and leaves every other byte", () => {
    const body = '{ "auth" : {"token":"sécret"} ,"n":9007199254740993}';
    expect(blank("token", { pointer: "/auth/token" }, body)).toBe(
      '{ "auth" : {"token":"[redacted]"} ,"n":9007199254740993}',
    );
    expect(blank("token", { xmlPath: "/a/b" }, "<a>\r\n<b>secret</b> </a>")).toBe(
      "<a>\r\n<b>[redacted]</b> </a>",
    );
    expect(blank("token", { xmlPath: "/a/@k" }, "<a k='secret'/>")).toBe("<a k='[redacted]'/>");
  });

  test("blanks the old token of Slack in events and in the forms of commands", () => {
    expect(blank("slack", null, '{"token":"x","event_id":"E1"}')).toBe(
      '{"token":"[redacted]","event_id":"E1"}',
    );
    expect(blank("slack", null, "a=1&token=xyz&b=token&t%6fken=q")).toBe(
      "a=1&token=%5Bredacted%5D&b=token&t%6fken=%5Bredacted%5D",
    );
    expect(blank("slack", null, '{"text":"a&token=b"}')).toBe('{"text":"a&token=b"}');
  });

  test("has nothing to do where no secret stands in the body", () => {
    expect(blank("github", null, "{}")).toBeUndefined();
    expect(blank("token", null, "{}")).toBeUndefined();
    expect(blank("token", { query: "key" }, "{}")).toBeUndefined();
    const bytes = new Uint8Array([0xff, 0xfe]);
    expect(compileBodyBlanking(findScheme("slack")!, {})!(bytes)).toBe(bytes);
  });
});
