import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { getRejection } from "../../src/domain/inbound/rejections/get-rejection.ts";
import { listRejections } from "../../src/domain/inbound/rejections/list-rejections.ts";
import type { RejectionDetail } from "../../src/domain/inbound/rejections/rejection-schema.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";

setDefaultTimeout(60_000);

const PUBLIC_URL = "https://hub.example.com";
const SECRET = "0123456789abcdef0123456789abcdef";
const TOPIC = "arn:aws:sns:us-east-1:123456789012:orders";
const CERTIFICATE = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem";

let edge: EdgeFixture;

beforeAll(async () => {
  edge = await startEdge({ PUBLIC_URL, EGRESS_DNS_SERVERS: "127.0.0.1:1" });
}, 60_000);

afterAll(() => edge.stop(), 60_000);

type Sent = { body: string; headers: Record<string, string> };

/** Refuses one request at a new endpoint and gives its explanation. */
async function explained(
  signatureScheme: string,
  sent: (url: string) => Sent,
  more: object = {},
): Promise<RejectionDetail> {
  const endpoint = await makeEndpoint(edge, { signatureScheme, secretKey: SECRET, ...more });
  const path = `/webhooks/${edge.slug}/${endpoint.endpointPath}`;
  const { body, headers } = sent(PUBLIC_URL + path);
  expect((await fetch(edge.baseUrl + path, { method: "POST", body, headers })).status).toBe(401);
  const id = await retryUntil(
    async () => {
      const { data } = await listRejections(edge.ctx, { endpointId: endpoint.id, limit: 10 });
      if (data[0] === undefined) throw new Error("No sample yet");
      return data[0].id;
    },
    { everyMs: 50, timeoutMs: 50_000 },
  );
  return getRejection(edge.ctx, { id });
}

