import { describe, expect, test } from "bun:test";
import { buildTree, type LoopNode } from "../../src/platform/x12/build-tree.ts";
import { checkSet } from "../../src/platform/x12/check-set.ts";
import { buildHierarchy } from "../../src/platform/x12/hierarchy.ts";
import type { X12Set } from "../../src/platform/x12/model.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { findSet } from "../../src/platform/x12/tables/find-set.ts";
import { segmentsOf } from "../../src/platform/x12/tables/segments.ts";
import { bytesOf, loadTender, wrap } from "./documents.ts";

function readSet(code: string, body: readonly string[], options: Parameters<typeof wrap>[1] = {}): X12Set {
  const functionalId = findSet(code)?.functionalId ?? "ZZ";
  const document = parseInterchanges(bytesOf(wrap([{ code, body }], { functionalId, ...options })));
  return document.interchanges[0]!.groups[0]!.sets[0]!;
}

/** Code, position in the set, segment, element and component of each fault. */
const faultsOf = (code: string, body: readonly string[], options?: Parameters<typeof wrap>[1]): string[] =>
  checkSet(readSet(code, body, options)).map(
    ({ code: fault, at }) =>
      `${fault} ${at.position}${at.segmentId}${[at.element, at.component]
        .filter((part) => part !== null)
        .map((part) => `.${part}`)
        .join("")}`,
  );

const outline = (node: LoopNode): unknown[] =>
  node.children.map((child) => (child.kind === "segment" ? child.id : { [child.id]: outline(child) }));

describe("buildTree()", () => {
  test("sorts a 204 into its loops", () => {
    const set = parseInterchanges(bytesOf(loadTender())).interchanges[0]!.groups[0]!.sets[0]!;
    const tree = buildTree(set);
    const heading = ["ST", "B2", "B2A", "L11", "L11", "G62", "MS3", "AT5", "PLD", "NTE"];
    const stop = [
      "S5",
      "L11",
      "L11",
      "G62",
      "G62",
      "AT8",
      { "0310": ["N1", "N3", "N4", "G61"] },
      { "0320": ["L5", "AT8"] },
      { "0350": ["OID", "LAD"] },
    ];
    expect(tree.faults).toEqual([]);
    expect(tree.ordered).toBe(true);
    expect(outline(tree.root)).toEqual([
      ...heading,
      { "0100": ["N1", "N3", "N4", "G61"] },
      { "0200": ["N7"] },
      ...Array.from({ length: 4 }, () => ({ "0300": stop })),
      "L3",
      "SE",
    ]);
  });

  test("gives back the segments in order", () => {
    const set = parseInterchanges(bytesOf(loadTender())).interchanges[0]!.groups[0]!.sets[0]!;
    const flat = (node: LoopNode): string[] =>
      node.children.flatMap((child) => (child.kind === "segment" ? [child.id] : flat(child)));
    expect(flat(buildTree(set).root)).toEqual(set.segments.map(({ id }) => id));
    expect(buildTree(set).loopOf.length).toBe(set.segments.length);
  });
});

