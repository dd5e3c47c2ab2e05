import { describe, expect, test } from "bun:test";
import { Signature } from "@hubspot/api-client/lib/src/utils/signature.js";
import { EventWebhook } from "@sendgrid/eventwebhook";
import { verifyKey } from "discord-interactions";
import MessageValidator from "sns-validator";
import { findScheme } from "../../src/domain/inbound/schemes/registry.ts";
import type { SchemeSettings, VerifyOutcome } from "../../src/domain/inbound/schemes/scheme.ts";
import {
  fetchSigningCertificate,
  findSigningKey,
  rememberCertificate,
} from "../../src/domain/inbound/schemes/signing-certificates.ts";
import { compileVerifier } from "../../src/domain/inbound/verify-signature.ts";
import { AddressPolicy } from "../../src/platform/egress/address-policy.ts";
import { Sender } from "../../src/platform/egress/send.ts";
import { readVectors, sampleOf, type SchemeVector } from "./schemes/read-vectors.ts";
import { ed25519Pair, hmacText, NOW_MS, requestOf } from "./schemes/signed-requests.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const SECONDS = String(Math.floor(NOW_MS / 1000));

interface Case {
  headers?: Record<string, string>;
  body: string | Uint8Array;
  secrets?: string[];
  settings?: SchemeSettings;
  nowMs?: number;
}

function judge(scheme: string, { headers = {}, body, secrets = [SECRET], settings = {}, nowMs }: Case) {
  const rawBody = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const change = { rawBody, ...(nowMs === undefined ? {} : { nowMs }) };
  return compileVerifier(
    findScheme(scheme)!,
    settings,
    secrets,
  )(requestOf({ headers, query: "", body: "" }, change));
}

const refused = (cause: Extract<VerifyOutcome, { ok: false }>["cause"]) => ({ ok: false, cause }) as const;
const vectorsOf = (scheme: string): SchemeVector[] =>
  readVectors().filter((vector) => vector.scheme.name === scheme);

describe("the providers' own packages", () => {
  test("compileVerifier() agrees with @hubspot/api-client on all three versions", () => {
    const body = '[{"eventId":1,"note":"Zürich"}]';
    const url = "https://hub.example.com/webhooks/acme/orders?a=1";
    for (const version of ["v1", "v2", "v3"] as const) {
      const signature = Signature.getSignature("POST", version, {
        clientSecret: SECRET,
        requestBody: body,
        url,
        timestamp: NOW_MS,
      } as never);
      const headers: Record<string, string> =
        version === "v3"
          ? { "x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": String(NOW_MS) }
          : { "x-hubspot-signature": signature, "x-hubspot-signature-version": version };
      const settings = { signatureSettings: { version } };
      expect(judge("hubspot", { headers, body, settings })).toEqual({ ok: true });
      expect(judge("hubspot", { headers, body: `${body} `, settings })).toEqual(refused("mismatch"));
    }
  });

  test("compileVerifier() agrees with discord-interactions and @sendgrid/eventwebhook", async () => {
    const pair = ed25519Pair();
    const key = Buffer.from(pair.publicSecret.slice("whpk_".length), "base64").toString("hex");
    const signature = Buffer.from(pair.sign(`${SECONDS}{"type":1}`), "base64").toString("hex");
    const headers = { "x-signature-ed25519": signature, "x-signature-timestamp": SECONDS };
    expect(await verifyKey('{"type":1}', signature, SECONDS, key)).toBe(true);
    expect(judge("discord", { headers, body: '{"type":1}', secrets: [key] })).toEqual({ ok: true });

    for (const { secret, headers: sent, body } of vectorsOf("sendgrid")) {
      const webhook = new EventWebhook();
      expect(
        webhook.verifySignature(
          webhook.convertPublicKeyToECDSA(secret),
          body,
          sent["x-twilio-email-event-webhook-signature"]!,
          sent["x-twilio-email-event-webhook-timestamp"]!,
        ),
      ).toBe(true);
    }
  });

  test("compileVerifier() refuses what sns-validator refuses: another host, another version, a missing field", async () => {
    const [{ body, secret }] = vectorsOf("aws-sns") as [SchemeVector];
    const message = JSON.parse(body) as Record<string, string>;
    const changes: Record<string, string | undefined>[] = [
      { SigningCertURL: "https://sns.us-east-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem" },
      { SigningCertURL: message["SigningCertURL"]!.replace("https:", "http:") },
      { SignatureVersion: "3" },
      { MessageId: undefined },
      { Signature: undefined },
    ];
    for (const change of changes) {
      const changed = { ...message, ...change };
      const error = await new Promise<Error | null>((resolve) => {
        new MessageValidator().validate(changed, (found) => resolve(found));
      });
      expect(error).not.toBe(null);
      expect(judge("aws-sns", { body: JSON.stringify(changed), secrets: [secret] }).ok).toBe(false);
    }
  });
});

