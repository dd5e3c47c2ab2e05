import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { Stripe } from "stripe";
import { gzipSync } from "node:zlib";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import { getRejection } from "../../src/domain/inbound/rejections/get-rejection.ts";
import { listRejectionCounts } from "../../src/domain/inbound/rejections/list-rejection-counts.ts";
import { listRejections } from "../../src/domain/inbound/rejections/list-rejections.ts";
import type { Rejection, RejectionDetail } from "../../src/domain/inbound/rejections/rejection-schema.ts";
import { updateEndpoint } from "../../src/domain/inbound/update-endpoint.ts";
import { createApiKey } from "../../src/domain/tenancy/create-api-key.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, SECRET, sendGithub, startEdge, TestClock } from "./edge-fixture.ts";

const TIMEOUT_MS = 60_000;
setDefaultTimeout(TIMEOUT_MS);
const clock = new TestClock();
let edge: EdgeFixture;
let apiKey: string;

beforeAll(openEdge, TIMEOUT_MS);
afterAll(() => edge.stop(), TIMEOUT_MS);

async function openEdge(): Promise<void> {
  edge = await startEdge({ PUBLIC_URL: "https://hooks.example.com" }, clock);
  ({ key: apiKey } = await createApiKey(edge.ctx, { name: "test", role: "owner" }));
}

/** The samples of an endpoint, once there are so many. */
async function samplesOf(endpointId: string, count = 1): Promise<Rejection[]> {
  return retryUntil(
    async () => {
      const { data } = await listRejections(edge.ctx, { endpointId, limit: 200 });
      if (data.length < count) throw new Error(`${data.length} samples of ${count}`);
      return data;
    },
    { everyMs: 50, timeoutMs: 50_000 },
  );
}

async function explained(endpointId: string): Promise<RejectionDetail> {
  const [sample] = await samplesOf(endpointId);
  return getRejection(edge.ctx, { id: sample!.id });
}

async function causesOf(endpointId: string): Promise<string[]> {
  return (await explained(endpointId)).causes.map(({ code }) => code);
}

interface Reply {
  status: number;
  json: Record<string, unknown>;
}

async function call(method: string, path: string, body?: unknown, key = apiKey): Promise<Reply> {
  const response = await fetch(`${edge.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const verify = (id: string, body: object = {}): Promise<Reply> =>
  call("POST", `/api/v1/webhooks/rejections/${id}/verify`, body);

interface Sent {
  body?: string | Uint8Array;
  headers?: Record<string, string>;
  query?: string;
  method?: string;
}

function send(
  path: string,
  { body = "{}", headers = {}, query = "", method = "POST" }: Sent,
): Promise<Response> {
  return fetch(`${edge.baseUrl}/webhooks/${edge.slug}/${path}${query}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(method === "GET" ? {} : { body: body as BodyInit }),
  });
}

const hmac = (secret: string | Uint8Array, text: string | Uint8Array, hash = "sha256"): Buffer =>
  createHmac(hash, secret).update(text).digest();

/** An endpoint of the scheme `hmac` with the default settings. */
const hmacEndpoint = (secretKey: string, more: object = {}) =>
  makeEndpoint(edge, { signatureScheme: "hmac", secretKey, ...more });

const stripe = new Stripe("sk_test_none");

async function sendStripe(
  path: string,
  secret: string,
  event: object,
  timestamp?: number,
): Promise<Response> {
  const payload = JSON.stringify(event);
  const signature = await stripe.webhooks.generateTestHeaderStringAsync({
    payload,
    secret,
    ...(timestamp === undefined ? {} : { timestamp }),
  });
  return send(path, { body: payload, headers: { "stripe-signature": signature } });
}

