import { describe, expect, test } from "bun:test";
import { type AcknowledgmentOptions, buildAcknowledgement } from "../../src/platform/x12/acknowledge.ts";
import { buildInterchange } from "../../src/platform/x12/build-interchange.ts";
import { checkDocument } from "../../src/platform/x12/check-set.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import type { X12SettingsInput } from "../../src/platform/x12/settings.ts";
import { bytesOf, wrap } from "./documents.ts";

const OPTIONS: AcknowledgmentOptions = {
  kind: "997",
  interchangeControlNumber: 900,
  groupControlNumber: 90,
  setControlNumber: 9,
  time: new Date("2026-11-23T10:30:00Z"),
  ta1: "requested",
};

/** Segments of the reply without ISA and IEA; [] when there is none. */
function reply(
  text: string,
  options: Partial<AcknowledgmentOptions> = {},
  settings: X12SettingsInput = {},
): string[] {
  const document = parseInterchanges(bytesOf(text), settings);
  checkDocument(document);
  const built = buildAcknowledgement(document.interchanges[0]!, { ...OPTIONS, ...options });
  if (built === null) return [];
  const outcome = buildInterchange(built);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults));
  return Buffer.from(outcome.bytes).toString().split("~").slice(1, -2);
}

/** AK segments only. */
const notes = (...from: Parameters<typeof reply>): string[] =>
  reply(...from).filter((segment) => /^(?:AK|IK|CTX)/.test(segment));

const B1 = "B1*SCAC*1*20261123*A";
const one = (...body: string[]): string => wrap([{ code: "990", body }], { functionalId: "GF" });