describe("compileVerifier() of what is signed in part", () => {
  test("aws-sns: refuses any change of a signed field, and a topic that is not the endpoint's", () => {
    for (const vector of vectorsOf("aws-sns")) {
      const verify = compileVerifier(vector.scheme, {}, [vector.secret]);
      const accepted = sampleOf(vector);
      expect(verify(requestOf(accepted))).toEqual({ ok: true });
      const message = JSON.parse(vector.body) as Record<string, string>;
      for (const name of [
        "Message",
        "MessageId",
        "Subject",
        "Timestamp",
        "TopicArn",
        "Type",
        "Signature",
        "Token",
      ]) {
        if (message[name] === undefined) continue;
        const body = JSON.stringify({ ...message, [name]: `${message[name]}A` });
        expect(verify(requestOf({ ...accepted, body })).ok).toBe(false);
      }
      const other = compileVerifier(vector.scheme, {}, [`${vector.secret}-2`]);
      expect(other(requestOf(accepted))).toEqual(refused("mismatch"));
    }
  });

  test("adyen: one item signed by nobody makes the whole request refused", () => {
    const [{ body, secret }] = vectorsOf("adyen") as [SchemeVector];
    const { notificationItems } = JSON.parse(body) as {
      notificationItems: { NotificationRequestItem: object }[];
    };
    const [first] = notificationItems;
    const forged = {
      NotificationRequestItem: { ...first!.NotificationRequestItem, pspReference: "9999999999999999" },
    };
    const send = (items: unknown) =>
      judge("adyen", { body: JSON.stringify({ notificationItems: items }), secrets: [secret] });
    expect(send([first, first])).toEqual({ ok: true });
    expect(send([first, forged])).toEqual(refused("mismatch"));
    expect(send([])).toEqual(refused("malformed"));
    expect(send([{ NotificationRequestItem: { pspReference: "1" } }])).toEqual(refused("header_missing"));
    for (const items of [null, {}, [null], [{}], "x", 1]) expect(send(items)).toEqual(refused("malformed"));
  });

  test("mailgun: refuses a changed time, token or signature, and a time that is too old", () => {
    const token = "e0b5477167110d68991efc6b9f89f0a11066af27834600e123";
    const signature = hmacText(SECRET, SECONDS + token);
    const bodyOf = (parts: object) =>
      JSON.stringify({ signature: { timestamp: SECONDS, token, signature, ...parts } });
    expect(judge("mailgun", { body: bodyOf({}) })).toEqual({ ok: true });
    expect(judge("mailgun", { body: bodyOf({ timestamp: String(Number(SECONDS) + 1) }) })).toEqual(
      refused("mismatch"),
    );
    expect(judge("mailgun", { body: bodyOf({ token: token.replace("e0", "e1") }) })).toEqual(
      refused("mismatch"),
    );
    expect(judge("mailgun", { body: bodyOf({ token: undefined }) })).toEqual(refused("header_missing"));
    // The same text, cut elsewhere: 11 digits are no time.
    expect(judge("mailgun", { body: bodyOf({ timestamp: `${SECONDS}e`, token: token.slice(1) }) })).toEqual(
      refused("malformed"),
    );
    expect(judge("mailgun", { body: bodyOf({}), nowMs: NOW_MS + 86_402_000 })).toEqual(
      refused("timestamp_stale"),
    );
    const settings = { signatureSettings: { toleranceSeconds: 300 } };
    expect(judge("mailgun", { body: bodyOf({}), settings, nowMs: NOW_MS + 302_000 })).toEqual(
      refused("timestamp_stale"),
    );
  });

  test("hubspot: another version than the chosen one does not count, and a lengthened message neither", () => {
    const body = "[]";
    const headers = { "x-hubspot-signature": hmacText(SECRET, body), "x-hubspot-signature-version": "v1" };
    expect(judge("hubspot", { headers, body })).toEqual(refused("header_missing"));
    expect(judge("hubspot", { headers, body, settings: { signatureSettings: { version: "v2" } } })).toEqual(
      refused("unknown_version"),
    );
    const settings = { signatureSettings: { version: "v1" } };
    const padded = new Uint8Array([...new TextEncoder().encode(body), 0x80, 0, 0, 0x5b]);
    const signature = new Bun.CryptoHasher("sha256").update(SECRET).update(padded).digest("hex");
    expect(
      judge("hubspot", { headers: { ...headers, "x-hubspot-signature": signature }, body: padded, settings }),
    ).toEqual(refused("malformed"));
  });

  test("docusign: takes the right one of several headers, whichever key it is under", () => {
    const body = "{}";
    const other = hmacText("another key of the account", body, "base64");
    const right = hmacText(SECRET, body, "base64");
    const headersOf = (...signatures: string[]) =>
      Object.fromEntries(signatures.map((one, index) => [`x-docusign-signature-${index + 1}`, one]));
    for (const headers of [headersOf(right), headersOf(other, right), headersOf(right, other)]) {
      expect(judge("docusign", { headers, body })).toEqual({ ok: true });
    }
    expect(judge("docusign", { headers: headersOf(other), body })).toEqual(refused("mismatch"));
    expect(judge("docusign", { body })).toEqual(refused("header_missing"));
  });

  test("jwt: refuses other algorithms, a token without time, and one whose time is over", () => {
    const tokenOf = (header: object, claims: object, secret = SECRET): string => {
      const text = [header, claims]
        .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
        .join(".");
      return `Bearer ${text}.${hmacText(secret, text, "base64url")}`;
    };
    const now = Number(SECONDS);
    const send = (authorization: string) => judge("jwt", { headers: { authorization }, body: "{}" });
    const HS256 = { alg: "HS256", typ: "JWT" };
    expect(send(tokenOf(HS256, { exp: now + 60 }))).toEqual({ ok: true });
    for (const alg of ["none", "hs256", "RS256", "__proto__", "HS384"]) {
      expect(send(tokenOf({ alg }, { exp: now + 60 }))).toEqual(refused("unknown_version"));
    }
    expect(send(tokenOf({ ...HS256, crit: ["b64"] }, { exp: now + 60 }))).toEqual(refused("malformed"));
    expect(send(tokenOf(HS256, {}))).toEqual(refused("malformed"));
    expect(send(tokenOf(HS256, { exp: now - 301 }))).toEqual(refused("timestamp_stale"));
    expect(send(tokenOf(HS256, { iat: now - 301 }))).toEqual(refused("timestamp_stale"));
    expect(send(tokenOf(HS256, { exp: now + 900, nbf: now + 301 }))).toEqual(refused("timestamp_future"));
    expect(send(tokenOf(HS256, { exp: String(now + 60) }))).toEqual(refused("malformed"));
    expect(send(tokenOf(HS256, { exp: now + 60 }, "another secret of 32 characters!"))).toEqual(
      refused("mismatch"),
    );
  });
});

