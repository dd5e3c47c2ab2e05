import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { choosePartner } from "../../src/domain/edi/choose-partner.ts";
import type { PartnerRow } from "../../src/domain/edi/partner-store.ts";
import { splitInterchanges } from "../../src/domain/edi/split-interchanges.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { parseX12Document } from "../../src/platform/x12/parse-x12-document.ts";
import { startTestApp, type TestApp } from "../edge/app-fixture.ts";
import { loadTender } from "../x12/documents.ts";

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp();
}, 60_000);
afterAll(() => hub.stop());

const PATH = "/api/v1/edi/partners";
const partner = {
  name: "ACME Freight",
  isaQualifier: "ZZ",
  isaId: "ACMEFREIGHT",
  ownIsaQualifier: "02",
  ownIsaId: "SCAC",
};
const response = { ST: { ST01: "990" }, B1: { B101: "SCAC", B102: "L-77", B104: "A" } };

async function newPartner(settings: object = {}) {
  const tenant = await hub.newTenant();
  const made = await hub.call("POST", PATH, { key: tenant.apiKey, body: { ...partner, settings } });
  expect(made.status).toBe(201);
  return { ...tenant, path: `${PATH}/${String(made.json["id"])}`, partnerId: String(made.json["id"]) };
}

describe("POST /api/v1/edi/partners/:id/documents", () => {
  test("writes sets with the partner's envelope and next numbers, and tells it by an event", async () => {
    const { apiKey, path, partnerId, ctx } = await newPartner({
      writing: { separators: { element: "|", segment: "\n" }, test: true },
    });
    await createSubscription(ctx, {
      name: "Van",
      url: "https://van.example.com/in",
      eventTypes: ["edi.document"],
    });
    const bodies = [{ sets: [response] }, { sets: [response, response] }];
    const answers = [];
    for (const body of bodies)
      answers.push(await hub.call("POST", `${path}/documents`, { key: apiKey, body }));
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    const [first, second] = answers.map(({ json }) => json);
    expect(first).toMatchObject({
      partnerId,
      kind: "DOCUMENT",
      setCodes: ["990"],
      interchangeControlNumber: 1,
      functionalId: "GF",
      groupControlNumber: 1,
      status: "WRITTEN",
    });
    expect(first!["x12"]).toContain("ISA|00|          |00|          |02|SCAC           |ZZ|ACMEFREIGHT    |");
    const read = parseX12Document(Buffer.from(String(second!["x12"])));
    expect(read.document.accepted).toBe(true);
    expect(read.sets.map(({ set }) => set.controlNumber)).toEqual(["0002", "0003"]);
    expect(read.document.interchanges[0]).toMatchObject({ controlNumber: "000000002", test: true });
    const shown = await hub.call("GET", `${path}/documents/${String(first!["id"])}`, { key: apiKey });
    expect(shown.json).toEqual(first!);
    const page = await hub.call("GET", `${path}/documents?limit=1`, { key: apiKey });
    expect(page.json["data"]).toMatchObject([{ id: second!["id"] }]);
    const next = await hub.call(
      "GET",
      `${path}/documents?limit=1&cursor=${String(page.json["nextCursor"])}`,
      {
        key: apiKey,
      },
    );
    expect(next.json).toMatchObject({ data: [{ id: first!["id"] }], nextCursor: null });
    const events = await hub.runtime.sqlSystem<{ x12: string }[]>`
      select payload ->> 'x12' as x12 from outbox where tenant_id = ${ctx.tenantId} order by id`;
    expect(events.map(({ x12 }) => x12)).toEqual([first, second].map((one) => String(one!["x12"])));
  });

  test("maps the input of a template", async () => {
    const { apiKey, path } = await newPartner();
    const input = { loadId: "L-77", carrier: { scac: "SCAC" }, response: "DECLINED" };
    const body = { template: { template: "load-to-x12-990" }, input };
    const answer = await hub.call("POST", `${path}/documents`, { key: apiKey, body });
    expect(answer.status).toBe(201);
    expect(answer.json["x12"]).toMatch(/B1\*SCAC\*L-77\*\d{8}\*D~/);
  });

  test.each([
    [
      "a separator in data",
      { sets: [{ ...response, B1: { ...response.B1, B102: "L*77" } }] },
      "/sets/0/B1/B102",
    ],
    [
      "a code that the element does not have",
      { sets: [{ ...response, B1: { ...response.B1, B104: "Z" } }] },
      "/sets/0/B1/B104",
    ],
    ["a set without its code", { sets: [{ B1: response.B1 }] }, "/sets/0/ST"],
    ["neither sets nor a template", {}, "/sets"],
    ["both", { sets: [response], template: { template: "load-to-x12-990" }, input: {} }, "/sets"],
    ["a template that is not there", { template: { template: "none" }, input: {} }, "/template"],
    ["a template to JSON", { template: { template: "x12-204-to-load" }, input: {} }, "/template"],
    [
      "an input that lacks what the template needs",
      { template: { template: "load-to-x12-990" }, input: {} },
      "/input",
    ],
  ])("refuses %s with its place, and takes no number", async (_what, body, path) => {
    const made = await newPartner();
    const answer = await hub.call("POST", `${made.path}/documents`, { key: made.apiKey, body });
    expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
    expect((answer.json["errors"] as { path: string }[])[0]!.path).toStartWith(path);
    const shown = await hub.call("GET", made.path, { key: made.apiKey });
    expect(shown.json["controlNumbers"]).toEqual({ ISA: 0, GS: 0, ST: 0 });
  });

  test("another tenant's partner and document are not there", async () => {
    const [mine, theirs] = [await newPartner(), await newPartner()];
    const made = await hub.call("POST", `${mine.path}/documents`, {
      key: mine.apiKey,
      body: { sets: [response] },
    });
    const path = `${mine.path}/documents`;
    const statuses = await Promise.all([
      hub.call("GET", path, { key: theirs.apiKey }),
      hub.call("POST", path, { key: theirs.apiKey, body: { sets: [response] } }),
      hub.call("GET", `${path}/${String(made.json["id"])}`, { key: theirs.apiKey }),
      hub.call("GET", `${theirs.path}/documents/${String(made.json["id"])}`, { key: theirs.apiKey }),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
  });
});

describe("choosePartner()", () => {
  const row = (id: string, isaId: string, subscriptionId?: string) =>
    ({ id, name: `name of ${id}`, isaId, settings: { subscriptionId } }) as unknown as PartnerRow;
  const rows = [row("a", "ALPHA", "s1"), row("b", "BETA", "s2"), row("c", "GAMMA", "s2")];

  test.each([
    ["its id", { partner: "b", ...response }, "s1", "b"],
    ["its name", { partner: "name of c", ...response }, "s1", "c"],
    ["the receiver of ISA", { ISA: { ISA08: "BETA           " }, ...response }, "s1", "b"],
    ["the subscription", response, "s1", "a"],
    ["a list's first set", [{ partner: "c", ...response }, response], "s1", "c"],
  ])("finds it by %s", (_what, output, subscriptionId, id) => {
    const chosen = choosePartner(rows, output, subscriptionId);
    expect(chosen.ok && chosen.partner.id).toBe(id);
    expect(chosen.ok && chosen.sets.every((set) => !("partner" in (set as object)))).toBe(true);
  });

  test.each([
    ["nobody of that name", { partner: "x", ...response }, "s1", "no EDI partner"],
    ["two with the subscription", response, "s2", "2 EDI partners"],
    ["no hint at all", response, "s3", "no EDI partner"],
    ["nothing to write", [], "s1", "no set"],
  ])("refuses %s", (_what, output, subscriptionId, message) => {
    const chosen = choosePartner(rows, output, subscriptionId);
    expect(!chosen.ok && chosen.message).toContain(message);
  });
});

describe("splitInterchanges()", () => {
  const tender = loadTender();
  const pieces = (text: string) => {
    const bytes = Buffer.from(text);
    return splitInterchanges(bytes).map(({ start, end }) => bytes.subarray(start, end).toString());
  };

  test("cuts after each IEA, whatever stands between; together the pieces are the file", () => {
    const text = `\ufeff${tender}\n\n${tender}\r\n${tender}\n`;
    const cut = pieces(text);
    expect(cut.length).toBe(3);
    expect(cut.join("")).toBe(text);
    expect(cut.map((piece) => piece.trim().replace("\ufeff", ""))).toEqual([tender, tender, tender]);
  });

  test("IEA inside data cuts nothing; what is no interchange stays with its piece", () => {
    const odd = tender.replace("KEEP FROZEN", "IEA KEEP");
    expect(pieces(odd + odd)).toEqual([odd, odd]);
    expect(pieces(`${tender}garbage`)).toEqual([tender, "garbage"]);
    expect(pieces("garbage")).toEqual(["garbage"]);
    expect(pieces(tender.slice(0, 400))).toEqual([tender.slice(0, 400)]);
  });
});
