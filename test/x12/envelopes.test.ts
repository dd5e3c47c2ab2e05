import { describe, expect, test } from "bun:test";
import { allFaults, firstError } from "../../src/platform/x12/model.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import type { X12SettingsInput } from "../../src/platform/x12/settings.ts";
import { bytesOf, loadTender, wrap } from "./documents.ts";

const B1 = ["B1*SCAC*1*20261123*A"];
const good = wrap([{ code: "990", body: B1 }], { functionalId: "GF" });

/** Code, segment and element of each error. */
function errorsOf(text: string, settings: X12SettingsInput = {}): string[] {
  return [...allFaults(parseInterchanges(bytesOf(text), settings))]
    .filter(({ severity }) => severity === "error")
    .map(
      ({ code, at }) => `${code} ${at.segment}${at.segmentId}${at.element === null ? "" : `.${at.element}`}`,
    );
}

/** The same interchange under another control number. */
const numbered = (text: string, number: number): string =>
  text.replaceAll("000000101", String(number).padStart(9, "0"));

const replaced = (from: string | RegExp, to: string): string => good.replace(from, to);

describe("parseInterchanges()", () => {
  test("accepts what is right", () => {
    const document = parseInterchanges(bytesOf(good));
    expect([...allFaults(document)]).toEqual([]);
    expect(document.accepted).toBe(true);
    expect(document.interchanges[0]).toMatchObject({
      sender: { qualifier: "ZZ", id: "SENDER" },
      receiver: { qualifier: "ZZ", id: "RECEIVER" },
      controlNumber: "000000101",
      version: "00401",
      test: false,
      separators: { element: "*", component: ">", repetition: null, segment: "~" },
    });
  });

  test.each([
    ["IEA01 wrong", replaced("IEA*1*", "IEA*2*"), "interchange_group_count 7IEA.1"],
    ["IEA01 no number", replaced("IEA*1*", "IEA*x*"), "interchange_group_count 7IEA.1"],
    ["IEA02 wrong", replaced("IEA*1*000000101", "IEA*1*000000102"), "interchange_control_number 7IEA.2"],
    ["GE01 wrong", replaced("GE*1*", "GE*3*"), "group_set_count 6GE.1"],
    ["GE02 wrong", replaced("GE*1*55", "GE*1*56"), "group_control_number 6GE.2"],
    ["SE01 wrong", replaced("SE*3*", "SE*4*"), "set_segment_count 5SE.1"],
    ["SE02 wrong", replaced("SE*3*0001", "SE*3*0002"), "set_control_number 5SE.2"],
    ["SE missing", replaced("SE*3*0001~", ""), "se_missing 5GE"],
    ["GE missing", replaced("GE*1*55~", ""), "ge_missing 6IEA"],
    ["IEA missing", replaced("IEA*1*000000101~", ""), "iea_missing 6GE"],
    [
      "a set outside a group",
      replaced(/GS[^~]*~/, "")
        .replace("GE*1*55~", "")
        .replace("IEA*1", "IEA*0"),
      "segment_outside_group 2ST",
    ],
    ["a segment between sets", replaced("GE*1", "K1*HELLO~GE*1"), "segment_outside_set 6K1"],
    ["an empty segment", replaced("B1*", "~B1*").replace("SE*3", "SE*4"), "segment_empty 4"],
    ["a segment id in small letters", replaced("B1*", "b1*"), "segment_id_invalid 4b1"],
    ["a date that is none", replaced("*261123*", "*261323*"), "interchange_date_invalid 1ISA.9"],
    ["a time that is none", replaced("*1030*U", "*2460*U"), "interchange_time_invalid 1ISA.10"],
    ["a usage that is none", replaced("*0*P*>", "*0*X*>"), "usage_invalid 1ISA.15"],
    ["an empty sender", replaced("SENDER         ", " ".repeat(15)), "sender_id_invalid 1ISA.6"],
    [
      "a control number with letters",
      good.replaceAll("000000101", "00000010A"),
      "interchange_control_number_invalid 1ISA.13",
    ],
    ["a group without a version", replaced("*X*004010", "*X"), "group_incomplete 2GS.8"],
    ["a group number with letters", good.replaceAll("*55", "*A5"), "group_control_number_invalid 2GS.6"],
    ["a short set number", good.replaceAll("*0001", "*001"), "set_control_number_invalid 3ST.2"],
    ["no set code", replaced("ST*990", "ST*"), "set_code_invalid 3ST.1"],
    ["a narrow ISA", replaced("SENDER         ", "SENDER"), "isa_length 1ISA.6"],
    ["junk after the end", `${good}\u001a`, "data_outside_interchange 8"],
  ])("finds %s in strict mode", (_what, text, expected) => {
    expect(errorsOf(text)[0]).toBe(expected);
  });

  test.each([
    ["no ISA", good.slice(good.indexOf("GS*")), "isa_missing 1GS"],
    ["nothing", "", "isa_missing 1"],
    ["white space only", " \r\n ", "isa_missing 1"],
    ["JSON", '{"load":1}', "isa_missing 1"],
    ["half an ISA", good.slice(0, 60), "isa_malformed 1ISA.8"],
    ["an ISA without a terminator", good.slice(0, 105), "isa_malformed 1ISA.16"],
    ["equal separators", replaced("*0*P*>", "*0*P**"), "separator_equal 1ISA.16"],
    ["component and terminator equal", good.replaceAll("~", ">"), "separator_equal 1ISA.16"],
    ["a letter as terminator", good.replaceAll("~", "Q"), "separator_invalid 1ISA"],
    ["a digit as component", replaced("*0*P*>", "*0*P*7"), "separator_invalid 1ISA.16"],
    [
      "repetition and component equal",
      wrap([{ code: "990", body: B1 }], { isa11: ">", isa12: "00501" }),
      "separator_equal 1ISA.11",
    ],
  ])("refuses %s in both modes", (_what, text, expected) => {
    expect(errorsOf(text)[0]).toBe(expected);
    expect(errorsOf(text, { mode: "lenient" })[0]).toBe(expected);
  });

  test("makes warnings of wrong envelopes in lenient mode, and reads on", () => {
    const text = replaced("SE*3*0001", "SE*9*0007").replace("GE*1*55", "GE*8*1").replace("IEA*1", "IEA*4");
    const document = parseInterchanges(bytesOf(text), { mode: "lenient" });
    expect(document.accepted).toBe(true);
    expect([...allFaults(document)].map(({ code, severity }) => `${severity} ${code}`)).toEqual([
      "warning interchange_group_count",
      "warning group_set_count",
      "warning group_control_number",
      "warning set_segment_count",
      "warning set_control_number",
    ]);
  });

  test("keeps the good sets, groups and interchanges beside the bad ones", () => {
    const two = wrap(
      [
        { code: "990", body: B1 },
        { code: "990", body: B1 },
      ],
      { functionalId: "GF" },
    );
    const second = numbered(good.replace("GE*1*55", "GE*1*56"), 102);
    const text = two.replace("SE*3*0001", "SE*7*0001") + second + numbered(good, 103);
    const document = parseInterchanges(bytesOf(text));
    expect(
      document.interchanges.map(({ groups }) =>
        groups.map(({ sets }) => sets.map(({ accepted }) => accepted)),
      ),
    ).toEqual([[[false, true]], [[false]], [[true]]]);
    expect(firstError(document)!.at).toMatchObject({ interchange: 0, group: 0, set: 0, position: 3 });
  });

  test("reads several interchanges with different separators, and finds those after junk", () => {
    const other = numbered(good.replaceAll("*", "|").replaceAll("~", "\n"), 102);
    const third = numbered(good, 103);
    const document = parseInterchanges(bytesOf(`${good}\r\n${other}junk ISA here ${third}`), {
      mode: "lenient",
    });
    expect(document.interchanges.map(({ separators }) => separators.element)).toEqual(["*", "|", "*"]);
    expect(document.faults.map(({ code }) => code)).toEqual(["data_outside_interchange"]);
  });

  test("starts a new interchange where the trailer of the last is missing", () => {
    const document = parseInterchanges(bytesOf(replaced(/IEA.*/, "") + numbered(good, 102)));
    expect(document.interchanges.map(({ accepted }) => accepted)).toEqual([false, true]);
  });

  test("finds control numbers that come twice", () => {
    const sets = [
      { code: "990", body: B1 },
      { code: "990", body: B1, control: "0001" },
    ];
    expect(errorsOf(wrap(sets, { functionalId: "GF" }))).toEqual(["set_control_number_duplicate 6ST.2"]);
    expect(errorsOf(good + good)).toEqual(["interchange_duplicate 8ISA.13"]);
    const group = /GS.*GE\*1\*55~/.exec(good)![0];
    const twice = replaced(group, group + group.replaceAll("*55", "*0055")).replace("IEA*1", "IEA*2");
    expect(errorsOf(twice)).toEqual(["group_control_number_duplicate 7GS.6"]);
  });

  test("passes byte-order mark, line breaks and indents, and takes any code point as terminator", () => {
    for (const terminator of ["~\r\n", "\n", "\r\n", "!", "…", "\u001c", "𝄞"]) {
      const text = `\ufeff\r\n ${wrap([{ code: "990", body: B1 }], { functionalId: "GF", terminator })}\n\n`;
      const document = parseInterchanges(bytesOf(text));
      expect([terminator, errorsOf(text)]).toEqual([terminator, []]);
      expect(document.interchanges[0]!.groups[0]!.sets[0]!.segments.map(({ id }) => id)).toEqual([
        "ST",
        "B1",
        "SE",
      ]);
    }
    expect(errorsOf(good.replaceAll("~", "~\r\n   "))).toEqual([]);
  });

  test("takes ISA11 as the repetition separator by version or by setting", () => {
    const repetitionOf = (isa11: string, isa12: string, settings: X12SettingsInput = {}) =>
      parseInterchanges(bytesOf(wrap([], { isa11, isa12 })), settings).interchanges[0]!.separators.repetition;
    expect(repetitionOf("^", "00401")).toBeNull();
    expect(repetitionOf("^", "00401", { repetition: "always" })).toBe("^");
    expect(repetitionOf("^", "00402")).toBe("^");
    expect(repetitionOf("^", "00501", { repetition: "never" })).toBeNull();
    expect(repetitionOf("U", "00501")).toBeNull();
  });

  test("takes binary data by its length, also in bytes of UTF-8", () => {
    const read = (body: string[]) =>
      parseInterchanges(bytesOf(wrap([{ code: "214", body }], { functionalId: "QM" }))).interchanges[0]!
        .groups[0]!.sets[0]!;
    const data = "a~ST*x\n>b~";
    const set = read([`BIN*${data.length}*${data}`, `BDS*ASC*6*é~ü*`]);
    expect(set.segments.map(({ elements }) => elements).slice(1, 3)).toEqual([
      ["BIN", "10", data],
      ["BDS", "ASC", "6", "é~ü*"],
    ]);
    expect(set.faults).toEqual([]);
    expect(read(["BIN*99999*abc"]).faults[0]!.code).toBe("binary_length");
    expect(read(["BIN*x*abc"]).faults[0]!.code).toBe("binary_length");
  });

  test("reads bytes that are not UTF-8 as ISO 8859-1 and refuses them where UTF-8 is agreed", () => {
    const bytes = Buffer.from(replaced("*A~", "*\u00e9~"), "latin1");
    expect(parseInterchanges(bytes).encoding).toBe("latin1");
    expect(parseInterchanges(bytes, { encoding: "utf-8" }).faults[0]!.code).toBe("encoding_invalid");
    expect(parseInterchanges(bytesOf(replaced("*A~", "*\u00e9~"))).encoding).toBe("utf-8");
  });

  test("keeps its limits", () => {
    const document = bytesOf(loadTender());
    const codeOf = (limits: X12SettingsInput["limits"]) =>
      firstError(parseInterchanges(document, { limits: limits! }))?.code;
    expect(codeOf({ bytesMax: 100 })).toBe("document_too_large");
    expect(codeOf({ segmentsMax: 20 })).toBe("too_many_segments");
    expect(codeOf({ segmentCharactersMax: 40 })).toBe("segment_too_long");
    expect(codeOf({})).toBeUndefined();
    const many = parseInterchanges(
      bytesOf(wrap([{ code: "990", body: Array.from({ length: 50 }, () => "x") }])),
      {
        limits: { faultsMax: 5 },
      },
    );
    expect([...allFaults(many)].length).toBe(6);
    expect([...allFaults(many)].map(({ code }) => code)).toContain("too_many_faults");
  });
});
