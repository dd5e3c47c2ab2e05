import { describe, expect, test } from "bun:test";
import { buildInterchange, type InterchangeInput } from "../../src/platform/x12/build-interchange.ts";
import { checkDocument } from "../../src/platform/x12/check-set.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { setToReadable } from "../../src/platform/x12/readable.ts";
import { bytesOf, loadTender } from "./documents.ts";

const time = new Date("2026-11-23T10:30:59Z");

function input(body: object, more: Partial<InterchangeInput> = {}, code = "990"): InterchangeInput {
  return {
    sender: { qualifier: "02", id: "SCAC" },
    receiver: { qualifier: "ZZ", id: "ACMEFREIGHT" },
    version: "00401",
    controlNumber: 12,
    test: false,
    time,
    groups: [
      {
        sender: "SCAC",
        receiver: "ACME",
        version: "004010",
        controlNumber: 7,
        sets: [{ code, controlNumber: 3, body }],
      },
    ],
    ...more,
  };
}

const accept = {
  B1: { B101: "SCAC", B102: "75027674", B103: "20261123", B104: "A" },
  N9: { N901: "CN", N902: "4471" },
};

function textOf(built: InterchangeInput): string {
  const outcome = buildInterchange(built);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return Buffer.from(outcome.bytes).toString();
}

function refusalOf(built: InterchangeInput): string {
  const outcome = buildInterchange(built);
  return outcome.ok ? "built" : `${outcome.faults[0]!.code} ${outcome.faults[0]!.pointer}`;
}

