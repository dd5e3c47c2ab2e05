import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Server } from "bun";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type X12Interchange, X12Parser } from "node-x12";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { parseX12Document } from "../../src/platform/x12/parse-x12-document.ts";
import { readFirstRun, type StartedHub, startHub } from "../support/started-hub.ts";
import { loadTender, wrap } from "../x12/documents.ts";

const TIMEOUT_MS = 120_000;

interface Arrival {
  path: string;
  headers: Headers;
  body: string;
}

let home: string;
let hub: StartedHub;
let apiKey: string;
let receiver: Server<undefined>;
const arrivals: Arrival[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-e2e-"));
  hub = await startHub(home, { EGRESS_ALLOW_CIDRS: "127.0.0.0/8", EGRESS_ALLOW_HTTP: "true" });
  ({ apiKey } = await readFirstRun(home));
  receiver = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const path = new URL(request.url).pathname;
      arrivals.push({ path, headers: request.headers, body: await request.text() });
      return new Response();
    },
  });
}, TIMEOUT_MS);

afterAll(async () => {
  hub.kill("SIGTERM");
  await hub.ended;
  await receiver.stop(true);
  await rm(home, { recursive: true, force: true });
}, TIMEOUT_MS);

async function call(method: string, path: string, input?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${hub.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(input === undefined ? {} : { body: JSON.stringify(input) }),
  });
  const body = (await response.json()) as Record<string, unknown>;
  if (response.status >= 300)
    throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(body)}`);
  return body;
}

async function arrival(path: string, place: number): Promise<Arrival> {
  let found: Arrival | undefined;
  await retryUntil(
    async () => {
      found = arrivals.filter((one) => one.path === path)[place];
      if (found === undefined) throw new Error(`Nothing arrived at ${path} in place ${place}`);
    },
    { everyMs: 20, timeoutMs: 60_000 },
  );
  return found!;
}

/** The only set of an interchange, as node-x12 in strict mode reads it: its segments without ST and SE. */
function readByPeer(text: string): { isa: string[]; code: string; segments: string[] } {
  const interchange = new X12Parser(true).parse(text) as X12Interchange;
  const [transaction] = interchange.functionalGroups[0]!.transactions;
  const textOf = ({ tag, elements }: { tag: string; elements: { value?: string }[] }): string =>
    [tag, ...elements.map(({ value = "" }) => value)].join("*");
  return {
    isa: interchange.header.elements.map(({ value = "" }) => value.trim()),
    code: transaction!.header.elements[0]!.value!,
    segments: transaction!.segments.map(textOf),
  };
}

describe("a load tender by X12", () => {
  test(
    "becomes a load at the target, is acknowledged by a 997, and its acceptance goes out as a 990",
    async () => {
      await call("PUT", "/api/v1/services/loads", { kind: "HTTP", url: `${receiver.url.origin}/loads` });
      const subscription = await call("POST", "/api/v1/webhooks/subscriptions", {
        name: "ACME's mailbox",
        url: `${receiver.url.origin}/van`,
        eventTypes: ["edi.document", "load.accepted"],
        contentType: "application/edi-x12",
        transformTemplate: { template: "load-to-x12-990", version: "latest" },
      });
      const partner = await call("POST", "/api/v1/edi/partners", {
        name: "ACME Freight",
        isaQualifier: "ZZ",
        isaId: "ACMEFREIGHT",
        ownIsaQualifier: "02",
        ownIsaId: "SCAC",
        settings: {
          subscriptionId: subscription["id"],
          sets: { "204": { template: "x12-204-to-load", version: 1 } },
        },
      });
      const endpoint = await call("POST", "/api/v1/webhooks/endpoints", {
        handlerType: "CUSTOM",
        targetService: "loads",
      });
      const post = async (body: string): Promise<void> => {
        const { url, secretKey } = endpoint as Record<string, string>;
        const answer = await fetch(new URL(new URL(url!).pathname, hub.baseUrl), {
          method: "POST",
          body,
          headers: {
            "content-type": "application/edi-x12",
            "x-signature": createHmac("sha256", secretKey!).update(body).digest("hex"),
          },
        });
        expect(answer.status).toBe(200);
      };

      await post(loadTender());
      const load = await arrival("/loads", 0);
      expect(load.headers.get("hub-event-type")).toBe("x12.204");
      expect(JSON.parse(load.body)).toMatchObject({
        loadId: "750270001",
        stops: [{ type: "PICKUP" }, {}, {}, { type: "DELIVERY" }],
        edi: { partnerId: partner["id"] },
      });

      const acknowledgment = await arrival("/van", 0);
      expect(acknowledgment.headers.get("content-type")).toBe("application/edi-x12");
      const read997 = readByPeer(acknowledgment.body);
      expect(read997.isa.slice(4, 8)).toEqual(["02", "SCAC", "ZZ", "ACMEFREIGHT"]);
      expect(read997).toMatchObject({
        code: "997",
        segments: ["AK1*SM*55", "AK2*204*0001", "AK5*A", "AK9*A*1*1*1"],
      });

      const { edi } = JSON.parse(load.body) as { edi: { partnerId: string } };
      await call("POST", "/api/v1/events", {
        type: "load.accepted",
        data: {
          loadId: "750270001",
          carrier: { scac: "SCAC" },
          proNumber: "PRO-9",
          ediPartnerId: edi.partnerId,
        },
      });
      const response = await arrival("/van", 1);
      expect(response.headers.get("content-type")).toBe("application/edi-x12");
      const read = parseX12Document(Buffer.from(response.body));
      expect(read.document.accepted).toBe(true);
      expect(read.sets[0]!.interchange.controlNumber).toBe("000000002");
      const read990 = readByPeer(response.body);
      expect(read990.code).toBe("990");
      expect(read990.segments[0]).toMatch(/^B1\*SCAC\*750270001\*\d{8}\*A$/);
      expect(read990.segments[1]).toBe("N9*CN*PRO-9");

      // The partner acknowledges our 990: group 2 of GF.
      const answer = wrap([{ code: "997", body: ["AK1*GF*2", "AK2*990*0002", "AK5*A", "AK9*A*1*1*1"] }], {
        functionalId: "FA",
      })
        .replace("*ZZ*SENDER         *ZZ*RECEIVER       ", "*ZZ*ACMEFREIGHT    *02*SCAC           ")
        .replaceAll("000000101", "000000102");
      await post(answer);
      await retryUntil(
        async () => {
          const { data } = await call("GET", `/api/v1/edi/partners/${String(partner["id"])}/documents`);
          expect(data).toMatchObject([
            { kind: "DOCUMENT", setCodes: ["990"], status: "ACCEPTED", interchangeControlNumber: 2 },
            { kind: "ACKNOWLEDGMENT", setCodes: ["997"], status: "WRITTEN", interchangeControlNumber: 1 },
          ]);
        },
        { everyMs: 50, timeoutMs: 60_000 },
      );
    },
    TIMEOUT_MS,
  );
});
