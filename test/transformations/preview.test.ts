import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Answer, startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";

let hub: TestApp;
let tenant: TestTenant;
beforeAll(async () => {
  hub = await startTestApp({ env: { API_RATE_LIMIT: "100000/60" } });
  tenant = await hub.newTenant();
}, 60_000);
afterAll(() => hub.stop(), 60_000);

const ask = (path: string, body: object): Promise<Answer> =>
  hub.call("POST", `/api/v1/transformations/${path}`, { key: tenant.apiKey, body });

const rules = (list: object[]) => ({
  sourceFormat: "JSON",
  targetFormat: "JSON",
  mappingRules: { rules: list },
});

interface Fault {
  code: string;
  source?: string;
  rule?: string;
  line?: number;
  column?: number;
  segment?: number;
  element?: number;
}
const faultsOf = ({ json }: Answer): Fault[] => json["faults"] as Fault[];

describe("POST /api/v1/transformations/preview", () => {
  test("shows the output, and what each rule did and how long it took", async () => {
    const { status, json } = await ask("preview", {
      ...rules([
        { target: "id", from: "load.id" },
        { target: "city", from: { call: "upper", args: ["load.city"] } },
      ]),
      input: { load: { id: 7, city: "Reno" } },
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      ok: true,
      code: null,
      faults: [],
      output: { format: "JSON", contentType: "application/json", document: { id: 7, city: "RENO" } },
    });
    expect(json["rules"]).toMatchObject([
      { rule: "/mappingRules/rules/0", runs: 1, values: [{ target: "/id", value: 7 }] },
      { rule: "/mappingRules/rules/1", runs: 1, values: [{ target: "/city", value: "RENO" }] },
    ]);
    const { mapMicros } = json["timing"] as { mapMicros: number };
    expect(mapMicros).toBeGreaterThan(0);
  });

  test("keeps a number that a double cannot hold", async () => {
    const { json } = await ask("preview", {
      ...rules([{ target: "id", from: "id" }]),
      input: '{"id": 12345678901234567890}',
    });
    expect((json["output"] as { body: string }).body).toBe('{"id":12345678901234567890}');
  });

  test("points at the field, the rule and the line of a document that does not fit", async () => {
    const answer = await ask("preview", {
      ...rules([{ target: "n", from: { call: "number", args: ["load.weight"] } }]),
      input: '{\n  "load": {\n    "weight": "heavy"\n  }\n}',
    });
    expect(answer.json).toMatchObject({ ok: false, output: null, code: "mapping_failed" });
    expect(faultsOf(answer)).toMatchObject([
      { source: "/load/weight", rule: expect.stringContaining("/mappingRules/rules/0"), line: 3 },
    ]);
  });

  test.each<[string, string, string, string, Fault]>([
    ["JSON", "JSON", '{\n "a": }', "document_invalid", { code: "invalid_json", line: 2 }],
    ["XML", "JSON", "<a>\n<b></a>", "document_invalid", { code: "invalid_xml", line: 2 }],
    [
      "XML",
      "JSON",
      '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
      "document_invalid",
      { code: "doctype_refused", line: 1 },
    ],
    ["CSV", "JSON", 'a,b\n1,"2', "document_invalid", { code: "invalid_csv", line: 2 }],
    ["X12", "JSON", "ISA*00", "document_invalid", { code: expect.any(String) as never, segment: 1 }],
  ])("tells where %s is none", async (sourceFormat, targetFormat, input, code, fault) => {
    const answer = await ask("preview", {
      sourceFormat,
      targetFormat,
      mappingRules: { rules: [{ target: "a", from: "a" }] },
      input,
    });
    expect(answer.json["code"]).toBe(code);
    expect(faultsOf(answer)[0]).toMatchObject({ ...fault });
  });

  test("reads X12 by its readable names, and tells segment and element of a fault", async () => {
    const folder = join(import.meta.dirname, "../../../shared/samples/x12/204");
    const file = readdirSync(folder).sort()[0]!;
    const text = readFileSync(join(folder, file), "latin1");
    const answer = await ask("preview", {
      sourceFormat: "X12",
      targetFormat: "JSON",
      mappingRules: {
        rules: [
          { target: "shipment", from: "B2.B204" },
          { target: "sender", from: "ISA.ISA06" },
        ],
      },
      input: text,
    });
    expect(answer.json["ok"]).toBe(true);
    const { document } = answer.json["output"] as { document: { shipment: string } | { shipment: string }[] };
    expect([document].flat()[0]!.shipment).not.toBe("");
  });

  test("judges source and output by the validation rules", async () => {
    const content = {
      ...rules([{ target: "total", from: "total" }]),
      validationRules: {
        input: { type: "object", required: ["id"] },
        output: { type: "object", properties: { total: { type: "number" } } },
      },
    };
    const source = await ask("preview", { ...content, input: { total: 1 } });
    expect(source.json["code"]).toBe("input_refused");
    const output = await ask("preview", { ...content, input: { id: 1, total: "x" } });
    expect(output.json["code"]).toBe("output_refused");
    expect(faultsOf(output)[0]?.rule).toStartWith("/validationRules");
  });

  test("ends a mapping that takes too long, and serves on", async () => {
    const answer = await ask("preview", {
      ...rules([{ target: "a", from: { jsonata: "($f := function($n) { $f($n + 1) }; $f(1))" } }]),
      input: {},
    });
    expect(answer.json["ok"]).toBe(false);
    const next = await ask("preview", { ...rules([{ target: "a", from: "a" }]), input: { a: 1 } });
    expect(next.json["ok"]).toBe(true);
  }, 30_000);

  test("refuses JSON and X12 of more than 1 MiB, and reads CSV of more record by record", async () => {
    const json = await ask("preview", {
      ...rules([{ target: "a", from: "a" }]),
      input: JSON.stringify({ a: "x".repeat(1_100_000) }),
    });
    expect(json.json["code"]).toBe("document_too_large");
    const csv = await ask("preview", {
      sourceFormat: "CSV",
      targetFormat: "CSV",
      mappingRules: { recordPath: "[*]", rules: [{ target: "b", from: "a" }] },
      input: `a\n${"x".repeat(99)}\n`.padEnd(1_200_000, `${"y".repeat(99)}\n`),
    });
    expect(csv.json["ok"]).toBe(true);
  });

  test.each<[string, object, string]>([
    ["neither a template nor rules", { input: {} }, "/mappingRules"],
    ["both", { ...rules([]), template: "x", input: {} }, "/mappingRules"],
    ["a template that there is not", { template: "nothing", input: {} }, "/template"],
    [
      "faulty rules",
      { ...rules([{ target: "a", from: { call: "nothing" } }]), input: {} },
      "/mappingRules/rules/0",
    ],
    ["a document that is no text", { ...rules([]), sourceFormat: "XML", input: {} }, "/input"],
    ["broken base64", { ...rules([]), sourceFormat: "CSV", input: "?", inputEncoding: "base64" }, "/input"],
  ])("answers 422 to %s", async (_name, body, path) => {
    const { status, json } = await ask("preview", body);
    expect(status).toBe(422);
    expect((json["errors"] as { path: string }[]).some((error) => error.path.startsWith(path))).toBe(true);
  });

  test("shows nothing of another tenant's template", async () => {
    const other = await hub.newTenant();
    await hub.call("POST", "/api/v1/transformations", {
      key: other.apiKey,
      body: {
        ...rules([]),
        code: "theirs",
        name: "x",
        mappingRules: { rules: [{ target: "a", from: "a" }] },
      },
    });
    expect((await ask("preview", { template: "theirs", input: {} })).status).toBe(422);
  });
});