describe("buildInterchange()", () => {
  test("computes widths, counts and trailers", () => {
    expect(textOf(input(accept, { newline: "\n" }))).toBe(
      [
        "ISA*00*          *00*          *02*SCAC           *ZZ*ACMEFREIGHT    *261123*1030*U*00401*000000012*0*P*>~",
        "GS*GF*SCAC*ACME*20261123*1030*7*X*004010~",
        "ST*990*0003~",
        "B1*SCAC*75027674*20261123*A~",
        "N9*CN*4471~",
        "SE*4*0003~",
        "GE*1*7~",
        "IEA*1*000000012~",
        "",
      ].join("\n"),
    );
  });

  test("writes what it reads: a 204 with loops comes back from its own JSON", () => {
    const text = loadTender();
    const set = parseInterchanges(bytesOf(text)).interchanges[0]!.groups[0]!.sets[0]!;
    const { ST: _st, SE: _se, ...body } = setToReadable(set);
    const built = textOf(input(body, { newline: "\n" }, "204"));
    const from = (document: string) => document.slice(document.indexOf("B2*"), document.indexOf("SE*"));
    expect(from(built)).toBe(from(text));
    const document = parseInterchanges(bytesOf(built));
    checkDocument(document);
    expect(document.accepted).toBe(true);
  });

  test("leaves empty elements at the end out, and keeps those in the middle", () => {
    expect(textOf(input({ B1: { B101: "SCAC", B102: "1", B103: "", B104: "" } }))).toContain("~B1*SCAC*1~");
    expect(textOf(input({ B1: { B102: "1" } }))).toContain("~B1**1~");
  });

  test("takes numbers that can be written exactly", () => {
    const body = (weight: number) => ({
      B2: { B206: "PP" },
      B2A: { B2A01: "00" },
      loop0300: [{ S5: { S501: 1, S502: "CL" } }],
      L3: { L301: weight, L302: "G" },
    });
    expect(textOf(input(body(42000.5), {}, "204"))).toContain("L3*42000.5*G~");
    expect(refusalOf(input(body(1e21), {}, "204"))).toBe("number_not_exact /groups/0/sets/0/body/L3/L301");
    expect(refusalOf(input(body(Number.NaN), {}, "204"))).toBe(
      "number_not_exact /groups/0/sets/0/body/L3/L301",
    );
    expect(refusalOf(input(body(2 ** 53), {}, "204"))).toBe("number_not_exact /groups/0/sets/0/body/L3/L301");
  });

  const at = "/groups/0/sets/0/body";
  test.each([
    ["an element separator in data", { B1: { B102: "LOAD*1" } }, `separator_in_data ${at}/B1/B102`],
    ["a terminator in data", { B1: { B102: "LOAD~1" } }, `separator_in_data ${at}/B1/B102`],
    ["a component separator in data", { B1: { B102: "LOAD>1" } }, `separator_in_data ${at}/B1/B102`],
    ["a line break in data", { B1: { B102: "LOAD\n1" } }, `element_character ${at}/B1/B102`],
    ["characters outside ASCII", { B1: { B102: "é" } }, `element_character ${at}/B1/B102`],
    ["a value too long", { B1: { B102: "x".repeat(31) } }, `element_too_long ${at}/B1/B102`],
    ["a code that is none", { B1: { B102: "1", B104: "Z" } }, `element_code ${at}/B1/B104`],
    ["a date that is none", { B1: { B102: "1", B103: "20261131" } }, `element_date ${at}/B1/B103`],
    ["a mandatory segment missing", { N9: { N901: "CN", N902: "1" } }, `segment_missing ${at}`],
    ["a mandatory element missing", { B1: { B101: "SCAC" } }, `element_missing ${at}/B1/B102`],
    ["a segment without a place", { B1: { B102: "1" }, AT7: {} }, `input_invalid ${at}/AT7`],
    ["an element without a place", { B1: { B102: "1", B105: "x" } }, `element_unexpected ${at}/B1/B105`],
    ["an element of another segment", { B1: { N901: "1" } }, `input_invalid ${at}/B1/N901`],
    [
      "a segment too often",
      {
        B1: { B102: "1" },
        N9: [
          { N901: "CN", N902: "1" },
          { N901: "CN", N902: "2" },
        ],
      },
      `segment_too_often ${at}/N9/1`,
    ],
    [
      "an envelope in the body",
      {
        segments: [
          { id: "B1", B102: "1" },
          { id: "SE", SE01: "3" },
        ],
      },
      `input_invalid ${at}/segments/1`,
    ],
    ["null", { B1: { B102: null } }, `input_invalid ${at}/B1/B102`],
    ["text for a segment", { B1: "SCAC" }, `input_invalid ${at}/B1`],
    ["a prototype", JSON.parse('{"__proto__":{"B102":"1"}}') as object, `input_invalid ${at}/__proto__`],
  ])("refuses %s", (_what, body, expected) => {
    expect(refusalOf(input(body))).toBe(expected);
  });

  test.each([
    ["a sender too long", { sender: { qualifier: "ZZ", id: "x".repeat(16) } }, "element_too_long /sender/id"],
    ["a separator in the sender", { sender: { qualifier: "ZZ", id: "A*B" } }, "separator_in_data /sender/id"],
    ["an empty receiver", { receiver: { qualifier: "ZZ", id: "" } }, "receiver_id_invalid /receiver/id"],
    ["control number 0", { controlNumber: 0 }, "input_invalid /controlNumber"],
    ["ten digits", { controlNumber: 1_000_000_000 }, "input_invalid /controlNumber"],
    ["a version of four digits", { version: "0401" }, "isa_length /version"],
    ["equal separators", { separators: { component: "*" } }, "separator_equal "],
    ["a letter as separator", { separators: { segment: "Q" } }, "separator_invalid "],
    ["two characters as separator", { separators: { element: "**" } }, "input_invalid /separators/element"],
    ["text between segments", { newline: "x" }, "input_invalid /newline"],
    ["no time", { time: new Date(Number.NaN) }, "input_invalid /time"],
    ["a separator in a service segment", { services: [["TA1", "0*1"]] }, "separator_in_data /services/0"],
  ] as [string, Partial<InterchangeInput>, string][])(
    "refuses %s in the envelope",
    (_what, more, expected) => {
      expect(refusalOf(input(accept, more))).toBe(expected);
    },
  );

  test("refuses a separator in the group's codes and an unknown set without its group's id", () => {
    const [group] = input(accept).groups;
    expect(refusalOf(input(accept, { groups: [{ ...group!, sender: "A*B" }] }))).toBe(
      "separator_in_data /groups/0",
    );
    const segments = [{ id: "BEG", BEG01: "00" }];
    const unknown = { code: "850", controlNumber: 1, body: { segments } };
    expect(refusalOf(input(accept, { groups: [{ ...group!, sets: [unknown] }] }))).toBe(
      "input_invalid /groups/0/functionalId",
    );
    expect(textOf(input(accept, { groups: [{ ...group!, functionalId: "PO", sets: [unknown] }] }))).toContain(
      "~BEG*00~SE*3*0001~",
    );
  });

  test("uses the separators and characters that the partner agreed to", () => {
    const separators = { element: "|", component: ":", segment: "\n" };
    const text = textOf(
      input(
        { B1: { B102: "ÜBER*1~>" } },
        { separators, characters: "unicode", version: "00501", newline: "\r\n" },
      ),
    );
    expect(text).toContain("|^|00501|000000012|0|P|:\n");
    expect(text).toContain("\nB1||ÜBER*1~>\n");
  });
});
