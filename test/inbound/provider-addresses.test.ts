import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  fetchSigningCertificate,
  findSigningKey,
  rememberCertificate,
} from "../../src/domain/inbound/schemes/signing-certificates.ts";
import { awsSns } from "../../src/domain/inbound/schemes/aws-sns.ts";
import type { SignedRequest } from "../../src/domain/inbound/schemes/scheme.ts";
import { compileVerifier } from "../../src/domain/inbound/verify-signature.ts";
import type { EgressResult } from "../../src/platform/egress/exchange.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";
import { readVectors } from "./schemes/read-vectors.ts";

let edge: EdgeFixture;

beforeAll(async () => {
  edge = await startEdge();
}, 60_000);

afterAll(() => edge.stop(), 60_000);

const TOPIC = "arn:aws:sns:us-east-1:123456789012:orders";
const HOST = "https://sns.us-east-1.amazonaws.com";
const FILE = "/SimpleNotificationService-0123456789abcdef.pem";
const CONFIRM = "/?Action=ConfirmSubscription&TopicArn=arn&Token=abc";

const NOT_AMAZON = [
  "https://sns.us-east-1.amazonaws.com.evil.test",
  "https://sns.us-east-1.amazonaws.com@evil.test",
  "https://evil@sns.us-east-1.amazonaws.com",
  "https://sns.us-east-1.amazonaws.com:443",
  "https://sns.us-east-1.amazonaws.com:8443",
  "https://sns.us-east-1.amazonaws.com.",
  "https://SNS.us-east-1.amazonaws.com",
  "HTTPS://sns.us-east-1.amazonaws.com",
  "http://sns.us-east-1.amazonaws.com",
  "https:\\\\sns.us-east-1.amazonaws.com",
  "https://sns.us-east-1.amazonaws.com\\@evil.test",
  "https://sns.us-east-1.amazonaws.com%00.evil.test",
  "https://sns.us-east-1.amazonaws.com/..",
  "https://sns.us-east-1.amazonaws.com/",
  "https://sns.us-east-1.amazonaws.com#",
  "https://xsns.us-east-1.amazonaws.com",
  "https://evil.test/sns.us-east-1.amazonaws.com",
  "https://evil.test#https://sns.us-east-1.amazonaws.com",
  "https://sns.us-east-1.amazonaws.com.cn.evil.test",
  "https://bucket.s3.us-east-1.amazonaws.com",
  "https://s3.amazonaws.com",
  "https://sns.169.254.169.254",
  "https://169.254.169.254",
  " https://sns.us-east-1.amazonaws.com",
  "file://",
];

function requestOf(message: object): SignedRequest {
  return {
    method: "POST",
    publicUrl: () => "",
    headers: new Headers(),
    query: "",
    rawBody: Buffer.from(JSON.stringify(message)),
    nowMs: Date.now(),
  };
}

const message = (more: object) => ({
  Type: "Notification",
  MessageId: "1",
  TopicArn: TOPIC,
  Message: "x",
  Timestamp: "2026-01-01T00:00:00.000Z",
  Token: "t",
  SignatureVersion: "2",
  Signature: "AAAA",
  ...more,
});

