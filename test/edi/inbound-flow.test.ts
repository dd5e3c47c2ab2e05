import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createPartner } from "../../src/domain/edi/create-partner.ts";
import type { PartnerSettings } from "../../src/domain/edi/partner-schema.ts";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { storeSystemTemplates } from "../../src/domain/transformations/store-system-templates.ts";
import { parseX12Document, type X12MappingInput } from "../../src/platform/x12/parse-x12-document.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "../inbound/edge-fixture.ts";
import {
  accepted,
  HttpTarget,
  makeDue,
  receiptsOf,
  receiptWith,
  registerHttp,
  startWorker,
  until,
} from "../inbound/worker-fixture.ts";
import { loadTender } from "../x12/documents.ts";

let edge: EdgeFixture;
let worker: { stop(): Promise<void> };
let target: HttpTarget;
let targetService: string;
beforeAll(async () => {
  edge = await startEdge();
  await storeSystemTemplates(edge.runtime.sqlSystem);
  worker = await startWorker(edge);
  target = new HttpTarget();
  targetService = `t-${newId().slice(-12)}`;
  await registerHttp(edge, targetService, target.url);
  await createSubscription(edge.ctx, {
    name: "Everything of EDI",
    url: "https://van.example.com/in",
    eventTypes: ["edi.*"],
  });
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await target.stop();
  await edge.stop();
}, 60_000);

/** One partner a test; the four ids of its documents. */
async function newPartner(settings: PartnerSettings = {}) {
  const isaId = `P${newId().slice(-12).toUpperCase()}`;
  const ids = { isaQualifier: "ZZ", isaId, ownIsaQualifier: "02", ownIsaId: "SCAC" };
  return createPartner(edge.ctx, { name: isaId, ...ids, settings });
}

const HEADERS = { "content-type": "application/edi-x12" };

interface Interchange {
  isaId: string;
  number?: number;
  sets: { code: string; body: string[]; number?: string }[];
  functionalId?: string;
  services?: string[];
  requested?: string;
}

function interchange({
  isaId,
  number = 1,
  sets,
  functionalId = "SM",
  services = [],
  requested = "0",
}: Interchange) {
  const control = String(number).padStart(9, "0");
  const inner = sets.flatMap(({ code, body, number: setNumber }, index) => {
    const st = setNumber ?? String(index + 1).padStart(4, "0");
    return [`ST*${code}*${st}`, ...body, `SE*${body.length + 2}*${st}`];
  });
  return [
    `ISA*00*          *00*          *ZZ*${isaId.padEnd(15)}*02*SCAC           *261123*1030*U*00401*${control}*${requested}*P*>`,
    ...services,
    `GS*${functionalId}*${isaId}*SCAC*20261123*1030*${number}*X*004010`,
    ...inner,
    `GE*${sets.length}*${number}`,
    `IEA*1*${control}`,
  ]
    .map((segment) => `${segment}~`)
    .join("\n");
}

const tender = (load: string): string[] => [
  `B2**SCAC**${load}**PP`,
  "B2A*00*LT",
  "S5*1*CL",
  "G62*37*20261124*I*0800*CT",
  "N1*SH*ACME*93*A1",
  "N4*CHICAGO*IL*60623*US",
  "S5*2*CU",
  "N1*CN*BUCKEYE*93*B2",
  "N4*COLUMBUS*OH*43217*US",
];

interface Reply {
  kind: string;
  setCodes: string[];
  status: string;
  text: string;
  sets: X12MappingInput[];
  ta1: string[][];
}

async function repliesTo(partnerId: string): Promise<Reply[]> {
  const rows = await edge.runtime.sqlSystem<
    { kind: string; setCodes: string[]; status: string; body: Uint8Array }[]
  >`
    select kind, set_codes as "setCodes", status, body from x12_documents where partner_id = ${partnerId}
    order by interchange_control_number`;
  return rows.map(({ body, ...row }) => {
    const read = parseX12Document(body);
    expect(read.document.accepted).toBe(true);
    return {
      ...row,
      text: Buffer.from(body).toString(),
      sets: read.sets.map(({ input }) => input!),
      ta1: read.document.interchanges[0]!.services.map(({ elements }) => [...elements]),
    };
  });
}

const sentOf = (id: string) => target.requests.filter(({ headers }) => headers.get("hub-receipt-id") === id);
const jsonOf = (request: { body: Uint8Array }) =>
  JSON.parse(Buffer.from(request.body).toString()) as Record<string, unknown>;