describe("POST /api/v1/transformations/validate", () => {
  test("tells every fault at once, of rules, validation and settings", async () => {
    const { status, json } = await ask("validate", {
      sourceFormat: "CSV",
      targetFormat: "JSON",
      mappingRules: {
        source: { delimiter: "ab" },
        rules: [
          { target: "a", from: { call: "nothing" } },
          { target: "b", from: { call: "upper", args: [] } },
          { target: "c", from: "a[" },
        ],
      },
      validationRules: { input: { type: "no-type" } },
    });
    expect(status).toBe(200);
    expect(json["valid"]).toBe(false);
    const paths = (json["faults"] as { path: string }[]).map(({ path }) => path).join(" ");
    for (const path of [
      "/mappingRules/rules/0",
      "/mappingRules/rules/1",
      "/mappingRules/rules/2",
      "/mappingRules/source/delimiter",
      "/validationRules/input",
    ])
      expect(paths).toContain(path);
  });

  test("finds nothing wrong with a good one", async () => {
    expect((await ask("validate", rules([{ target: "a", from: "a" }]))).json).toEqual({
      valid: true,
      faults: [],
    });
  });

  test("refuses rules that look outside the record of a document that is read record by record", async () => {
    const { json } = await ask("validate", {
      sourceFormat: "CSV",
      targetFormat: "JSON",
      mappingRules: { recordPath: "[*]", rules: [{ target: "a", from: "$parent.x" }] },
    });
    expect((json["faults"] as { code: string }[]).map(({ code }) => code)).toContain("outside_record");
  });
});

describe("POST /api/v1/transformations/suggest", () => {
  test("finds a mapping between two samples that passes as it is", async () => {
    const source = {
      Shipment: {
        ShipmentNo: "L-7788",
        Stops: [
          { City: "Reno", Zip: "89501" },
          { City: "Elko", Zip: "89801" },
        ],
      },
    };
    const target = { loadNumber: "L-7788", stops: [{ city: "Reno", postalCode: "89501" }] };
    const { status, json } = await ask("suggest", {
      sourceFormat: "JSON",
      targetFormat: "JSON",
      source,
      target,
    });
    expect(status).toBe(200);
    expect(json["unmatchedTargets"]).toEqual([]);
    const preview = await ask("preview", {
      sourceFormat: "JSON",
      targetFormat: "JSON",
      mappingRules: json["mappingRules"],
      input: source,
    });
    expect((preview.json["output"] as { document: unknown }).document).toEqual({
      loadNumber: "L-7788",
      stops: [
        { city: "Reno", postalCode: "89501" },
        { city: "Elko", postalCode: "89801" },
      ],
    });
  });

  test("reads both samples in their formats, and tells which is none", async () => {
    const good = {
      sourceFormat: "XML",
      targetFormat: "CSV",
      source: "<o><id>L-1</id></o>",
      target: "id\nL-1\n",
    };
    expect((await ask("suggest", good)).status).toBe(200);
    expect((await ask("suggest", { ...good, source: "<o>" })).status).toBe(422);
  });
});

describe("POST /api/v1/transformations/coverage", () => {
  test("tells unused fields of the source, and what the target demands", async () => {
    const { status, json } = await ask("coverage", {
      ...rules([
        { target: "id", from: "load.id" },
        { target: "stops", from: { each: "load.stops", do: { object: [{ target: "city", from: "city" }] } } },
      ]),
      source: { load: { id: 1, note: "x", stops: [{ city: "Reno", zip: "1" }] } },
      targetSchema: {
        type: "object",
        required: ["id", "status"],
        properties: { id: {}, status: {}, weight: {} },
      },
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      unusedSource: ["load.note", "load.stops[*].zip"],
      unmappedRequired: ["status"],
      unmappedOptional: ["weight"],
    });
  });
});