describe("a refused request", () => {
  test("is kept as a sample with its cause, listed and counted", async () => {
    const endpoint = await makeEndpoint(edge);
    expect((await sendGithub(edge, endpoint.endpointPath, { secret: "another one" })).status).toBe(401);
    const [sample] = await samplesOf(endpoint.id);
    expect(sample).toMatchObject({
      endpointId: endpoint.id,
      code: "signature_invalid",
      cause: "mismatch",
      responseStatus: 401,
      method: "POST",
      bodyState: "complete",
      sourceIp: "127.0.0.1",
      acceptedReceiptId: null,
    });
    const { data } = await listRejectionCounts(edge.ctx, { endpointId: endpoint.id });
    expect(data).toMatchObject([{ cause: "mismatch", total: 1 }]);
  });

  test("is found by endpoint, code, cause and time, page by page", async () => {
    const endpoint = await makeEndpoint(edge);
    for (let n = 0; n < 3; n++) await sendGithub(edge, endpoint.endpointPath, { secret: "another one" });
    await send(endpoint.endpointPath, { method: "GET" });
    await samplesOf(endpoint.id, 4);
    const list = (query: string) =>
      call("GET", `/api/v1/webhooks/rejections?endpointId=${endpoint.id}&${query}`);
    const idsOf = ({ json }: Reply) => (json["data"] as Rejection[]).map(({ id }) => id);
    expect(idsOf(await list("code=signature_invalid"))).toHaveLength(3);
    expect(idsOf(await list("cause=method"))).toHaveLength(1);
    expect(idsOf(await list(`to=${new Date(Date.now() - 60_000).toISOString()}`))).toEqual([]);
    expect(idsOf(await list(`from=${new Date(Date.now() - 60_000).toISOString()}`))).toHaveLength(4);
    const first = await list("limit=3");
    const second = await list(`limit=3&cursor=${String(first.json["nextCursor"])}`);
    expect(new Set([...idsOf(first), ...idsOf(second)]).size).toBe(4);
    expect(second.json["nextCursor"]).toBeNull();
  });

  test("keeps the cause when it was refused before its body was read", async () => {
    const endpoint = await makeEndpoint(edge, { ipWhitelist: ["203.0.113.7"] });
    expect((await sendGithub(edge, endpoint.endpointPath)).status).toBe(403);
    const detail = await explained(endpoint.id);
    expect(detail).toMatchObject({ code: "source_not_allowed", bodyState: "not_read", valid: null });
    expect(detail.causes.map(({ code }) => code)).toEqual(["source", "body_not_read"]);
    expect((await verify(detail.id, { accept: true })).status).toBe(409);
  });

  test("of a path that no endpoint of the tenant has is kept; of an unknown tenant it is not", async () => {
    const path = `no-such-${newId().slice(-12)}`;
    expect((await sendGithub(edge, `${path}/`)).status).toBe(404);
    expect((await sendGithub(edge, path)).status).toBe(404);
    const nobody = await fetch(`${edge.baseUrl}/webhooks/nobody-${newId().slice(-12)}/x`, { method: "POST" });
    expect(nobody.status).toBe(404);
    const [sample, slashed] = await retryUntil(
      async () => {
        const { data } = await listRejections(edge.ctx, { code: "not_found" });
        if (data.length < 2) throw new Error("not both yet");
        return data;
      },
      { everyMs: 50, timeoutMs: 50_000 },
    );
    expect(sample).toMatchObject({ endpointId: null, path: `/webhooks/${edge.slug}/${path}` });
    expect(slashed).toMatchObject({ endpointId: null, path: `/webhooks/${edge.slug}/${path}/` });
    const detail = await getRejection(edge.ctx, { id: sample!.id });
    expect(detail.causes.map(({ code }) => code)).toEqual(["unknown_endpoint"]);
    const [stray] = await edge.runtime.sqlSystem`
      select count(*)::int as n from rejected_requests where path like '/webhooks/nobody-%'`;
    expect(stray!["n"]).toBe(0);
  });

  test("whose body is longer than is kept is shown as truncated and cannot be verified again", async () => {
    const endpoint = await makeEndpoint(edge, { maxBodyBytes: 10_000_000 });
    for (const length of [300_000, 2_000_000]) {
      const body = JSON.stringify({ text: "x".repeat(length) });
      expect((await sendGithub(edge, endpoint.endpointPath, { body, secret: "another one" })).status).toBe(
        401,
      );
    }
    for (const { id, bodySize } of await samplesOf(endpoint.id, 2)) {
      expect(bodySize).toBeGreaterThan(300_000);
      const detail = await getRejection(edge.ctx, { id });
      expect(detail).toMatchObject({ bodyState: "truncated", valid: null });
      expect(detail.causes.map(({ code }) => code)).toContain("body_truncated");
      expect(detail.body).toStartWith('{"text":"xxx');
    }
  });

  test("is another tenant's business to nobody else", async () => {
    const endpoint = await makeEndpoint(edge);
    await sendGithub(edge, endpoint.endpointPath, { secret: "another one" });
    const [sample] = await samplesOf(endpoint.id);
    const other = await createTenant(edge.ctx, { slug: `o-${newId().slice(-12)}` });
    const path = `/api/v1/webhooks/rejections/${sample!.id}`;
    expect((await call("GET", path, undefined, other.apiKey)).status).toBe(404);
    expect((await call("POST", `${path}/verify`, { accept: true }, other.apiKey)).status).toBe(404);
    const list = await call("GET", "/api/v1/webhooks/rejections", undefined, other.apiKey);
    expect(list.json["data"]).toEqual([]);
    const counts = await call("GET", "/api/v1/webhooks/rejections/counts", undefined, other.apiKey);
    expect(counts.json["data"]).toEqual([]);
  });
});