describe("checkSet()", () => {
  const b1 = "B1*SCAC*1*20261123*A";

  test.each([
    ["a right one", "990", [b1], []],
    ["a mandatory segment missing", "990", ["N9*CN*1"], ["segment_missing 2B1"]],
    ["a mandatory loop missing", "204", ["B2**SCAC**1**PP", "B2A*00", "L3*1*G"], ["segment_missing 4S5"]],
    ["a segment too often", "990", [b1, "N9*CN*1", "N9*CN*2"], ["segment_too_often 4N9"]],
    [
      "a loop too often",
      "204",
      ["B2**SCAC**1**PP", "B2A*00", "S5*1*CL", "N1*SH*A", "N1*CN*B"],
      ["loop_too_often 6N1"],
    ],
    ["a segment out of order", "990", [b1, "K1*A", "N9*CN*1"], ["segment_out_of_order 4N9"]],
    ["a segment of other sets", "990", [b1, "AT7*X1*NS"], ["segment_not_in_set 3AT7"]],
    ["a segment that nobody knows", "990", [b1, "ZZ9*1"], ["segment_unknown 3ZZ9"]],
    ["a mandatory element missing", "990", ["B1*SCAC"], ["element_missing 2B1.2"]],
    ["too many elements", "990", [`${b1}*B`], ["element_unexpected 2B1.5"]],
    ["empty elements at the end", "990", [`${b1}***`], []],
    ["a value too long", "990", ["B1*CARRIER*1"], ["element_too_long 2B1.1"]],
    ["a value too short", "990", ["B1*S*1"], ["element_too_short 2B1.1"]],
    ["a code that is none", "990", ["B1*SCAC*1**Q"], ["element_code 2B1.4"]],
    ["a day that is none", "990", ["B1*SCAC*1*20250229"], ["element_date 2B1.3"]],
    ["a leap day", "990", ["B1*SCAC*1*20240229"], []],
    ["a control character", "990", ["B1*SCAC*A\tB"], ["element_character 2B1.2"]],
    ["letters in a number", "204", ["B2**SCAC**1**PP**X", "B2A*00", "S5*1*CL"], ["element_character 2B2.8"]],
    [
      "a decimal in a whole number",
      "204",
      ["B2**SCAC**1**PP", "B2A*00", "S5*1.5*CL"],
      ["element_character 4S5.1"],
    ],
    [
      "a sign and a point beside the length",
      "204",
      ["B2**SCAC**1**PP", "B2A*00", "S5*1*CL", "L3*-1234567.891*G"],
      [],
    ],
    [
      "a time that is none",
      "214",
      ["B10*1*2*SCAC", "LX*1", "AT7*X1*NS***20261123*2500"],
      ["element_time 4AT7.6"],
    ],
    ["a pair with one missing", "214", ["B10*1*2*SCAC", "LX*1", "AT7*X1"], ["element_condition 4AT7.2"]],
    [
      "elements that exclude each other",
      "214",
      ["B10*1*2*SCAC", "LX*1", "AT7*X1*NS*AA*NA"],
      ["element_exclusion 4AT7.3"],
    ],
    ["at least one of two missing", "214", ["B10***SCAC"], ["element_condition 2B10.1"]],
    [
      "a condition",
      "214",
      ["B10*1*2*SCAC", "LX*1", "AT7*X1*NS***20261123**ET"],
      ["element_condition 4AT7.6"],
    ],
    [
      "a list condition",
      "214",
      ["B10*1*2*SCAC", "LX*1", "AT7*X1*NS", "MS1*CHICAGO"],
      ["element_condition 5MS1.2"],
    ],
    ["a component separator in text", "990", [b1, "K1*A>B"], ["component_unexpected 3K1.1"]],
    [
      "a component too many",
      "997",
      ["AK1*SM*1", "AK2*204*0001", "AK3*B2*2**8", "AK4*4>1>9*145*5", "AK5*R*5", "AK9*R*1*1*0"],
      ["component_unexpected 5AK4.1.3"],
    ],
    [
      "a component of wrong form",
      "997",
      ["AK1*SM*1", "AK2*204*0001", "AK3*B2*2**8", "AK4*x*145*5", "AK5*R*5", "AK9*R*1*1*0"],
      ["element_character 5AK4.1.1"],
    ],
    ["a set without a table", "850", ["BEG*00*SA*1**20261123"], ["set_unknown 1ST.1"]],
  ])("%s", (_what, code, body, expected) => {
    expect(faultsOf(code, body)).toEqual(expected);
  });

  test("names the data element, the loop and a copy of the value", () => {
    const [fault] = checkSet(readSet("204", ["B2**SCAC**1**PP", "B2A*00", "S5*1*CL", "N1*SHIP*ACME"]));
    expect(fault).toMatchObject({
      code: "element_too_long",
      reference: "98",
      value: "SHIP",
      at: { loop: "0310" },
    });
  });

  test("knows repetitions and the elements of 005010", () => {
    const body = [
      "AK1*SM*1*004010",
      "AK2*204*0001",
      "IK3*B2*2**8",
      "CTX*A>B^C",
      "IK4*4*145*5",
      "IK5*R*5",
      "AK9*R*1*1*0",
    ];
    const options = { version: "005010X231A1", isa11: "^", isa12: "00501" };
    expect(faultsOf("999", body, options)).toEqual([]);
    const twice = body.map((line) => line.replace("IK5*R*5", "IK5*R*5^4"));
    expect(faultsOf("999", twice, options)).toEqual(["repetition_unexpected 7IK5.2"]);
  });

  test("every segment of every table is in the directory", () => {
    for (const code of ["204", "210", "214", "990", "997", "999"]) {
      const table = findSet(code)!;
      const unknown = [...table.segmentIds].filter((id) => !segmentsOf(table.version).has(id));
      expect([code, unknown]).toEqual([code, []]);
    }
  });
});

describe("buildHierarchy()", () => {
  test("nests HL segments by their parents and finds what does not fit", () => {
    const set = readSet("856", ["HL*1**S*1", "TD1*A", "HL*2*1*O*1", "HL*3*2*I*0", "HL*3*9*I*1", "LIN**SK*1"]);
    const { roots, faults } = buildHierarchy(set.segments);
    expect(roots.map(({ level, children }) => [level, children.map(({ id }) => id)])).toEqual([
      ["S", ["2"]],
      ["I", []],
    ]);
    expect(faults.map(({ code }) => code)).toEqual([
      "hierarchy_id_duplicate",
      "hierarchy_parent_unknown",
      "hierarchy_child_flag",
    ]);
    expect(checkSet(set).map(({ code }) => code)).toContain("hierarchy_parent_unknown");
  });
});
