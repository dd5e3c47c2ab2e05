import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ruleOf } from "../../src/domain/inbound/schemes/scheme.ts";
import { type EdgeFixture, makeEndpoint, startEdge, TestClock } from "./edge-fixture.ts";
import { readVectors, type SchemeVector } from "./schemes/read-vectors.ts";
import { NOW_MS } from "./schemes/signed-requests.ts";

setDefaultTimeout(60_000);

const clock = new TestClock();
let edge: EdgeFixture;

beforeAll(async () => {
  edge = await startEdge({ EGRESS_DNS_SERVERS: "127.0.0.1:1" }, clock);
}, 60_000);

afterAll(() => edge.stop(), 60_000);

/** A signed address holds a path that no endpoint here has; published secrets may be too short; SNS would be called. */
const vectors = readVectors().filter(
  (vector) =>
    vector.shortSecret !== true &&
    vector.certificate === undefined &&
    vector.challenge === undefined &&
    !signsAddress(vector),
);

function signsAddress(vector: SchemeVector): boolean {
  const { scheme, settings, headers, body } = vector;
  const rule = ruleOf(scheme, settings ?? {});
  if (rule.kind === "signature") return rule.signed.includes("url");
  if (rule.kind !== "composed") return false;
  let isAsked = false;
  const publicUrl = () => {
    isAsked = true;
    return "";
  };
  const request = {
    method: "POST",
    headers: new Headers(headers),
    query: vector.query ?? "",
    nowMs: 0,
    publicUrl,
  };
  rule.compose({ ...request, rawBody: Buffer.from(body) });
  return isAsked;
}

function signsBody({ scheme, settings, bodySigned }: SchemeVector): boolean {
  const { kind } = ruleOf(scheme, settings ?? {});
  return bodySigned !== false && (kind === "signature" || kind === "composed");
}

/** The same name in capitals: proxies and HTTP/1.1 senders write headers as they like. */
const capitals = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));

describe.each(vectors.map((vector) => [vector.label, vector] as const))("%s", (_label, vector) => {
  test("acceptWebhook() takes it with its headers in capitals, and no changed byte of its body", async () => {
    const { scheme, secret, settings, headers, body, query, nowMs = NOW_MS } = vector;
    clock.offsetMs = nowMs - Date.now();
    const { endpointPath } = await makeEndpoint(edge, {
      signatureScheme: scheme.name,
      secretKey: secret,
      ...(settings as object),
    });
    const url = `${edge.baseUrl}/webhooks/${edge.slug}/${endpointPath}${query === undefined ? "" : `?${query}`}`;
    const send = (bytes: string | Uint8Array) =>
      fetch(url, { method: "POST", body: bytes as BodyInit, headers: capitals(headers) });
    expect((await send(body)).status).toBeLessThan(300);
    if (!signsBody(vector)) return;
    const bytes = Buffer.from(body);
    for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await send(changed)).status).toBe(401);
    }
    for (const more of [`${body} `, `\uFEFF${body}`, ""]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect((await send(more)).status).toBe(401);
    }
  });
});
