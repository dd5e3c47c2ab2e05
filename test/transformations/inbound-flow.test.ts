import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { shadowTransformation } from "../../src/domain/inbound/shadow-transformation.ts";
import { createTransformation } from "../../src/domain/transformations/create-transformation.ts";
import { FAILURES_MAX } from "../../src/domain/transformations/template-health.ts";
import { updateTransformation } from "../../src/domain/transformations/update-transformation.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "../inbound/edge-fixture.ts";
import {
  accepted,
  HttpTarget,
  receiptWith,
  registerHttp,
  startWorker,
  until,
} from "../inbound/worker-fixture.ts";

let edge: EdgeFixture;
let worker: { stop(): Promise<void> };
let target: HttpTarget;
let targetService: string;
beforeAll(async () => {
  edge = await startEdge();
  worker = await startWorker(edge);
  target = new HttpTarget();
  targetService = `t-${newId().slice(-12)}`;
  await registerHttp(edge, targetService, target.url);
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await target.stop();
  await edge.stop();
}, 60_000);

const newCode = (): string => `t-${newId().slice(-12)}`;
const sent = (id: string) => target.requests.find(({ headers }) => headers.get("hub-receipt-id") === id);
const sentText = (id: string): string => Buffer.from(sent(id)!.body).toString();

async function template(content: {
  sourceFormat: "JSON" | "XML" | "CSV";
  targetFormat: "JSON" | "XML" | "CSV";
  mappingRules: object;
  validationRules?: object;
}): Promise<{ id: string; code: string }> {
  const code = newCode();
  const { id } = await createTransformation(edge.ctx, { ...content, code, name: code } as never);
  return { id, code };
}

const XML_TO_STATUS = {
  sourceFormat: "XML",
  targetFormat: "JSON",
  mappingRules: {
    rules: [
      { target: "loadId", from: "Shipment.Id", required: true },
      { target: "status", from: { call: "upper", args: ["Shipment.State"] } },
      { target: "eventTime", from: "Shipment.At" },
    ],
  },
} as const;

const xml = (id: string): string =>
  `<?xml version="1.0"?><Shipment><Id>${id}</Id><State>delivered</State><At>2026-03-02T14:05:00Z</At></Shipment>`;