describe("Amazon SNS", () => {
  const verify = compileVerifier(awsSns, {}, [TOPIC]);

  test("asks for a certificate only at the service's own host, written as it writes it", () => {
    const asked = (SigningCertURL: unknown) => verify(requestOf(message({ SigningCertURL })));
    expect(asked(HOST + FILE)).toMatchObject({ certificateUrl: HOST + FILE });
    const china = `https://sns.cn-north-1.amazonaws.com.cn${FILE}`;
    expect(asked(china)).toMatchObject({ certificateUrl: china });
    const places = [
      ...NOT_AMAZON.map((origin) => origin + FILE),
      ...[
        `${FILE}\n`,
        `${FILE}?x=1`,
        `${FILE}#x`,
        "/a/../b.pem",
        `/..${FILE}`,
        "/SimpleNotificationService-.pem",
      ].map((path) => HOST + path),
      [HOST + FILE],
      null,
    ];
    for (const place of places) {
      const outcome = asked(place);
      expect(outcome.ok).toBe(false);
      expect(outcome).not.toHaveProperty("certificateUrl");
    }
  });

  test("asks for no certificate where the confirmation would be somewhere else", () => {
    const asked = (SubscribeURL: unknown) =>
      verify(
        requestOf(message({ Type: "SubscriptionConfirmation", SigningCertURL: HOST + FILE, SubscribeURL })),
      );
    expect(asked(HOST + CONFIRM)).toHaveProperty("certificateUrl");
    const places = [
      ...NOT_AMAZON.map((origin) => origin + CONFIRM),
      ...[`${CONFIRM}\n`, "/?Action=DeleteTopic&x=1", `/x${CONFIRM}`, "/?Action=ConfirmSubscription"].map(
        (path) => HOST + path,
      ),
      undefined,
    ];
    for (const place of places) {
      const outcome = asked(place);
      expect(outcome.ok).toBe(false);
      expect(outcome).not.toHaveProperty("certificateUrl");
    }
  });

  test("asks for no certificate for a topic that is not the endpoint's", () => {
    const outcome = verify(requestOf(message({ TopicArn: `${TOPIC}-2`, SigningCertURL: HOST + FILE })));
    expect(outcome).toEqual({ ok: false, cause: "mismatch" });
  });
});

describe("fetchSigningCertificate()", () => {
  test("calls for eight certificates at a time, and no address that is made up pushes a real one out", async () => {
    const { certificate } = readVectors().find(({ label }) => label.startsWith("aws-sns"))!;
    const nowMs = Date.parse("2026-01-01T00:00:00Z");
    rememberCertificate("https://real.test", certificate!.pem, nowMs);
    const real = findSigningKey("https://real.test", nowMs);
    let calls = 0;
    const answers: ((result: EgressResult) => void)[] = [];
    const sender = {
      send: () => {
        calls++;
        return new Promise<EgressResult>((resolve) => answers.push(resolve));
      },
    };
    const asked = Array.from({ length: 20 }, (_, at) =>
      fetchSigningCertificate(sender as never, `https://made-up.test/${at}`, nowMs),
    );
    expect(calls).toBe(8);
    for (const answer of answers) answer({ kind: "response", status: 404, body: Buffer.alloc(0) } as never);
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(8);
    for (let at = 0; at < 300; at++) rememberCertificate(`https://made-up.test/${at}`, "none", nowMs);
    expect(findSigningKey("https://real.test", nowMs)).toEqual(real!);
  });
});

describe("Asana's handshake", () => {
  test("of many at once takes one secret, and none afterwards", async () => {
    const endpoint = await makeEndpoint(edge, { signatureScheme: "asana", secretKey: undefined } as never);
    const url = `${edge.baseUrl}/webhooks/${edge.slug}/${endpoint.endpointPath}`;
    const offer = (secret: string) =>
      fetch(url, { method: "POST", body: "{}", headers: { "x-hook-secret": secret } });
    const offers = Array.from({ length: 20 }, (_, at) => `offered-secret-number-${at}`);
    const answers = await Promise.all(offers.map(offer));
    expect(
      answers
        .map(({ status }) => status)
        .sort()
        .slice(0, 2),
    ).toEqual([200, 401]);
    const stranger = await offer("the-secret-of-a-stranger");
    expect(stranger.status).toBe(401);
    expect(stranger.headers.get("x-hook-secret")).toBeNull();
  });
});

test("acceptWebhook() answers a probe only from the addresses that the endpoint lists", async () => {
  const probe = async (ipWhitelist: string[]) => {
    const endpoint = await makeEndpoint(edge, {
      signatureScheme: "dropbox",
      secretKey: "0123456789abcdef",
      ipWhitelist,
    });
    const url = `${edge.baseUrl}/webhooks/${edge.slug}/${endpoint.endpointPath}?challenge=x`;
    return (await fetch(url)).status;
  };
  expect(await probe(["203.0.113.0/24"])).toBe(403);
  expect(await probe(["127.0.0.0/8", "::1/128"])).toBe(200);
});