describe("fetchSigningCertificate()", () => {
  test("fetches once for all who ask, keeps what is none for 30 s, and tries again after a failure", async () => {
    const [{ certificate }] = vectorsOf("aws-sns") as [SchemeVector];
    let requests = 0;
    let status = 500;
    const server = Bun.serve({
      port: 0,
      fetch(request) {
        requests++;
        const isThere = new URL(request.url).pathname === "/there.pem" && status === 200;
        return new Response(isThere ? certificate!.pem : "no", { status: isThere ? 200 : status });
      },
    });
    const sender = new Sender({
      policy: new AddressPolicy({ allowCidrs: ["127.0.0.0/8"], allowHttp: true }),
    });
    const at = (path: string): string => `http://127.0.0.1:${server.port}/${path}`;
    try {
      expect(await fetchSigningCertificate(sender, at("there.pem"), NOW_MS)).toBe(false);
      expect(findSigningKey(at("there.pem"), NOW_MS)).toBe(undefined);
      status = 200;
      const all = Array.from({ length: 5 }, () => fetchSigningCertificate(sender, at("there.pem"), NOW_MS));
      expect(await Promise.all(all)).toEqual([true, true, true, true, true]);
      expect(requests).toBe(2);
      expect(findSigningKey(at("there.pem"), NOW_MS)).toMatchObject({ asymmetricKeyType: "rsa" });
      expect(findSigningKey(at("there.pem"), NOW_MS + 86_400_001)).toBe(undefined);
      status = 404;
      expect(await fetchSigningCertificate(sender, at("missing.pem"), NOW_MS)).toBe(true);
      expect(findSigningKey(at("missing.pem"), NOW_MS)).toBe("unusable");
      expect(findSigningKey(at("missing.pem"), NOW_MS + 30_001)).toBe(undefined);
    } finally {
      await server.stop(true);
      sender.close();
    }
  });

  test("findSigningKey() gives no key outside the certificate's time, nor one of another kind", () => {
    const [{ certificate }] = vectorsOf("aws-sns") as [SchemeVector];
    const before = Date.parse("2019-12-31T00:00:00Z");
    rememberCertificate("https://example.com/a.pem", certificate!.pem, before);
    expect(findSigningKey("https://example.com/a.pem", before)).toBe("unusable");
    rememberCertificate("https://example.com/b.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n", NOW_MS);
    expect(findSigningKey("https://example.com/b.pem", NOW_MS)).toBe("unusable");
  });
});

test("compileVerifier() never throws, whatever stands in a body or a signature", () => {
  const bodies = [
    "",
    "null",
    "[]",
    "[".repeat(50_000),
    '{"signature":null}',
    "\0",
    "a=%FF",
    "<a>",
    '"x"',
    "{",
  ];
  for (const vector of readVectors()) {
    const verify = compileVerifier(vector.scheme, vector.settings ?? {}, [vector.secret]);
    const sample = sampleOf(vector);
    for (const body of bodies) verify(requestOf({ ...sample, body }));
    for (const value of ["", "=", "AAAA", "\u00e9", "0".repeat(10_000)]) {
      const headers = Object.fromEntries(Object.keys(sample.headers).map((name) => [name, value]));
      expect(verify(requestOf({ ...sample, headers: new Headers(headers).toJSON() }))).toBeDefined();
    }
  }
});