describe("a flood of refusals", () => {
  test(
    "leaves few samples, counts every one, and the service goes on",
    async () => {
      const endpoint = await makeEndpoint(edge);
      const statuses = new Set<number>();
      const startedMs = Date.now();
      for (let round = 0; round < 20; round++) {
        const answers = await Promise.all(
          Array.from({ length: 100 }, () => send(endpoint.endpointPath, { body: "x".repeat(1000) })),
        );
        for (const { status } of answers) statuses.add(status);
      }
      expect([...statuses]).toEqual([401]);
      expect((await sendGithub(edge, endpoint.endpointPath)).status).toBe(200);
      await retryUntil(
        async () => {
          const { data } = await listRejectionCounts(edge.ctx, { endpointId: endpoint.id });
          expect(data).toMatchObject([{ cause: "header_missing", total: 2000 }]);
        },
        { everyMs: 100, timeoutMs: 50_000 },
      );
      const samples = await samplesOf(endpoint.id, 10);
      // Ten at once, and ten a minute.
      expect(samples.length).toBeLessThanOrEqual(12 + (Date.now() - startedMs) / 6_000);
    },
    TIMEOUT_MS,
  );
});

describe("what is shown", () => {
  test("holds no secret, and of a signature only the beginning", async () => {
    const endpoint = await hmacEndpoint("s".repeat(32));
    const body = '{"id":"e1","password":"cnry-in-body","plain":"visible"}';
    const signature = hmac("another secret of the sender", body).toString("hex");
    await send(endpoint.endpointPath, {
      body,
      query: "?token=cnry-in-query&page=2",
      headers: {
        "x-signature": signature,
        authorization: "Bearer cnry-in-authorization",
        cookie: "sid=cnry-in-cookie",
        "x-api-key": "cnry-in-api-key",
        "x-plain": "kept",
      },
    });
    const detail = await explained(endpoint.id);
    const text = JSON.stringify(detail);
    expect(text).not.toContain("cnry");
    expect(text).not.toContain(signature);
    expect(detail.headers["x-signature"]).toBe(`${signature.slice(0, 4)}… (64 characters)`);
    expect(detail.headers["x-plain"]).toBe("kept");
    expect(detail.body).toContain("visible");
    expect(detail.query).toContain("page=2");
  });

  test("holds no wrong token either, wherever it was sent", async () => {
    const wrong = "cnry-wrong-token-of-a-sender";
    const secretKey = "right-token-of-the-endpoint";
    const inHeader = await makeEndpoint(edge, {
      signatureScheme: "token",
      secretKey,
      signatureHeader: "X-Odd",
    });
    const inBody = await makeEndpoint(edge, {
      signatureScheme: "token",
      secretKey,
      signatureSettings: { pointer: "/odd" },
    });
    await send(inHeader.endpointPath, { headers: { "x-odd": wrong } });
    await send(inBody.endpointPath, { body: JSON.stringify({ odd: wrong }) });
    await send(inBody.endpointPath, {
      body: gzipSync(JSON.stringify({ odd: wrong })),
      headers: { "content-encoding": "gzip" },
    });
    for (const { id, count } of [
      { ...inHeader, count: 1 },
      { ...inBody, count: 2 },
    ]) {
      for (const sample of await samplesOf(id, count)) {
        expect(JSON.stringify(await getRejection(edge.ctx, { id: sample.id }))).not.toContain("cnry");
      }
    }
  });

  test("stands nowhere in the clear", async () => {
    const endpoint = await makeEndpoint(edge);
    const canary = `cnry_${crypto.randomUUID()}`;
    await sendGithub(edge, endpoint.endpointPath, {
      body: JSON.stringify({ harmless: canary }),
      secret: "another one",
      headers: { "x-harmless": canary },
    });
    await samplesOf(endpoint.id);
    const rows = await edge.runtime.sqlSystem`
      select r::text as row from rejected_requests r where endpoint_id = ${endpoint.id}`;
    expect(rows).toHaveLength(1);
    expect(String(rows[0]!["row"])).not.toContain(canary);
    expect(await retained(canary)).toEqual([]);
  });
});

