import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { getExpectedBodyHash, getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { createEndpoint } from "../../src/domain/inbound/create-endpoint.ts";
import type { CreateEndpointInput } from "../../src/domain/inbound/endpoint-schema.ts";
import { rememberCertificate } from "../../src/domain/inbound/schemes/signing-certificates.ts";
import type { SchemeSettings } from "../../src/domain/inbound/schemes/scheme.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
import { readVectors, type SchemeVector } from "./schemes/read-vectors.ts";
import { ed25519Pair, hmacText } from "./schemes/signed-requests.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const PUBLIC_URL = "https://hub.example.com";

let edge: EdgeFixture;

beforeAll(async () => {
  // No name server answers there: a provider cannot be reached, whatever network the test runs in.
  edge = await startEdge({ PUBLIC_URL, EGRESS_DNS_SERVERS: "127.0.0.1:1" });
});

afterAll(() => edge.stop());

type Sent = { body?: string; headers?: Record<string, string>; method?: string; query?: string };

/** Makes an endpoint of a scheme with a new path, and a sender to it. */
async function endpointOf(signatureScheme: string, input: Partial<CreateEndpointInput> = {}) {
  const endpoint = await makeEndpoint(edge, { signatureScheme, secretKey: SECRET, ...input });
  const path = `/webhooks/${edge.slug}/${endpoint.endpointPath}`;
  const send = ({ body = "", headers = {}, method = "POST", query = "" }: Sent) =>
    fetch(`${edge.baseUrl}${path}${query}`, {
      method,
      headers,
      ...(method === "POST" ? { body } : {}),
    });
  return { endpoint, url: PUBLIC_URL + path, send };
}

/** Status, content type and exact body of an answer. */
async function told(answer: Response): Promise<[number, string | null, string]> {
  return [answer.status, answer.headers.get("content-type"), await answer.text()];
}

async function entriesOf(endpointId: string) {
  return (await edge.entries()).filter(({ message }) => message.endpointId === endpointId);
}

const vectorOf = (label: string): SchemeVector => readVectors().find((vector) => vector.label === label)!;

/** Everything that sends no time, so that the vector is as good today. */
async function sendVector(label: string) {
  const { scheme, secret, settings, headers, body, certificate } = vectorOf(label);
  if (certificate !== undefined) rememberCertificate(certificate.url, certificate.pem, Date.now());
  const more = (settings ?? {}) as SchemeSettings;
  const made = await endpointOf(scheme.name, {
    secretKey: secret,
    ...(more.signatureSettings ? { signatureSettings: more.signatureSettings } : {}),
  });
  return { ...made, answer: await made.send({ body, headers }), body };
}

const seconds = () => String(Math.floor(Date.now() / 1000));

describe("the answer that a provider wants", () => {
  test("acceptWebhook() answers Xero with empty bodies: 200 or 401 to an intent to receive, 200 to events", async () => {
    const { endpoint, send } = await endpointOf("xero");
    const intent = '{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mT3xt"}';
    const signed = (body: string, secret = SECRET) => ({
      body,
      headers: { "x-xero-signature": hmacText(secret, body, "base64") },
    });
    expect(await told(await send(signed(intent)))).toEqual([200, null, ""]);
    expect(await told(await send(signed(intent, "another key of 16 bytes")))).toEqual([401, null, ""]);
    expect(await entriesOf(endpoint.id)).toHaveLength(0);
    const event = '{"events":[{"eventCategory":"INVOICE","eventType":"UPDATE"}],"entropy":"A"}';
    expect(await told(await send(signed(event)))).toEqual([200, null, ""]);
    const [entry] = await entriesOf(endpoint.id);
    expect(entry?.message).toMatchObject({ eventType: "INVOICE.UPDATE" });
  });

  test("acceptWebhook() acknowledges a Salesforce outbound message in SOAP, and keeps its session to itself", async () => {
    const vector = vectorOf("salesforce: two notifications");
    const { endpoint, send } = await endpointOf("salesforce", { secretKey: vector.secret });
    const body = vector.body.replace(
      '<SessionId xsi:nil="true"/>',
      "<SessionId>00Dsession!secret</SessionId>",
    );
    const ack =
      '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">' +
      '<soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack>' +
      "</notificationsResponse></soapenv:Body></soapenv:Envelope>";
    for (let time = 0; time < 2; time++) {
      expect(await told(await send({ body }))).toEqual([200, "text/xml; charset=utf-8", ack]);
    }
    const entries = await entriesOf(endpoint.id);
    expect(entries).toHaveLength(1);
    expect(entries[0]!.message).toMatchObject({ eventId: "04lD0000000XhmKIAS,04lD0000000XhmLIAS" });
    const stored = new TextDecoder().decode(entries[0]!.body as Uint8Array);
    expect(stored).toBe(body.replace("00Dsession!secret", "[redacted]"));
    const other = body.replace("00DD0000000C5GEMA0", "00DD0000000C5GFMA0");
    expect((await send({ body: other })).status).toBe(401);
  });

  test("createEndpoint() demands a generated path where what is compared is no secret", () => {
    for (const [signatureScheme, secretKey] of [
      ["salesforce", "00DD0000000C5GEMA0"],
      ["asana", SECRET],
    ] as const) {
      expect(
        makeEndpoint(edge, { signatureScheme, secretKey, endpointPath: "guessable" }),
      ).rejects.toMatchObject({ code: "invalid_input" });
    }
  });

  test("acceptWebhook() tells Adyen [accepted], and Discord that the answer is deferred", async () => {
    const { answer } = await sendVector("adyen: example of its pages");
    expect(await told(answer)).toEqual([200, "text/plain", "[accepted]"]);
    const pair = ed25519Pair();
    const key = Buffer.from(pair.publicSecret.slice("whpk_".length), "base64").toString("hex");
    const signed = (body: string) => {
      const at = seconds();
      const signature = Buffer.from(pair.sign(at + body), "base64").toString("hex");
      return { body, headers: { "x-signature-ed25519": signature, "x-signature-timestamp": at } };
    };
    const discord = await endpointOf("discord", { secretKey: key });
    const json = "application/json";
    expect(await told(await discord.send(signed('{"id":"1","type":1}')))).toEqual([200, json, '{"type":1}']);
    expect(await told(await discord.send(signed('{"id":"2","type":2}')))).toEqual([200, json, '{"type":5}']);
    expect(await entriesOf(discord.endpoint.id)).toHaveLength(1);
    const events = await endpointOf("discord-events", { secretKey: key });
    expect(await told(await events.send(signed('{"version":1,"type":0}')))).toEqual([204, null, ""]);
    const event = '{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}';
    expect(await told(await events.send(signed(event)))).toEqual([204, null, ""]);
    expect(await entriesOf(events.endpoint.id)).toHaveLength(1);
  });

  test("createEndpoint() makes no secret where only the provider has one", () => {
    expect(
      createEndpoint(edge.ctx, { handlerType: "CUSTOM", signatureScheme: "discord" }),
    ).rejects.toMatchObject({ code: "invalid_input" });
  });
});

describe("challenges", () => {
  test("acceptWebhook() answers Trello's HEAD, Meta's GET, Okta's GET and Zoom's POST", async () => {
    const trello = await endpointOf("trello");
    expect((await trello.send({ method: "HEAD" })).status).toBe(200);

    const meta = await endpointOf("meta", { signatureSettings: { verifyToken: "chosen-by-owner" } });
    const ask = (token: string) =>
      meta.send({ method: "GET", query: `?hub.mode=subscribe&hub.challenge=1158&hub.verify_token=${token}` });
    expect(await told(await ask("chosen-by-owner"))).toEqual([200, "text/plain", "1158"]);
    expect((await ask(SECRET)).status).toBe(405);

    const okta = await endpointOf("okta");
    const verification = "Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg";
    expect(
      await told(
        await okta.send({ method: "GET", headers: { "x-okta-verification-challenge": verification } }),
      ),
    ).toEqual([200, "application/json", `{"verification":"${verification}"}`]);

    const zoom = await endpointOf("zoom");
    const body = '{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}';
    const at = seconds();
    const headers = {
      "x-zm-signature": `v0=${hmacText(SECRET, `v0:${at}:${body}`)}`,
      "x-zm-request-timestamp": at,
    };
    const encrypted = hmacText(SECRET, "qgg8vlvZRS6UYooatFL8Aw");
    expect(await told(await zoom.send({ body, headers }))).toEqual([
      200,
      "application/json",
      `{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"${encrypted}"}`,
    ]);
    expect((await zoom.send({ body: body.replace("qgg8", "qgg9"), headers })).status).toBe(401);
  });

  test("acceptWebhook() takes Asana's secret in its handshake, once, and verifies with it from then on", async () => {
    const endpoint = await createEndpoint(edge.ctx, { handlerType: "CUSTOM", signatureScheme: "asana" });
    expect(endpoint.secretKey).toStartWith("handshake_");
    const post = (body: string, headers: Record<string, string>) =>
      fetch(`${edge.baseUrl}/webhooks/${edge.slug}/${endpoint.endpointPath}`, {
        method: "POST",
        body,
        headers,
      });
    const secret = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
    const body = '{"events":[{"action":"changed","resource":{"resource_type":"task"}}]}';
    const signed = { "x-hook-signature": hmacText(secret, body) };
    expect((await post(body, signed)).status).toBe(401);

    const offers = await Promise.all(
      [secret, secret].map((offered) => post("{}", { "x-hook-secret": offered })),
    );
    const taken = offers.filter((answer) => answer.status === 200);
    expect(taken).toHaveLength(1);
    expect(taken[0]!.headers.get("x-hook-secret")).toBe(secret);
    expect(await taken[0]!.text()).toBe("");

    let answer = await post(body, signed);
    // Other processes hear of the secret by a message; until then the sender is refused and tries again.
    while (answer.status === 401) {
      await Bun.sleep(20);
      answer = await post(body, signed);
    }
    expect(answer.status).toBe(200);
    expect(
      (await post("{}", { "x-hook-secret": "another secret of an attacker".replaceAll(" ", "") })).status,
    ).toBe(401);
    const heartbeat = '{"events":[]}';
    expect((await post(heartbeat, { "x-hook-signature": hmacText(secret, heartbeat) })).status).toBe(200);
    expect(await entriesOf(endpoint.id)).toHaveLength(1);
    const audit = await edge.runtime.sqlSystem<{ verb: string }[]>`
      select verb from audit_log where object_id = ${endpoint.id} order by id`;
    expect(audit.map(({ verb }) => verb)).toEqual([
      "webhook_endpoint.create",
      "webhook_endpoint.establish_secret",
    ]);
  });
});

describe("schemes that sign the address", () => {
  test("acceptWebhook() takes what the twilio package signs for PUBLIC_URL, whatever the Host header says", async () => {
    const { endpoint, url, send } = await endpointOf("twilio");
    const form = { MessageSid: "SM1", Body: "Ladung 42 ist da, 100 % trocken ✓ & gut", From: "+15551230001" };
    const content = { "content-type": "application/x-www-form-urlencoded; charset=UTF-8" };
    const signed = (at: string) => ({
      ...content,
      "x-twilio-signature": getExpectedTwilioSignature(SECRET, at, form),
    });
    const body = new URLSearchParams(form).toString();
    const idempotent = { "i-twilio-idempotency-token": newId() };
    expect((await send({ body, headers: { ...signed(url), ...idempotent } })).status).toBe(200);
    expect((await send({ body, headers: signed(edge.baseUrl + new URL(url).pathname) })).status).toBe(401);
    expect((await send({ body: `${body}&To=1`, headers: signed(url) })).status).toBe(401);
    // The same parameters under another type would leave the body unsigned.
    expect(
      (await send({ body, headers: { ...signed(url), "content-type": "application/json" } })).status,
    ).toBe(401);

    const json = '{"event":"Zürich"}';
    const query = `?bodySHA256=${getExpectedBodyHash(json)}`;
    const headers = {
      "content-type": "application/json",
      "x-twilio-signature": getExpectedTwilioSignature(SECRET, url + query, {}),
    };
    expect((await send({ body: json, headers, query })).status).toBe(200);
    expect((await send({ body: json.replace("Z", "z"), headers, query })).status).toBe(401);
    expect(await entriesOf(endpoint.id)).toHaveLength(2);
  });
});

describe("Amazon SNS", () => {
  test("acceptWebhook() takes a notification under the certificate, and another topic's never", async () => {
    const { endpoint, answer, send, body } = await sendVector("aws-sns: notification, version 1");
    expect(answer.status).toBe(200);
    expect((await entriesOf(endpoint.id))[0]?.message).toMatchObject({ eventType: "Notification" });
    expect((await send({ body: body.replace("freight-events", "freight-event5") })).status).toBe(401);
    expect((await send({ body: body.replace("Load 42", "Load 43") })).status).toBe(401);
  });

  test("acceptWebhook() answers 503 with Retry-After when the certificate or the confirmation cannot be had", async () => {
    const { endpoint, answer, send, body } = await sendVector("aws-sns: confirmation of a subscription");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
    const unknown = await send({ body: body.replace("0123456789abcdef.pem", "ffffffffffffffff.pem") });
    expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "2"]);
    for (const host of [
      "sns.us-east-1.amazonaws.com.evil.example",
      "evil.example/sns.us-east-1.amazonaws.com",
    ]) {
      const elsewhere = body.replace("https://sns.us-east-1.amazonaws.com/Simple", `https://${host}/Simple`);
      expect((await send({ body: elsewhere })).status).toBe(401);
    }
    expect(await entriesOf(endpoint.id)).toHaveLength(0);
  });
});