describe("buildAcknowledgement()", () => {
  test("accepts with a 997, sender and receiver in each other's place", () => {
    expect(reply(one(B1))).toEqual([
      "GS*FA*RECEIVER*SENDER*20261123*1030*90*X*004010",
      "ST*997*0009",
      "AK1*GF*55",
      "AK2*990*0001",
      "AK5*A",
      "AK9*A*1*1*1",
      "SE*6*0009",
      "GE*1*90",
    ]);
  });

  test("tells each fault of elements with its place, reference, code and value", () => {
    expect(notes(one("B1*CARRIER**20261131*Q"))).toEqual([
      "AK1*GF*55",
      "AK2*990*0001",
      "AK3*B1*2**8",
      "AK4*1*140*5*CARRIER",
      "AK4*2*145*1",
      "AK4*3*373*8*20261131",
      "AK4*4*558*7*Q",
      "AK5*R*5",
      "AK9*R*1*1*0",
    ]);
  });

  test("tells faults of segments by their codes", () => {
    const body = ["K1*A", B1, "ZZ9*1", "AT7*X1*NS", "N9*CN*1"];
    expect(notes(one(...body)).filter((segment) => segment.startsWith("AK3"))).toEqual([
      "AK3*B1*2**3",
      "AK3*B1*3**7",
      "AK3*ZZ9*4**1",
      "AK3*AT7*5**6",
      "AK3*N9*6**7",
    ]);
    expect(notes(one(B1, "N9*CN*1", "N9*CN*2"))).toContain("AK3*N9*4**5");
    const tender = ["B2**SCAC**1**PP", "B2A*00", "S5*1*CL", "N1*SH*A", "N1*CN*B"];
    expect(notes(wrap([{ code: "204", body: tender }]))).toContain("AK3*N1*6*0310*4");
  });

  test.each([
    ["SE01", (text: string) => text.replace("SE*3", "SE*9"), "AK5*R*4"],
    ["SE02", (text: string) => text.replace("SE*3*0001", "SE*3*0002"), "AK5*R*3"],
    ["SE missing", (text: string) => text.replace("SE*3*0001~", ""), "AK5*R*2"],
    ["both", (text: string) => text.replace("SE*3*0001", "SE*4*0002"), "AK5*R*4*3"],
    ["ST02 short", (text: string) => text.replaceAll("*0001", "*1"), "AK5*R*7"],
    ["ST01 missing", (text: string) => text.replace("ST*990", "ST*"), "AK5*R*6"],
  ])("rejects a set with %s wrong", (_what, change, expected) => {
    expect(notes(change(one(B1)))).toContain(expected);
  });

  test.each([
    ["GE01", (text: string) => text.replace("GE*1", "GE*4"), "AK9*R*4*1*0*5"],
    ["GE02", (text: string) => text.replace("GE*1*55", "GE*1*56"), "AK9*R*1*1*0*4"],
    ["GE missing", (text: string) => text.replace("GE*1*55~", ""), "AK9*R*1*1*0*3"],
    ["GS06", (text: string) => text.replaceAll("*55", "*5A"), "AK9*R*1*1*0*6"],
  ])("rejects a group with %s wrong", (_what, change, expected) => {
    expect(notes(change(one(B1)))).toContain(expected);
  });

  test("accepts partly, and with errors noted in lenient mode", () => {
    const sets = [
      { code: "990", body: [B1] },
      { code: "990", body: ["B1*CARRIER*1"] },
    ];
    const text = wrap(sets, { functionalId: "GF" });
    expect(notes(text).at(-1)).toBe("AK9*P*2*2*1");
    expect(notes(text, {}, { mode: "lenient" }).filter((segment) => /^AK[59]/.test(segment))).toEqual([
      "AK5*A",
      "AK5*E*5",
      "AK9*E*2*2*2",
    ]);
  });

  test("answers with a 999 in the segments of 005010", () => {
    expect(reply(one("B1*CARRIER*1"), { kind: "999" })).toEqual([
      "GS*FA*RECEIVER*SENDER*20261123*1030*90*X*005010X231A1",
      "ST*999*0009*005010X231A1",
      "AK1*GF*55*004010",
      "AK2*990*0001",
      "IK3*B1*2**8",
      "IK4*1*140*5*CARRIER",
      "IK5*R*5",
      "AK9*R*1*1*0",
      "SE*8*0009",
      "GE*1*90",
    ]);
  });

  test("never acknowledges an acknowledgment", () => {
    const body = ["AK1*SM*1", "AK9*A*1*1*1"];
    expect(reply(wrap([{ code: "997", body }], { functionalId: "FA" }))).toEqual([]);
  });

  test("sends a TA1 as ISA14 asks, and always for a refused interchange", () => {
    const asked = one(B1).replace("*0*P*", "*1*P*");
    expect(reply(asked)[0]).toBe("TA1*000000101*261123*1030*A*000");
    expect(reply(one(B1))[0]).toStartWith("GS*FA");
    expect(reply(one(B1), { ta1: "always" })[0]).toStartWith("TA1*");
    expect(reply(asked, { ta1: "never" })[0]).toStartWith("GS*FA");
  });

  test.each([
    ["IEA02", (text: string) => text.replace(/\*000000101~$/, "*000000102~"), "001"],
    ["IEA01", (text: string) => text.replace("IEA*1", "IEA*2"), "021"],
    ["IEA missing", (text: string) => text.replace(/IEA.*/, ""), "023"],
    ["the date", (text: string) => text.replace("*261123*1030*U", "*261323*1030*U"), "014"],
    ["the time", (text: string) => text.replace("*261123*1030*U", "*261123*1090*U"), "015"],
    ["the usage", (text: string) => text.replace("*0*P*>", "*0*Z*>"), "020"],
    ["ISA14", (text: string) => text.replace("*0*P*>", "*7*P*>"), "019"],
    ["the version", (text: string) => text.replace("*00401*", "*A0401*"), "017"],
    ["a segment outside groups", (text: string) => text.replace("IEA*", "K1*A~IEA*"), "022"],
  ])(
    "refuses an interchange with %s wrong by its TA105 code, and acknowledges no group",
    (_what, change, code) => {
      const [ta1, ...rest] = reply(change(one(B1)));
      expect(ta1!.split("*").slice(-2)).toEqual(["R", code]);
      expect(rest).toEqual([]);
    },
  );

  test("tells a duplicate with 025", () => {
    expect(reply(one(B1), { duplicate: true })).toEqual(["TA1*000000101*261123*1030*R*025"]);
  });
});