/** Files of Redis that hold a text. */
async function retained(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of new Bun.Glob("**/*").scanSync({ cwd: edge.redis.dir })) {
    const bytes = Buffer.from(await Bun.file(`${edge.redis.dir}/${name}`).bytes());
    if (bytes.includes(text)) found.push(name);
  }
  return found;
}

describe("verifying again", () => {
  test("after the secret was mended, puts a Stripe delivery through once", async () => {
    const secret = `whsec_${"a1B2c3D4".repeat(4)}`;
    const endpoint = await makeEndpoint(edge, { signatureScheme: "stripe", secretKey: `${secret}\n` });
    const event = { id: `evt_${newId()}`, type: "invoice.paid", data: { object: { id: "in_1" } } };
    expect((await sendStripe(endpoint.endpointPath, secret, event)).status).toBe(401);

    const [sample] = await samplesOf(endpoint.id);
    const path = `/api/v1/webhooks/rejections/${sample!.id}`;
    const before = await call("GET", path);
    expect(before.json).toMatchObject({ valid: false, causes: [{ code: "secret_whitespace" }] });
    expect(JSON.stringify(before.json)).not.toContain(secret);
    const refused = await verify(sample!.id, { accept: true });
    expect(refused).toMatchObject({ status: 409, json: { code: "conflict" } });
    expect(String(refused.json["detail"])).toContain("ends with a line break");

    const mended = await call("PUT", `/api/v1/webhooks/endpoints/${endpoint.id}`, { secretKey: secret });
    expect(mended.status).toBe(200);
    expect(JSON.stringify(mended.json)).not.toContain(secret);
    expect((await verify(sample!.id)).json).toEqual({
      valid: true,
      causes: [],
      receiptId: null,
      status: null,
    });

    // An hour later the signed time is still judged by the time of receipt.
    clock.offsetMs = 3_600_000;
    const accepted = await verify(sample!.id, { accept: true });
    clock.offsetMs = 0;
    expect(accepted).toMatchObject({ status: 200, json: { valid: true, status: "accepted" } });
    const { receiptId } = accepted.json as { receiptId: string };
    const again = await verify(sample!.id, { accept: true });
    expect(again).toMatchObject({ status: 200, json: { receiptId, status: "duplicate" } });
    const repeated = await sendStripe(endpoint.endpointPath, secret, event);
    expect(await repeated.json()).toEqual({ id: receiptId, status: "duplicate" });
    const entries = (await edge.entries()).filter(({ message }) => message.endpointId === endpoint.id);
    expect(
      entries.map(({ message }) => [message.id, "eventId" in message ? message.eventId : undefined]),
    ).toEqual([[receiptId, event.id]]);
    const detail = await call("GET", path);
    expect(detail.json).toMatchObject({ acceptedReceiptId: receiptId, valid: true, causes: [] });
    const audit = await edge.runtime.sqlSystem`
      select verb from audit_log where object_id = ${sample!.id} order by id`;
    expect(audit.map(({ verb }) => verb as string)).toEqual([
      "webhook_rejection.accept",
      "webhook_rejection.accepted",
    ]);
  });

  test("of many calls at once accepts one, also where the event has no id", async () => {
    const endpoint = await hmacEndpoint("s".repeat(32));
    const body = '{"no":"id"}';
    await send(endpoint.endpointPath, {
      body,
      headers: { "x-signature": hmac("t".repeat(32), body).toString("hex") },
    });
    const [sample] = await samplesOf(endpoint.id);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { secretKey: "t".repeat(32) } });
    const answers = await Promise.all(Array.from({ length: 8 }, () => verify(sample!.id, { accept: true })));
    expect(answers.filter(({ json }) => json["status"] === "accepted")).toHaveLength(1);
    const entries = (await edge.entries()).filter(({ message }) => message.endpointId === endpoint.id);
    expect(entries).toHaveLength(1);
  });

  test("never passes what is not signed", async () => {
    const endpoint = await makeEndpoint(edge);
    await sendGithub(edge, endpoint.endpointPath, { secret: "another one" });
    const [sample] = await samplesOf(endpoint.id);
    const refused = await verify(sample!.id, { accept: true });
    expect(refused.status).toBe(409);
    expect(refused.json["errors"]).toMatchObject([{ path: "unexplained" }]);
    expect((await edge.entries()).filter(({ message }) => message.endpointId === endpoint.id)).toEqual([]);
    const after = await call("GET", `/api/v1/webhooks/rejections/${sample!.id}`);
    expect(after.json).toMatchObject({ acceptedReceiptId: null, acceptedAt: null });
  });

  test("leaves a challenge unaccepted", async () => {
    const endpoint = await makeEndpoint(edge, { signatureScheme: "slack", secretKey: `${"k".repeat(32)} ` });
    const body = '{"type":"url_verification","challenge":"c"}';
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = `v0=${hmac("k".repeat(32), `v0:${timestamp}:${body}`).toString("hex")}`;
    const headers = { "x-slack-signature": signature, "x-slack-request-timestamp": timestamp };
    expect((await send(endpoint.endpointPath, { body, headers })).status).toBe(401);
    const [sample] = await samplesOf(endpoint.id);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { secretKey: "k".repeat(32) } });
    expect((await verify(sample!.id)).json).toMatchObject({ valid: true });
    expect((await verify(sample!.id, { accept: true })).status).toBe(409);
  });
});