async function dead(id: string): Promise<{ errorCode: string | null; errorMessage: string | null }> {
  let found: { errorCode: string | null; errorMessage: string | null } | undefined;
  await until("receipt is DEAD", async () => {
    [found] = await edge.runtime.sqlSystem<{ errorCode: string; errorMessage: string }[]>`
      select error_code as "errorCode", error_message as "errorMessage" from webhook_receipts
      where id = ${id} and status = 'DEAD'`;
    return found !== undefined;
  });
  return found!;
}

describe("a 204 from a partner", () => {
  test("reaches the target as a load; the partner gets a 997 by an edi.document event", async () => {
    const sets = { "204": { template: "x12-204-to-load" } } as const;
    const partner = await newPartner({ sets });
    const endpoint = await makeEndpoint(edge, { targetService });
    const body = interchange({ isaId: partner.isaId, sets: [{ code: "204", body: tender("L-1") }] });
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    const receipt = await receiptWith(edge, id, "PROCESSED");
    const [sent] = sentOf(id);
    expect(jsonOf(sent!)).toMatchObject({
      loadId: "L-1",
      purpose: "ORIGINAL",
      carrier: { scac: "SCAC" },
      stops: [
        { sequence: 1, type: "PICKUP", times: [{ type: "EARLIEST", time: "2026-11-24T08:00:00-06:00" }] },
        { sequence: 2, type: "DELIVERY", address: { city: "COLUMBUS" } },
      ],
      edi: { partnerId: partner.id, partnerName: partner.name, setControlNumber: "0001", test: false },
    });
    expect(JSON.parse(Buffer.from(receipt.output!).toString())).toMatchObject({ loadId: "L-1" });
    const [reply] = await repliesTo(partner.id);
    expect(reply).toMatchObject({ kind: "ACKNOWLEDGMENT", setCodes: ["997"], status: "WRITTEN" });
    expect(reply!.sets[0]).toMatchObject({
      AK1: { AK101: "SM", AK102: "1" },
      AK9: { AK901: "A", AK902: "1", AK903: "1", AK904: "1" },
    });
    const [event] = await edge.runtime.sqlSystem<{ payload: Record<string, unknown> }[]>`
      select payload from outbox where tenant_id = ${edge.ctx.tenantId} and payload ->> 'partnerId' = ${partner.id}`;
    expect(event!.payload).toMatchObject({ kind: "ACKNOWLEDGMENT", setCodes: ["997"], x12: reply!.text });
  });

  test("text/plain and no content type are X12 too, and gzip is undone", async () => {
    const partner = await newPartner();
    const endpoint = await makeEndpoint(edge, { targetService });
    const plain = interchange({ isaId: partner.isaId, sets: [{ code: "204", body: tender("L-2") }] });
    const id = await accepted(edge, endpoint.endpointPath, {
      body: `\n ${plain}`,
      headers: { "content-type": "text/plain" },
    });
    await receiptWith(edge, id, "PROCESSED");
    const packed = interchange({
      isaId: partner.isaId,
      number: 2,
      sets: [{ code: "204", body: tender("L-3") }],
    });
    const second = await accepted(edge, endpoint.endpointPath, {
      body: Bun.gzipSync(Buffer.from(packed)),
      headers: { ...HEADERS, "content-encoding": "gzip" },
    });
    await receiptWith(edge, second, "PROCESSED");
    expect([id, second].map((one) => (jsonOf(sentOf(one)[0]!)["B2"] as { B204: string }).B204)).toEqual([
      "L-2",
      "L-3",
    ]);
    expect((await repliesTo(partner.id)).length).toBe(2);
  });
});