describe("an endpoint that names a template", () => {
  test("maps XML to its handler's model, compressed or not, and hands JSON over", async () => {
    const { code } = await template(XML_TO_STATUS);
    const endpoint = await makeEndpoint(edge, {
      targetService,
      handlerType: "LOAD_STATUS",
      transformTemplate: { template: code },
    });
    const headers = { "content-type": "application/xml" };
    const id = await accepted(edge, endpoint.endpointPath, { body: xml("L-1"), headers });
    const receipt = await receiptWith(edge, id, "PROCESSED");
    const expected = { loadId: "L-1", status: "DELIVERED", eventTime: "2026-03-02T14:05:00Z" };
    expect(JSON.parse(sentText(id))).toEqual(expected);
    expect(sent(id)!.headers.get("content-type")).toBe("application/json");
    expect(JSON.parse(Buffer.from(receipt.output!).toString())).toEqual(expected);
    const zipped = await accepted(edge, endpoint.endpointPath, {
      body: gzipSync(xml("L-2")),
      headers: { ...headers, "content-encoding": "gzip" },
    });
    await receiptWith(edge, zipped, "PROCESSED");
    expect(JSON.parse(sentText(zipped))).toMatchObject({ loadId: "L-2" });
  });

  test("dead-letters a document that does not fit, with its place", async () => {
    const { code } = await template(XML_TO_STATUS);
    const endpoint = await makeEndpoint(edge, { targetService, transformTemplate: { template: code } });
    const headers = { "content-type": "application/xml" };
    const broken = await accepted(edge, endpoint.endpointPath, {
      body: "<Shipment>\n  <Id></Shipment>",
      headers,
    });
    const invalid = await receiptWith(edge, broken, "DEAD");
    expect(invalid.errorCode).toBe("document_invalid");
    expect(invalid.errorMessage).toContain("line 2");
    const empty = await accepted(edge, endpoint.endpointPath, {
      body: "<Shipment><State>x</State></Shipment>",
      headers,
    });
    const failed = await receiptWith(edge, empty, "DEAD");
    expect([failed.errorCode, failed.errorMessage]).toEqual([
      "mapping_failed",
      expect.stringContaining("Id"),
    ]);
  });

  test("writes CSV for a target that takes it, and reads a form as JSON", async () => {
    const { code } = await template({
      sourceFormat: "JSON",
      targetFormat: "CSV",
      mappingRules: {
        rules: [
          { target: "[0].load", from: "load" },
          { target: "[0].note", from: "note" },
        ],
      },
    });
    const endpoint = await makeEndpoint(edge, { targetService, transformTemplate: { template: code } });
    const id = await accepted(edge, endpoint.endpointPath, {
      body: "load=L-7&note=a%2Cb",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    await receiptWith(edge, id, "PROCESSED");
    expect(sentText(id)).toBe('load,note\r\nL-7,"a,b"\r\n');
    expect(sent(id)!.headers.get("content-type")).toBe("text/csv; charset=utf-8");
  });

  test("follows the newest version as soon as it is made, or stays with its number", async () => {
    const { id, code } = await template({
      sourceFormat: "JSON",
      targetFormat: "JSON",
      mappingRules: { rules: [{ target: "version", from: { value: 1 } }] },
    });
    const newest = await makeEndpoint(edge, { targetService, transformTemplate: { template: code } });
    const pinned = await makeEndpoint(edge, {
      targetService,
      transformTemplate: { template: code, version: 1 },
    });
    const versionAt = async (path: string): Promise<unknown> => {
      const receipt = await accepted(edge, path);
      await receiptWith(edge, receipt, "PROCESSED");
      return (JSON.parse(sentText(receipt)) as { version: unknown }).version;
    };
    expect(await versionAt(newest.endpointPath)).toBe(1);
    expect(await versionAt(pinned.endpointPath)).toBe(1);
    await updateTransformation(edge.ctx, {
      id,
      changes: { mappingRules: { rules: [{ target: "version", from: { value: 2 } }] } },
    });
    await until("the new version is used", async () => (await versionAt(newest.endpointPath)) === 2);
    expect(await versionAt(pinned.endpointPath)).toBe(1);
  });

  test("reads a CSV of 3 MB record by record, and refuses JSON of more than 1 MiB", async () => {
    const { code } = await template({
      sourceFormat: "CSV",
      targetFormat: "JSON",
      mappingRules: {
        recordPath: "[*]",
        rules: [
          { target: "id", from: "id" },
          { target: "n", from: { call: "number", args: ["weight"] } },
        ],
      },
    });
    const endpoint = await makeEndpoint(edge, {
      targetService,
      maxBodyBytes: 25 * 1024 * 1024,
      transformTemplate: { template: code },
    });
    const rows = Array.from({ length: 60_000 }, (_, index) => `L-${index},${index * 10},${"x".repeat(30)}`);
    const id = await accepted(edge, endpoint.endpointPath, {
      body: `id,weight,note\r\n${rows.join("\r\n")}\r\n`,
      headers: { "content-type": "text/csv" },
    });
    await receiptWith(edge, id, "PROCESSED");
    const records = JSON.parse(sentText(id)) as unknown[];
    expect(records).toHaveLength(60_000);
    expect(records[59_999]).toEqual({ id: "L-59999", n: 599_990 });

    const json = await template({
      sourceFormat: "JSON",
      targetFormat: "JSON",
      mappingRules: { rules: [{ target: "a", from: "a" }] },
    });
    const other = await makeEndpoint(edge, {
      targetService,
      maxBodyBytes: 25 * 1024 * 1024,
      transformTemplate: { template: json.code },
    });
    const large = await accepted(edge, other.endpointPath, {
      body: JSON.stringify({ a: 1, fill: "x".repeat(1_100_000) }),
      headers: { "content-type": "application/json" },
    });
    expect((await receiptWith(edge, large, "DEAD")).errorCode).toBe("document_too_large");
  }, 60_000);

  test("keeps the worker's event loop free while a document of 1 MB is mapped", async () => {
    const { code } = await template({
      sourceFormat: "JSON",
      targetFormat: "JSON",
      mappingRules: {
        rules: [{ target: "ids", from: { each: "items", do: { call: "upper", args: ["id"] } } }],
      },
    });
    const endpoint = await makeEndpoint(edge, { targetService, transformTemplate: { template: code } });
    const items = Array.from({ length: 20_000 }, (_, index) => ({ id: `item-${index}-${"y".repeat(20)}` }));
    const id = await accepted(edge, endpoint.endpointPath, {
      body: JSON.stringify({ items }),
      headers: { "content-type": "application/json" },
    });
    await receiptWith(edge, id, "PROCESSED");
    const { ids } = JSON.parse(sentText(id)) as { ids: string[] };
    expect(ids).toHaveLength(20_000);
    expect(ids[7]).toBe(`ITEM-7-${"Y".repeat(20)}`);
  }, 60_000);
});

describe("a template that fails", () => {
  test("is paused alone, says so, lets its documents wait, and goes on when a version works again", async () => {
    const { id, code } = await template({
      sourceFormat: "JSON",
      targetFormat: "JSON",
      mappingRules: { rules: [{ target: "id", from: "missing", required: true }] },
    });
    const healthy = await template({
      sourceFormat: "JSON",
      targetFormat: "JSON",
      mappingRules: { rules: [{ target: "id", from: "n" }] },
    });
    const failing = await makeEndpoint(edge, { targetService, transformTemplate: { template: code } });
    const other = await makeEndpoint(edge, { targetService, transformTemplate: { template: healthy.code } });
    for (let count = 0; count < FAILURES_MAX; count++)
      await receiptWith(edge, await accepted(edge, failing.endpointPath), "DEAD");
    const pauses = () => edge.runtime.sqlSystem<{ code: string; failures: number }[]>`
      select code, failures from transformation_pauses where template_id = ${id}`;
    await until("the template is paused", async () => (await pauses()).length === 1);
    expect((await pauses())[0]).toMatchObject({ code: "mapping_failed", failures: FAILURES_MAX });
    const waiting = await accepted(edge, failing.endpointPath);
    const receipt = await receiptWith(edge, waiting, "RETRYING");
    expect(receipt.errorCode).toBe("transform_paused");
    await receiptWith(edge, await accepted(edge, other.endpointPath), "PROCESSED");
    await updateTransformation(edge.ctx, {
      id,
      changes: { mappingRules: { rules: [{ target: "id", from: "n" }] } },
    });
    await until("the new version serves", async () => {
      const next = await accepted(edge, failing.endpointPath);
      let status = "";
      await until("it was tried", async () => {
        const [row] = await edge.runtime.sqlSystem<{ status: string }[]>`
          select status from webhook_receipts where id = ${next}`;
        status = row?.status ?? "";
        return status !== "";
      });
      return status === "PROCESSED";
    });
  }, 60_000);
});

describe("shadowTransformation()", () => {
  test("compares a new version with the one that serves, on an endpoint's receipts", async () => {
    const { id, code } = await template({
      sourceFormat: "JSON",
      targetFormat: "JSON",
      mappingRules: {
        rules: [
          { target: "n", from: "n" },
          { target: "kind", from: "kind" },
        ],
      },
    });
    const endpoint = await makeEndpoint(edge, {
      targetService,
      transformTemplate: { template: code, version: 1 },
    });
    const bodies = [{ n: 1, kind: "a" }, { n: 2 }, { n: 3, kind: "c" }];
    const ids: string[] = [];
    for (const body of bodies) {
      const receipt = await accepted(edge, endpoint.endpointPath, { body: JSON.stringify(body) });
      await receiptWith(edge, receipt, "PROCESSED");
      ids.push(receipt);
    }
    const report = await shadowTransformation(edge.ctx, {
      id,
      endpointId: endpoint.id,
      candidate: {
        sourceFormat: "JSON",
        targetFormat: "JSON",
        mappingRules: {
          rules: [
            { target: "n", from: { lookup: "n", table: { "3": 30 }, default: "n" } },
            { target: "kind", from: "kind", required: true },
          ],
        },
      },
    });
    expect(report).toMatchObject({
      baselineVersion: 1,
      candidateVersion: null,
      compared: 3,
      equal: 1,
      different: 1,
      newlyFailing: 1,
      newlyPassing: 0,
      skipped: 0,
    });
    expect(report.findings).toMatchObject([
      { documentId: ids[2], kind: "different", differences: [{ pointer: "/n", before: 3, after: 30 }] },
      { documentId: ids[1], kind: "newlyFailing", candidateFailure: { code: "mapping_failed" } },
    ]);
    expect(
      target.requests.filter(({ headers }) => ids.includes(headers.get("hub-receipt-id")!)),
    ).toHaveLength(3);
  });
});