describe("the explanation", () => {
  // A tenant of its own: of one tenant's refusals only 120 a minute are kept.
  beforeAll(async () => {
    await edge.stop();
    await openEdge();
  }, TIMEOUT_MS);

  const secret = "0123456789abcdef0123456789abcdef";

  test.each([
    ["a trailing newline", `${SECRET}\n`, ["secret_whitespace"]],
    ["spaces around", `  ${SECRET} `, ["secret_whitespace"]],
    ["quotation marks", `"${SECRET}"`, ["secret_quoted"]],
    ["a literal \\n", `${SECRET}\\n`, ["secret_escaped"]],
    ["a variable's name", `GITHUB_SECRET=${SECRET}`, ["secret_assignment"]],
    ["URL encoding", encodeURIComponent(SECRET), ["secret_url_encoded"]],
    ["a doubled fault", `"${SECRET}"\n`, ["secret_quoted"]],
    ["base64 instead of the text", Buffer.from(SECRET).toString("base64"), ["secret_encoding"]],
    ["hex instead of the text", Buffer.from(SECRET).toString("hex"), ["secret_encoding"]],
  ])("finds a secret with %s", async (_what, stored, expected) => {
    const endpoint = await makeEndpoint(edge, { secretKey: stored });
    await sendGithub(edge, endpoint.endpointPath);
    const detail = await explained(endpoint.id);
    expect(detail.causes.map(({ code }) => code)).toEqual(expected);
    expect(detail.causes.every(({ message, action }) => message !== "" && action !== "")).toBe(true);
    expect(JSON.stringify(detail.causes)).not.toContain(SECRET);
  });

  test.each([
    ["twice", "whsec_whsec_", "whsec_"],
    ["without need", "whsec_", ""],
  ])("finds a prefix of a secret that stands there %s", async (_what, stored, right) => {
    const key = "k".repeat(40);
    const endpoint = await makeEndpoint(edge, { signatureScheme: "stripe", secretKey: stored + key });
    await sendStripe(endpoint.endpointPath, right + key, { id: "evt_1" });
    expect(await causesOf(endpoint.id)).toEqual(["secret_prefix"]);
  });

  test.each([
    ["slow", -612, 612],
    ["fast", 612, -612],
  ])("says by how many seconds a %s clock is off", async (_which, offset, expected) => {
    const key = `whsec_${"k".repeat(32)}`;
    const endpoint = await makeEndpoint(edge, { signatureScheme: "stripe", secretKey: key });
    const at = Math.floor(Date.now() / 1000) + offset;
    expect((await sendStripe(endpoint.endpointPath, key, { id: "evt_1" }, at)).status).toBe(401);
    const { causes } = await explained(endpoint.id);
    expect(causes.map(({ code }) => code)).toEqual(["clock_off"]);
    // The request takes its time, too.
    expect(Math.abs(causes[0]!.seconds! - expected)).toBeLessThanOrEqual(30);
  });

  const event = { id: 12345, text: "für <b>", list: [1, { a: "x/y" }], empty: {} };
  const minified = JSON.stringify(event);
  test.each([
    ["indented by 2", JSON.stringify(event, null, 2), minified, "body_reserialised"],
    ["minified", minified, JSON.stringify(event, null, 2), "body_reserialised"],
    ["minified from 4", minified, JSON.stringify(event, null, 4), "body_reserialised"],
    [
      "written by Python",
      minified,
      minified.replaceAll('":', '": ').replaceAll(",", ", "),
      "body_reserialised",
    ],
    ["escaped to ASCII", minified.replace("ü", "\\u00fc"), minified, "body_reserialised"],
    ["without its newline", minified, `${minified}\n`, "body_newline"],
    ["with a newline", `${minified}\n`, minified, "body_newline"],
    ["with CR LF", '{\r\n"a": 1\r\n}', '{\n"a": 1\n}', "body_line_endings"],
    ["as a form", "a=1&b=two", '{"a":"1","b":"two"}', "body_form_json"],
    ["as JSON", '{"a":"1","b":"two"}', "a=1&b=two", "body_form_json"],
    ["in UTF-8", '{"t":"ü"}', Buffer.from('{"t":"ü"}', "latin1"), "body_charset"],
  ] as const)("finds a body that arrived %s", async (_what, arrived, signed, expected) => {
    const endpoint = await hmacEndpoint(secret);
    const signature = hmac(secret, signed).toString("hex");
    expect(
      (await send(endpoint.endpointPath, { body: arrived, headers: { "x-signature": signature } })).status,
    ).toBe(401);
    expect(await causesOf(endpoint.id)).toEqual([expected]);
  });

  test("finds a body that was compressed after it was signed", async () => {
    const endpoint = await hmacEndpoint(secret);
    const headers = { "x-signature": hmac(secret, minified).toString("hex"), "content-encoding": "gzip" };
    await send(endpoint.endpointPath, { body: gzipSync(minified), headers });
    expect(await causesOf(endpoint.id)).toEqual(["body_content_encoding"]);
  });

  test.each([
    ["base64 for hex", hmac(secret, minified).toString("base64"), "signature_encoding"],
    ["base64url for hex", hmac(secret, minified).toString("base64url"), "signature_encoding"],
    ["SHA-1", hmac(secret, minified, "sha1").toString("hex"), "signature_algorithm"],
    ["SHA-512 in base64", hmac(secret, minified, "sha512").toString("base64"), "signature_algorithm"],
    ["a prefix", `sha256=${hmac(secret, minified).toString("hex")}`, "signature_format"],
    ["quotation marks", `"${hmac(secret, minified).toString("hex")}"`, "signature_format"],
    ["no digest at all", "hello", "signature_format"],
  ])("finds a signature with %s", async (_what, signature, expected) => {
    const endpoint = await hmacEndpoint(secret);
    await send(endpoint.endpointPath, { body: minified, headers: { "x-signature": signature } });
    expect(await causesOf(endpoint.id)).toEqual([expected]);
  });

  test("finds a header that is missing, renamed or doubled", async () => {
    const signature = hmac(secret, minified).toString("hex");
    const cases: [Record<string, string>, string][] = [
      [{}, "header_missing"],
      [{ "x-acme-signature": signature }, "header_renamed"],
      [{ "x-signature": `${signature}, ${signature}` }, "header_doubled"],
    ];
    for (const [headers, expected] of cases) {
      const endpoint = await hmacEndpoint(secret);
      await send(endpoint.endpointPath, { body: minified, headers });
      const { causes } = await explained(endpoint.id);
      expect(causes.map(({ code }) => code)).toContain(expected);
      expect(causes.map(({ code }) => code)).not.toContain("unexplained");
    }
  });

  test("names the endpoint whose secret was used", async () => {
    const own = await hmacEndpoint(secret);
    const otherSecret = `other-${newId()}`;
    const other = await hmacEndpoint(otherSecret);
    const headers = { "x-signature": hmac(otherSecret, minified).toString("hex") };
    await send(own.endpointPath, { body: minified, headers });
    const { causes } = await explained(own.id);
    expect(causes).toMatchObject([{ code: "other_endpoint_secret", endpointId: other.id }]);
    expect(causes[0]!.message).toContain(other.endpointPath);
  });

  test("finds an earlier secret whose overlap has ended", async () => {
    const endpoint = await hmacEndpoint(secret);
    const rotated = await call("POST", `/api/v1/webhooks/endpoints/${endpoint.id}/rotate-secret`, {
      overlapSeconds: 60,
    });
    expect(rotated.status).toBe(200);
    clock.offsetMs = 120_000;
    const headers = { "x-signature": hmac(secret, minified).toString("hex") };
    expect((await send(endpoint.endpointPath, { body: minified, headers })).status).toBe(401);
    const causes = await causesOf(endpoint.id);
    clock.offsetMs = 0;
    expect(causes).toEqual(["previous_secret_expired"]);
  });

  test("finds an address that differs from PUBLIC_URL", async () => {
    const endpoint = await hmacEndpoint(secret, {
      signatureSettings: { signedTemplate: "{url}{body}" },
    });
    const signed = `http://hub.internal:8080/webhooks/${edge.slug}/${endpoint.endpointPath}`;
    const headers = {
      "x-signature": hmac(secret, signed + minified).toString("hex"),
      "x-forwarded-host": "hub.internal:8080",
    };
    expect((await send(endpoint.endpointPath, { body: minified, headers })).status).toBe(401);
    const { causes } = await explained(endpoint.id);
    expect(causes.map(({ code }) => code)).toEqual(["url_differs"]);
    expect(causes[0]!.message).toContain("http://hub.internal:8080/");
    expect(causes[0]!.message).toContain("https://hooks.example.com/");
  });

  test("finds the address and the secret that Twilio signed with", async () => {
    const token = "0123456789abcdef0123456789abcdef";
    const endpoint = await makeEndpoint(edge, { signatureScheme: "twilio", secretKey: `${token}\n` });
    const signed = `http://hub.internal:8080/webhooks/${edge.slug}/${endpoint.endpointPath}`;
    const signature = createHmac("sha1", token).update(`${signed}BodyhelloFrom+1555`).digest("base64");
    const answer = await send(endpoint.endpointPath, {
      body: "From=%2B1555&Body=hello",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": signature,
        "x-forwarded-host": "hub.internal:8080",
      },
    });
    expect(answer.status).toBe(401);
    expect((await causesOf(endpoint.id)).sort()).toEqual(["secret_whitespace", "url_differs"]);
  });

  test("finds two faults at once", async () => {
    const endpoint = await hmacEndpoint(`${secret}\n`);
    const headers = { "x-signature": hmac(secret, minified).toString("hex") };
    await send(endpoint.endpointPath, { body: JSON.stringify(event, null, 2), headers });
    expect((await causesOf(endpoint.id)).sort()).toEqual(["body_reserialised", "secret_whitespace"]);
  });

  test.each([
    ["without its prefix", "right-token-of-the-endpoint", "signature_format"],
    ["of another case", "Bearer RIGHT-token-of-the-endpoint", "secret_case"],
    [
      "in base64",
      `Bearer ${Buffer.from("right-token-of-the-endpoint").toString("base64")}`,
      "secret_encoding",
    ],
    ["in quotation marks", 'Bearer "right-token-of-the-endpoint"', "secret_whitespace"],
    ["that is another", "Bearer a-token-that-nobody-knows", "unexplained"],
  ])("finds a token %s", async (_what, value, expected) => {
    const endpoint = await makeEndpoint(edge, {
      signatureScheme: "token",
      secretKey: "right-token-of-the-endpoint",
      signatureHeader: "X-Auth",
      signatureSettings: { prefix: "Bearer " },
    });
    expect((await send(endpoint.endpointPath, { headers: { "x-auth": value } })).status).toBe(401);
    expect(await causesOf(endpoint.id)).toContain(expected);
  });

  test("finds a wrong password of a known user", async () => {
    const endpoint = await makeEndpoint(edge, {
      signatureScheme: "basic",
      secretKey: "partner:right-password",
    });
    const authorization = `Basic ${Buffer.from("partner:wrong-password").toString("base64")}`;
    await send(endpoint.endpointPath, { headers: { authorization } });
    expect(await causesOf(endpoint.id)).toEqual(["password_wrong"]);
  });

  test(
    "ends within its bounds for a hostile body",
    async () => {
      const endpoint = await hmacEndpoint(`"${secret}"\n`);
      for (const body of ["[".repeat(100_000), "a=".repeat(60_000), '"\\'.repeat(40_000)]) {
        await send(endpoint.endpointPath, { body, headers: { "x-signature": "0".repeat(64) } });
      }
      for (const sample of await samplesOf(endpoint.id, 3)) {
        const detail = await getRejection(edge.ctx, { id: sample.id });
        expect(detail.causes.map(({ code }) => code)).toEqual(["unexplained"]);
      }
    },
    TIMEOUT_MS,
  );
});