function mac(encoding: "hex" | "base64" | "base64url", text: string, secret = SECRET): string {
  return createHmac("sha256", secret).update(text).digest(encoding);
}

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** A token signed with the secret, whatever its header says. */
function token(header: object, claims: object, secret = SECRET): Record<string, string> {
  const [first, second] = [header, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  return { authorization: `Bearer ${first}.${second}.${mac("base64url", `${first}.${second}`, secret)}` };
}

/** Senders whose time of signing does not stand in a header as a number, each signed so many seconds ago. */
const TIMED: Record<string, (agoSeconds: number, secret?: string) => (url: string) => Sent> = {
  linear: (ago, secret) => () => {
    const body = JSON.stringify({ webhookTimestamp: Date.now() - ago * 1000 });
    return { body, headers: { "linear-signature": mac("hex", body, secret) } };
  },
  box: (ago, secret) => () => {
    const time = new Date(Date.now() - ago * 1000).toISOString();
    return {
      body: "{}",
      headers: {
        "box-delivery-timestamp": time,
        "box-signature-version": "1",
        "box-signature-algorithm": "HmacSHA256",
        "box-signature-primary": mac("base64", `{}${time}`, secret),
      },
    };
  },
  mailgun: (ago, secret) => () => {
    const timestamp = String(nowSeconds() - ago);
    const signature = { timestamp, token: "t0ken", signature: mac("hex", `${timestamp}t0ken`, secret) };
    return { body: JSON.stringify({ signature }), headers: { "content-type": "application/json" } };
  },
  zendesk: (ago, secret) => () => {
    const time = new Date(Date.now() - ago * 1000).toISOString();
    const signature = mac("base64", `${time}{}`, secret);
    const headers = {
      "x-zendesk-webhook-signature": signature,
      "x-zendesk-webhook-signature-timestamp": time,
    };
    return { body: "{}", headers };
  },
  hubspot: (ago, secret) => (url) => {
    const time = String(Date.now() - ago * 1000);
    const signature = mac("base64", `POST${url}[]${time}`, secret);
    return {
      body: "[]",
      headers: { "x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": time },
    };
  },
  jwt: (ago, secret) => () => ({
    body: "{}",
    headers: token({ alg: "HS256" }, { iat: nowSeconds() - ago }, secret),
  }),
};

test.each([
  ["linear", 400],
  ["linear", -400],
  ["box", 700],
  ["box", -700],
  ["mailgun", 90_000],
  ["mailgun", -90_000],
  ["zendesk", 400],
  ["hubspot", -400],
  ["jwt", 400],
  ["jwt", -400],
])("explains a request of %s that was signed %d s ago by its time alone", async (scheme, agoSeconds) => {
  const { causes } = await explained(scheme, TIMED[scheme]!(agoSeconds));
  expect(causes.map(({ code }) => code)).toEqual(["clock_off"]);
  expect(Math.abs(causes[0]!.seconds! - agoSeconds)).toBeLessThanOrEqual(30);
});

test.each(Object.keys(TIMED))("finds in a late request of %s a wrong secret too", async (scheme) => {
  const { causes } = await explained(scheme, TIMED[scheme]!(100_000), { secretKey: `${SECRET}\n` });
  expect(causes.map(({ code }) => code)).toEqual(["clock_off", "secret_whitespace"]);
});

const EVENT = { list: [1, { a: "x/y" }], "b c": 1, b: "für <b>", id: 12345678901234567000, empty: {} };
const ARRIVED = JSON.stringify(EVENT);
const ascii = (text: string): string => text.replace("ü", "\\u00fc");
const spaced = (text: string): string => text.replaceAll('":', '": ').replaceAll(",", ", ");
const SORTED = '{"b":"für <b>","b c":1,"empty":{},"id":12345678901234567000,"list":[1,{"a":"x/y"}]}';

test.each([
  ["as Python writes it", ascii(spaced(ARRIVED))],
  ["indented, with CR LF", JSON.stringify(EVENT, null, 2).replaceAll("\n", "\r\n")],
  ["indented and in ASCII", ascii(JSON.stringify(EVENT, null, 4))],
  ["with its keys in order", SORTED],
  ["with its keys in order as Python writes it", ascii(spaced(SORTED))],
])("finds the same JSON %s", async (_how, signed) => {
  const { causes } = await explained("hmac", () => ({
    body: ARRIVED,
    headers: { "x-signature": mac("hex", signed) },
  }));
  expect(causes.map(({ code }) => code)).toEqual(["body_reserialised"]);
});

test.each(["md5", "sha384"])(
  "names a signature by its length where its algorithm is none: %s",
  async (hash) => {
    const signature = createHmac(hash, SECRET).update("{}").digest("hex");
    for (const headers of [{ "x-signature": signature }, { "x-signature": `${hash}=${signature}` }]) {
      const { causes } = await explained("hmac", () => ({ body: "{}", headers }));
      expect(causes.map(({ code }) => code)).toEqual(["signature_algorithm"]);
    }
  },
);

test.each(["square", "twilio"])("names the address of %s where nothing fits", async (scheme) => {
  const HEADERS = { square: "x-square-hmacsha256-signature", twilio: "x-twilio-signature" };
  const hash = scheme === "twilio" ? "sha1" : "sha256";
  const signature = createHmac(hash, SECRET).update("https://proxy.example.net/x").digest("base64");
  let own = "";
  const { causes } = await explained(scheme, (url) => {
    own = url;
    return { body: "", headers: { [HEADERS[scheme as keyof typeof HEADERS]]: signature } };
  });
  expect(causes.map(({ code }) => code)).toEqual(["unexplained"]);
  expect(causes[0]!.message).toContain(own);
});

test("names a missing header once, although the time stands in it", async () => {
  const missing = await explained("stripe", () => ({ body: "{}", headers: {} }), {
    secretKey: `whsec_${SECRET}`,
  });
  expect(missing.causes.map(({ code }) => code)).toEqual(["header_missing"]);
});

test.each([
  ["github", { "stripe-signature": `t=1,v1=${"0".repeat(64)}` }, "`stripe`"],
  ["hubspot", { "x-hub-signature-256": `sha256=${"0".repeat(64)}` }, "`github`"],
])("names the scheme whose header came to an endpoint of %s", async (scheme, headers, words) => {
  const { causes } = await explained(scheme, () => ({ body: "{}", headers }));
  expect(causes.map(({ code }) => code)).toEqual(["header_missing"]);
  expect(causes[0]!.message).toContain(words);
});

test("explains a time that is missing in the body", async () => {
  const { causes } = await explained("linear", () => ({
    body: "{}",
    headers: { "linear-signature": mac("hex", "{}") },
  }));
  expect(causes).toMatchObject([{ code: "timestamp_missing" }]);
  expect(causes[0]!.message).toContain("/webhookTimestamp");
});

test("names the header that the chosen version of HubSpot's signature needs", async () => {
  const hash = new Bun.CryptoHasher("sha256").update(`${SECRET}[]`).digest("hex");
  const headers = { "x-hubspot-signature": hash, "x-hubspot-signature-version": "v1" };
  const { causes } = await explained("hubspot", () => ({ body: "[]", headers }));
  expect(causes).toMatchObject([{ code: "header_missing", header: "x-hubspot-signature-v3" }]);
});

test.each([
  ["of another algorithm", { alg: "RS256" }, { exp: 4_000_000_000 }, "signature_algorithm", "RS256"],
  ["without a time", { alg: "HS256" }, { sub: "x" }, "timestamp_missing", "`exp`"],
  ["whose end is over", { alg: "HS256" }, { iat: 1_700_000_000, exp: 1_700_000_600 }, "clock_off", "`exp`"],
])("explains a token %s", async (_which, header, claims, code, words) => {
  const { causes } = await explained("jwt", () => ({ body: "{}", headers: token(header, claims) }));
  expect(causes.map((one) => one.code)).toEqual([code]);
  expect(causes[0]!.message).toContain(words);
});

test("explains what is no token at all", async () => {
  for (const authorization of ["Basic dXNlcjpwYXNz", "Bearer plain-token", `Bearer ${SECRET}.x.y`]) {
    const { causes } = await explained("jwt", () => ({ body: "{}", headers: { authorization } }));
    expect(causes.map(({ code }) => code)).toEqual(["signature_format"]);
  }
});

test("explains a notification of another topic, and one with an address that is not the provider's", async () => {
  const message = (TopicArn: string, SigningCertURL: string) => () => ({
    body: JSON.stringify({
      Type: "Notification",
      MessageId: "1",
      TopicArn,
      Message: "x",
      Timestamp: new Date().toISOString(),
      SignatureVersion: "1",
      Signature: "AAAA",
      SigningCertURL,
    }),
    headers: {},
  });
  const secretKey = { secretKey: TOPIC };
  const other = await explained("aws-sns", message(`${TOPIC}-2`, CERTIFICATE), secretKey);
  expect(other.causes.map(({ code }) => code)).toEqual(["other_sender"]);
  const evil = CERTIFICATE.replace(".com/", ".com.evil.test/");
  const { causes } = await explained("aws-sns", message(TOPIC, evil), secretKey);
  expect(causes).toMatchObject([{ code: "malformed" }]);
  expect(causes[0]!.message).toContain("certificate");
});
