import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres, { type Sql } from "postgres";
import { validateModel } from "../../src/domain/inbound/models/validate-model.ts";
import { compilePipeline } from "../../src/domain/transformations/document-pipeline.ts";
import { recipeOf } from "../../src/domain/transformations/load-template.ts";
import { checkMapping } from "../../src/domain/transformations/mapping/check-mapping.ts";
import {
  storeSystemTemplates,
  systemTemplateId,
} from "../../src/domain/transformations/store-system-templates.ts";
import { SYSTEM_TEMPLATES } from "../../src/domain/transformations/system-templates.ts";
import { settingsFaults } from "../../src/domain/transformations/format-settings.ts";
import { parseX12Document } from "../../src/platform/x12/parse-x12-document.ts";
import type { X12SettingsInput } from "../../src/platform/x12/settings.ts";
import { startTestPostgres, type TestPostgres } from "../support/services.ts";
import { loadTender, wrap } from "../x12/documents.ts";
import { readSample, samplesAreThere } from "../x12/samples.ts";

const templateOf = (code: string) => SYSTEM_TEMPLATES.find((one) => one.code === code)!;

/** Bytes in, bytes out, as the hub maps; `source` replaces the template's own settings of reading. */
async function transform(code: string, input: string | Uint8Array | object, source?: X12SettingsInput) {
  const template = templateOf(code);
  const mappingRules = source === undefined ? template.mappingRules : { ...template.mappingRules, source };
  const pipeline = compilePipeline(recipeOf({ ...template, mappingRules }, {}), {
    evaluateJsonata: () => Promise.reject(new Error("no template needs an expression")),
  });
  const bytes =
    input instanceof Uint8Array
      ? input
      : Buffer.from(typeof input === "string" ? input : JSON.stringify(input));
  const outcome = await pipeline.transform({ bytes }, { nowMs: Date.parse("2026-11-23T10:30:00Z") });
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.message}`);
  return Buffer.from(outcome.bytes).toString();
}

const json = async (...args: Parameters<typeof transform>) =>
  JSON.parse(await transform(...args)) as Record<string, unknown>;

const STATUS = {
  loadId: "L-77",
  status: "ARRIVED_DELIVERY",
  reasonCode: "NS",
  eventTime: "2026-11-24T09:15:00-06:00",
  referenceNumbers: [
    { type: "PRO", value: "PRO-9" },
    { type: "BOL", value: "88756818" },
  ],
  carrier: { scac: "SCAC" },
  stop: { sequence: 2, type: "DELIVERY", address: { city: "COLUMBUS", region: "OH", country: "US" } },
  equipment: { trailerNumber: "5301" },
};

const INVOICE_210 = wrap(
  [
    {
      code: "210",
      body: [
        "B3**INV-1*L-77*PP*L*20261124*185000**20261123*035*SCAC",
        "C3*USD",
        "ITD*01*3*****30",
        "N9*BM*88756818",
        "N1*BT*ACME FREIGHT PAYABLES*93*ACMEBT",
        "N3*PO BOX 1900",
        "N4*CHICAGO*IL*60680*US",
        "LX*1",
        "L5*1*LINEHAUL",
        "L0*1*42000*FR*42000*G",
        "L1*1*1.75*FR*175000****400",
        "LX*2",
        "L5*2*FUEL",
        "L1*2***10000****FUE",
        "L3*42000*G***185000",
      ],
    },
  ],
  { functionalId: "IM" },
);

const STATUS_214 = wrap(
  [
    {
      code: "214",
      body: [
        "B10*PRO-9*L-77*SCAC",
        "L11*88756818*BM",
        "L11*2*QN",
        "LX*1",
        "AT7*AF*NS***20261123*1700*CT",
        "LX*2",
        "AT7*X1*NS***20261124*0915",
        "MS1*COLUMBUS*OH*US",
        "MS2*SCAC*5301",
      ],
    },
  ],
  { functionalId: "QM" },
);

describe("system templates", () => {
  test.each(SYSTEM_TEMPLATES.map(({ code }) => code))("%s has no fault", async (code) => {
    const template = templateOf(code);
    expect(await checkMapping(template.mappingRules, {})).toEqual([]);
    expect(settingsFaults(template)).toEqual([]);
    expect(template.description.length).toBeGreaterThan(40);
  });

  test("x12-204-to-load: stops with zones, references, totals", async () => {
    expect(await json("x12-204-to-load", loadTender())).toMatchObject({
      loadId: "750270001",
      purpose: "ORIGINAL",
      carrier: { scac: "SCAC" },
      paymentMethod: "PREPAID",
      respondBy: "2026-11-23T10:30:00-06:00",
      equipment: { type: "REEFER", trailerNumber: "53TBD", lengthFeet: 53 },
      referenceNumbers: [
        { type: "PO", value: "3297832" },
        { type: "CUSTOMER", value: "0000011660" },
      ],
      parties: [{ role: "BILL_TO", name: "ACME FREIGHT PAYABLES", contact: { phone: "3125550100" } }],
      stops: [
        { sequence: 1, type: "PICKUP", weight: 10500, weightUnit: "LBR", pieces: 550 },
        {},
        {},
        { sequence: 4, type: "DELIVERY", times: [{ time: "2026-11-24T08:00:00-06:00" }, {}] },
      ],
      totals: { weight: 42000, charge: "1850.00", pieces: 2200 },
      edi: {
        interchangeControlNumber: "000000101",
        setControlNumber: "0001",
        sender: "ACMEFREIGHT",
        test: false,
      },
    });
  });

  test("x12-214-to-load-status: the newest status, all of them beside it; zone by code, else by place", async () => {
    const status = await json("x12-214-to-load-status", STATUS_214);
    expect(validateModel("LOAD_STATUS", status)).toEqual({ ok: true });
    expect(status).toMatchObject({
      loadId: "L-77",
      status: "ARRIVED_DELIVERY",
      eventTime: "2026-11-24T09:15:00-05:00",
      stop: { sequence: 2, type: "DELIVERY", address: { city: "COLUMBUS", region: "OH", country: "US" } },
      carrier: { scac: "SCAC" },
      equipment: { trailerNumber: "5301" },
      events: [{ status: "DEPARTED_PICKUP", eventTime: "2026-11-23T17:00:00-06:00" }, { code: "X1" }],
    });
  });

  test("load-status-to-x12-214 and back: the same status at the same time", async () => {
    const x12 = await transform("load-status-to-x12-214", { type: "load.status", data: STATUS });
    expect(parseX12Document(Buffer.from(x12)).document.accepted).toBe(true);
    expect(x12).toContain("B10*PRO-9*L-77*SCAC~");
    expect(x12).toContain("AT7*X1*NS***20261124*1515*UT~");
    const back = await json("x12-214-to-load-status", x12);
    expect(validateModel("LOAD_STATUS", back)).toEqual({ ok: true });
    expect(back).toMatchObject({ loadId: "L-77", status: "ARRIVED_DELIVERY", carrier: { scac: "SCAC" } });
    expect(Date.parse(back["eventTime"] as string)).toBe(Date.parse(STATUS.eventTime));
  });

  test("load-status-to-x12-214 and back: qualifiers that a type does not tell, and coordinates without a city", async () => {
    const data = {
      ...STATUS,
      stop: undefined,
      referenceNumbers: [
        { type: "BOL", value: "88756818" },
        { type: "BOL", code: "MB", value: "99" },
        { type: "OTHER", code: "ZH", value: "X-1" },
        { type: "OTHER", code: "not of X12", value: "X-2" },
      ],
      location: { latitude: -33.45694, longitude: -70.999999 },
    };
    const x12 = await transform("load-status-to-x12-214", data);
    expect(parseX12Document(Buffer.from(x12)).document.accepted).toBe(true);
    for (const segment of ["L11*88756818*BM~", "L11*99*MB~", "L11*X-1*ZH~", "L11*X-2*ZZ~"])
      expect(x12).toContain(segment);
    expect(x12).toContain("MS1****0710000*0332725*W*S~");
    const back = await json("x12-214-to-load-status", x12);
    expect(validateModel("LOAD_STATUS", back)).toEqual({ ok: true });
    expect((back["referenceNumbers"] as object[]).slice(-4)).toEqual([
      { type: "BOL", value: "88756818" },
      { type: "BOL", code: "MB", value: "99" },
      { type: "OTHER", code: "ZH", value: "X-1" },
      { type: "OTHER", value: "X-2" },
    ]);
    expect(back["location"]).toEqual({ latitude: -33.456944, longitude: -71 });
  });

  test("load-status-to-x12-214 refuses a status that a 214 has no code for", async () => {
    expect(transform("load-status-to-x12-214", { ...STATUS, status: "BOOKED" })).rejects.toThrow("BOOKED");
  });

  test("load-to-x12-990: an acceptance, and a refusal with its reason", async () => {
    const accepted = { loadId: "L-77", carrier: { scac: "SCAC" }, proNumber: "PRO-9" };
    const event = { type: "load.accepted", timestamp: "2026-11-23T10:00:00.000Z", data: accepted };
    expect(await transform("load-to-x12-990", event)).toContain("B1*SCAC*L-77*20261123*A~N9*CN*PRO-9~");
    const declined = { ...accepted, response: "DECLINED", reason: "No truck in Chicago on that day, sorry" };
    const x12 = await transform("load-to-x12-990", declined);
    expect(x12).toContain("B1*SCAC*L-77*20261123*D~");
    expect(x12).toContain("K1*No truck in Chicago on that da~");
    expect(parseX12Document(Buffer.from(x12)).document.accepted).toBe(true);
    const free = await transform("load-to-x12-990", { ...declined, reason: "Rate > $2.00 * 10 ~\nünfair" });
    expect(free).toContain("K1*Rate   $2.00   10   unfair~");
  });

  test("x12-210-to-invoice: lines add up to the total", async () => {
    const invoice = await json("x12-210-to-invoice", INVOICE_210);
    expect(validateModel("INVOICE", invoice)).toEqual({ ok: true });
    expect(invoice).toMatchObject({
      invoiceNumber: "INV-1",
      issueDate: "2026-11-24",
      currency: "USD",
      terms: { netDays: 30 },
      loadId: "L-77",
      billTo: { name: "ACME FREIGHT PAYABLES", id: "ACMEBT", address: { city: "CHICAGO", country: "US" } },
      lines: [
        { lineNumber: 1, description: "LINEHAUL", amount: "1750.00" },
        { lineNumber: 2, description: "FUEL", amount: "100.00" },
      ],
      total: "1850.00",
    });
  });

  test("load, status and invoice come back from their XML as they were", async () => {
    const load = await json("x12-204-to-load", loadTender());
    expect(await json("xml-to-load", await transform("load-to-xml", load))).toEqual(load);
    expect(await json("xml-to-load-status", await transform("load-status-to-xml", { data: STATUS }))).toEqual(
      STATUS,
    );
    const invoice = await json("x12-210-to-invoice", INVOICE_210);
    expect(await json("xml-to-invoice", await transform("invoice-to-xml", invoice))).toEqual(invoice);
  });

  test("CSV has a row for each status, stop and line, and gives statuses back", async () => {
    const csv = await transform("load-status-to-csv", { data: [STATUS, { ...STATUS, loadId: "L-78" }] });
    expect(csv.split("\r\n")[1]).toStartWith(
      "L-77,ARRIVED_DELIVERY,NS,2026-11-24T09:15:00-06:00,,SCAC,2,DELIVERY,",
    );
    const back = (await json("csv-to-load-status", csv)) as unknown as (typeof STATUS)[];
    expect(back.map(({ loadId, stop }) => [loadId, stop.sequence, stop.address.city])).toEqual([
      ["L-77", 2, "COLUMBUS"],
      ["L-78", 2, "COLUMBUS"],
    ]);
    const stops = await transform("load-to-csv", await json("x12-204-to-load", loadTender()));
    expect(stops.trim().split("\r\n")).toHaveLength(5);
    expect(stops).toContain("750270001,ORIGINAL,SCAC,4,DELIVERY,BUCKEYE MARKETS,");
    const lines = await transform("invoice-to-csv", await json("x12-210-to-invoice", INVOICE_210));
    expect(lines).toContain("INV-1,2026-11-24,USD,L-77,SCAC,ACME FREIGHT PAYABLES,2,FUEL,,,100.00,1850.00");
  });
});

describe.skipIf(!samplesAreThere)("system templates on real documents", () => {
  test.each([
    ["204/alps-ntg-204.edi", {}, { loadId: "SI-1745615012", carrier: { scac: "MVTL" } }],
    ["204/ednet-catalyst-204.edi", { mode: "lenient" }, { loadId: "75027674", carrier: { scac: "SCAC" } }],
  ] as const)("204: %s", async (name, source, expected) => {
    const outcome = await json("x12-204-to-load", readSample(name), { mode: "lenient", ...source });
    expect(outcome).toMatchObject(expected);
    expect((outcome["stops"] as unknown[]).length).toBe(2);
  });

  test.each([
    ["210/edifabric-freight-invoice.edi", { mode: "lenient" }, { invoiceNumber: "3410889", total: "51.65" }],
    [
      "210/staedi-210-80col-wrap.edi",
      { lineBreaks: "remove" },
      { invoiceNumber: "699751522", total: "124.17" },
    ],
  ] as const)("210: %s", async (name, source, expected) => {
    const invoice = await json("x12-210-to-invoice", readSample(name), source);
    expect(validateModel("INVOICE", invoice)).toEqual({ ok: true });
    expect(invoice).toMatchObject(expected);
    const cents = (amount: string): number => Math.round(Number(amount) * 100);
    const lines = invoice["lines"] as { amount: string }[];
    expect(lines.reduce((sum, { amount }) => sum + cents(amount), 0)).toBe(cents(expected.total));
  });

  test("214: every set of the real documents becomes a valid status", async () => {
    const one = await json("x12-214-to-load-status", readSample("214/edifabric-shipment-status.edi"), {
      mode: "lenient",
    });
    expect(one).toMatchObject({
      loadId: "123456",
      status: "ARRIVED_PICKUP",
      eventTime: "1997-09-25T08:30:00-05:00",
    });
    const many = (await json("x12-214-to-load-status", readSample("214/canadapost-214-multi.edi"), {
      mode: "lenient",
    })) as unknown as unknown[];
    expect(many.length).toBeGreaterThan(5);
    for (const status of [one, ...many]) expect(validateModel("LOAD_STATUS", status)).toEqual({ ok: true });
  });
});

describe("storeSystemTemplates()", () => {
  let server: TestPostgres;
  let sql: Sql;
  beforeAll(async () => {
    server = await startTestPostgres();
    sql = postgres(server.systemUrl, { max: 4 });
  });
  afterAll(async () => {
    await sql.end();
    await server.stop();
  });

  test("stores each once, however many do it; changed content becomes the next version", async () => {
    const counts = await Promise.all([1, 2, 3].map(() => storeSystemTemplates(sql)));
    expect(counts.sort()).toEqual([0, 0, SYSTEM_TEMPLATES.length]);
    const id = systemTemplateId("load-to-x12-990");
    await sql`update transformation_templates set mapping_rules = '{"rules":[]}' where id = ${id}`;
    expect(await storeSystemTemplates(sql)).toBe(1);
    expect(await storeSystemTemplates(sql)).toBe(0);
    const [head] = await sql<{ version: number; isSystem: boolean }[]>`
      select version, is_system as "isSystem" from transformation_templates where id = ${id}`;
    expect(head).toEqual({ version: 2, isSystem: true });
    const versions = await sql`select version from transformation_versions where template_id = ${id}`;
    expect(versions.length).toBe(2);
  });
});