describe("several sets", () => {
  test("are mapped and handed over each on its own; one that is refused dead-letters the receipt in the end", async () => {
    const partner = await newPartner({ sets: { "204": { template: "x12-204-to-load" } } });
    const endpoint = await makeEndpoint(edge, { targetService });
    const body = interchange({
      isaId: partner.isaId,
      sets: [
        { code: "204", body: tender("A-1") },
        { code: "204", body: tender("A-2").map((line) => line.replace("20261124", "20261324")) },
        { code: "204", body: tender("A-3") },
      ],
    });
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    const { errorCode, errorMessage } = await dead(id);
    expect(errorCode).toBe("x12_refused");
    expect(errorMessage).toContain("element_date: G62, segment 5 of set 2, element 2");
    const loads = target.requests
      .map((request) => ({ id: request.headers.get("hub-receipt-id")!, load: jsonOf(request)["loadId"] }))
      .filter(({ load }) => String(load).startsWith("A-"));
    expect(loads).toEqual([
      { id, load: "A-1" },
      { id: Bun.randomUUIDv5("0/0/2", id), load: "A-3" },
    ]);
    const [reply] = await repliesTo(partner.id);
    expect(reply!.sets[0]).toMatchObject({
      AK9: { AK901: "P", AK903: "3", AK904: "2" },
      loopAK2: [{ AK5: { AK501: "A" } }, { AK5: { AK501: "R" } }, { AK5: { AK501: "A" } }],
    });
  });

  test("a retry repeats the same ids and answers once", async () => {
    const partner = await newPartner();
    const endpoint = await makeEndpoint(edge, { targetService });
    const sets = [
      { code: "204", body: tender("R-1") },
      { code: "204", body: tender("R-2") },
    ];
    let refusals = 1;
    target.answer = (request) => {
      const isSecond = Buffer.from(request.body).toString().includes('"R-2"');
      return new Response(null, { status: isSecond && refusals-- > 0 ? 503 : 200 });
    };
    const body = interchange({ isaId: partner.isaId, sets });
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    await receiptWith(edge, id, "RETRYING");
    await makeDue(edge, { id, endpointId: endpoint.id });
    await receiptWith(edge, id, "PROCESSED");
    target.answer = () => new Response();
    const second = Bun.randomUUIDv5("0/0/1", id);
    expect([sentOf(id).length, sentOf(second).length]).toEqual([2, 2]);
    expect((await repliesTo(partner.id)).length).toBe(1);
  });
});

describe("duplicates", () => {
  test("the same interchange again is a DUPLICATE of the first, answered by TA1 025 and not handed over", async () => {
    const partner = await newPartner();
    const endpoint = await makeEndpoint(edge, { targetService });
    const sets = [{ code: "204", body: tender("D-1") }];
    const body = interchange({ isaId: partner.isaId, sets });
    const first = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    await receiptWith(edge, first, "PROCESSED");
    const again = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    const receipt = await receiptWith(edge, again, "DUPLICATE");
    expect(receipt.duplicateOf).toBe(first);
    expect(sentOf(again)).toEqual([]);
    const [, reply] = await repliesTo(partner.id);
    expect(reply).toMatchObject({ setCodes: [], sets: [] });
    expect(reply!.ta1).toEqual([["TA1", "000000001", "261123", "1030", "R", "025"]]);
  });

  test("a refused interchange is answered by a TA1, and mended it may come with the same numbers", async () => {
    const partner = await newPartner();
    const endpoint = await makeEndpoint(edge, { targetService });
    const sets = [{ code: "204", body: tender("M-1") }];
    const good = interchange({ isaId: partner.isaId, sets });
    const broken = good.replace("IEA*1*", "IEA*2*");
    const id = await accepted(edge, endpoint.endpointPath, { body: broken, headers: HEADERS });
    const { errorCode, errorMessage } = await dead(id);
    expect(errorCode).toBe("x12_refused");
    expect(errorMessage).toContain(
      "interchange_group_count: IEA, segment 15, element 1: IEA01 is 2, counted: 1",
    );
    expect(sentOf(id)).toEqual([]);
    const second = await accepted(edge, endpoint.endpointPath, { body: good, headers: HEADERS });
    await receiptWith(edge, second, "PROCESSED");
    const [refusal, acceptance] = await repliesTo(partner.id);
    expect(refusal!.ta1[0]!.slice(4)).toEqual(["R", "021"]);
    expect(acceptance!.setCodes).toEqual(["997"]);
  });
});

describe("partners", () => {
  test("a sender whom nobody knows is dead-lettered with its ids", async () => {
    await newPartner();
    const endpoint = await makeEndpoint(edge, { targetService });
    const body = interchange({ isaId: "STRANGER", sets: [{ code: "204", body: tender("X-1") }] });
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    const { errorCode, errorMessage } = await dead(id);
    expect(errorCode).toBe("x12_partner_unknown");
    expect(errorMessage).toContain("from ZZ/STRANGER to 02/SCAC");
  });

  test("settings decide: lenient reading, no 997, TA1 always", async () => {
    const partner = await newPartner({
      reading: { mode: "lenient" },
      acknowledgment: "none",
      interchangeAcknowledgment: "always",
    });
    const endpoint = await makeEndpoint(edge, { targetService });
    const sets = [{ code: "204", body: tender("S-1") }];
    const body = interchange({ isaId: partner.isaId, sets }).replace(/SE\*\d+/, "SE*99");
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    await receiptWith(edge, id, "PROCESSED");
    const [reply] = await repliesTo(partner.id);
    expect([reply!.setCodes, reply!.ta1[0]!.slice(4)]).toEqual([[], ["A", "000"]]);
  });

  test("two interchanges of two partners in one body are each answered to their own", async () => {
    const [one, other] = [await newPartner(), await newPartner({ reading: { mode: "lenient" } })];
    const endpoint = await makeEndpoint(edge, { targetService });
    const body = [one, other]
      .map(({ isaId }, index) => interchange({ isaId, sets: [{ code: "204", body: tender(`T-${index}`) }] }))
      .join("\n");
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    const receipt = await receiptWith(edge, id, "PROCESSED");
    expect((JSON.parse(Buffer.from(receipt.output!).toString()) as unknown[]).length).toBe(2);
    expect([(await repliesTo(one.id)).length, (await repliesTo(other.id)).length]).toEqual([1, 1]);
  });

  test("a tenant without partners gets X12 as any other body", async () => {
    const lonely = await startEdge();
    const own = await startWorker(lonely);
    try {
      const endpoint = await makeEndpoint(lonely);
      const id = await accepted(lonely, endpoint.endpointPath, { body: loadTender(), headers: HEADERS });
      const receipt = await receiptWith(lonely, id, "PROCESSED");
      expect(receipt.output).toBeNull();
    } finally {
      await own.stop();
      await lonely.stop();
    }
  }, 60_000);
});

describe("large bodies", () => {
  test("a file over one mebibyte is read interchange by interchange, in a thread", async () => {
    const partner = await newPartner({ sets: { "204": { template: "x12-204-to-load" } } });
    const endpoint = await makeEndpoint(edge, { maxBodyBytes: 8 * 1024 * 1024 });
    const long = (load: string): string[] => [
      ...tender(load).slice(0, 2),
      ...Array.from({ length: 9 }, () => `NTE*OTH*${"X".repeat(70)}`),
      ...tender(load).slice(2),
    ];
    const many = Array.from({ length: 4 }, (_, index) =>
      interchange({
        isaId: partner.isaId,
        number: index + 1,
        sets: Array.from({ length: 350 }, (__, place) => ({
          code: "204",
          body: long(`B-${index}-${place}`),
        })),
      }),
    );
    const body = many.join("\n");
    expect(body.length).toBeGreaterThan(1024 * 1024);
    const id = await accepted(edge, endpoint.endpointPath, { body, headers: HEADERS });
    await receiptWith(edge, id, "PROCESSED");
    const replies = await repliesTo(partner.id);
    expect(replies.map(({ sets }) => (sets[0]!["AK9"] as { AK904: string }).AK904)).toEqual(
      Array.from({ length: 4 }, () => "350"),
    );
  }, 60_000);
});

describe("a partner's answer to a document of ours", () => {
  test("a 997 and a TA1 are noted with the document, told by an event, and not handed over", async () => {
    const partner = await newPartner();
    const endpoint = await makeEndpoint(edge, { targetService });
    const first = interchange({ isaId: partner.isaId, sets: [{ code: "204", body: tender("N-1") }] });
    await receiptWith(
      edge,
      await accepted(edge, endpoint.endpointPath, { body: first, headers: HEADERS }),
      "PROCESSED",
    );
    // Our 997 stands in for a document: group FA 1, interchange 1.
    const answer = interchange({
      isaId: partner.isaId,
      number: 2,
      functionalId: "FA",
      sets: [{ code: "997", body: ["AK1*FA*1", "AK2*997*0001", "AK5*R*5", "AK9*R*1*1*0"] }],
      services: ["TA1*000000001*261123*1030*A*000"],
    });
    const id = await accepted(edge, endpoint.endpointPath, { body: answer, headers: HEADERS });
    await receiptWith(edge, id, "PROCESSED");
    expect(sentOf(id)).toEqual([]);
    const replies = await repliesTo(partner.id);
    expect(replies.map(({ status }) => status)).toEqual(["REJECTED"]);
    const events = await edge.runtime.sqlSystem<{ payload: { status: string; answer: object } }[]>`
      select payload from outbox where event_type = 'edi.acknowledged' and payload ->> 'partnerId' = ${partner.id}
      order by id`;
    expect(events.map(({ payload }) => payload.status)).toEqual(["ACCEPTED", "REJECTED"]);
    expect(events[1]!.payload.answer).toMatchObject({ refused: [{ AK2: { AK201: "997" } }] });
    expect((await receiptsOf(edge, endpoint.id)).map(({ status }) => status)).toEqual([
      "PROCESSED",
      "PROCESSED",
    ]);
  });
});
