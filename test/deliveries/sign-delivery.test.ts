import { describe, expect, test } from "bun:test";
import { createHmac, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { verify as verifyGithub } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { Webhook as SvixWebhook } from "svix";
import { signDelivery } from "../../src/domain/deliveries/sign-delivery.ts";
import type { SignatureForm } from "../../src/domain/subscriptions/signature-form.ts";
import { makeSigningSecret, signingSecretFault } from "../../src/domain/subscriptions/signing-secret.ts";

const STANDARD: SignatureForm = { scheme: "STANDARD_WEBHOOKS" };
const body = JSON.stringify({ id: "1", type: "order.created", data: { note: "Grüße 🚚" } });
const now = () => Math.floor(Date.now() / 1000);

function sign(secrets: string[], signatureForm: SignatureForm = STANDARD, text = body, id = "msg_1") {
  return signDelivery({ secrets, signatureForm }, { id, timestampSeconds: now(), body: text });
}

describe("signDelivery()", () => {
  test("gives the published vector of Standard Webhooks", () => {
    const headers = signDelivery(
      { secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], signatureForm: STANDARD },
      { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestampSeconds: 1614265330, body: '{"test": 2432232314}' },
    );
    expect(headers).toEqual({
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("is verified by the packages standardwebhooks and svix", () => {
    const secret = makeSigningSecret();
    const headers = sign([secret]);
    expect(new StandardWebhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new SvixWebhook(secret).verify(body, headers)).not.toThrow();
    expect(() => new StandardWebhook(secret).verify(`${body} `, headers)).toThrow();
    expect(() => new StandardWebhook(makeSigningSecret()).verify(body, headers)).toThrow();
  });

  test("is verified with the old and with the new secret in the middle of a rotation", () => {
    const [next, old] = [makeSigningSecret(), makeSigningSecret()];
    const headers = sign([next, old]);
    for (const secret of [next, old]) {
      expect(new StandardWebhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
      expect(() => new SvixWebhook(secret).verify(body, headers)).not.toThrow();
    }
  });

  test("signs with Ed25519 (v1a) beside an HMAC secret", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const jwk = privateKey.export({ format: "jwk" });
    const seed = Buffer.from(jwk.d!, "base64url");
    const hmacSecret = makeSigningSecret();
    for (const bytes of [seed, Buffer.concat([seed, Buffer.from(jwk.x!, "base64url")])]) {
      const headers = sign([`whsk_${bytes.toString("base64")}`, hmacSecret]);
      const [asymmetric, symmetric] = headers["webhook-signature"]!.split(" ");
      expect(symmetric).toStartWith("v1,");
      const signed = Buffer.from(`msg_1.${headers["webhook-timestamp"]}.${body}`);
      const signature = Buffer.from(asymmetric!.slice("v1a,".length), "base64");
      expect(asymmetric).toStartWith("v1a,");
      expect(
        verify(null, signed, createPublicKey(publicKey.export({ format: "pem", type: "spki" })), signature),
      ).toBe(true);
      expect(new StandardWebhook(hmacSecret).verify(body, headers)).toEqual(JSON.parse(body));
    }
  });

  test("writes GitHub's form, which its package verifies", async () => {
    const form: SignatureForm = { scheme: "HMAC", header: "X-Hub-Signature-256", prefix: "sha256=" };
    const secret = "It's a Secret to Everybody";
    expect(sign([secret], form, "Hello, World!")["x-hub-signature-256"]).toBe(
      "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    );
    expect(await verifyGithub(secret, body, sign([secret], form)["x-hub-signature-256"]!)).toBe(true);
  });

  test("writes Stripe's form, which its package verifies with both secrets of a rotation", async () => {
    const form: SignatureForm = { scheme: "HMAC", header: "Stripe-Signature", layout: "PAIRS" };
    const secrets = ["whsec_new_new_new_new", "whsec_old_old_old_old"];
    const header = sign(secrets, form)["stripe-signature"]!;
    const stripe = new Stripe("sk_test_unused");
    for (const secret of secrets) {
      // oxlint-disable-next-line no-await-in-loop -- two of them
      expect((await stripe.webhooks.constructEventAsync(body, header, secret)).id).toBe("1");
    }
  });

  test.each<[SignatureForm & { scheme: "HMAC" }, string, (key: string) => string]>([
    [{ scheme: "HMAC" }, "x-signature", (key) => createHmac("sha256", key).update(body).digest("hex")],
    [
      { scheme: "HMAC", algorithm: "SHA512", encoding: "base64", header: "X-Sig" },
      "x-sig",
      (key) => createHmac("sha512", key).update(body).digest("base64"),
    ],
    [
      { scheme: "HMAC", algorithm: "SHA1", encoding: "base64url", prefix: "HMAC " },
      "x-signature",
      (key) => `HMAC ${createHmac("sha1", key).update(body).digest("base64url")}`,
    ],
  ])("writes the plain form %j", (form, header, expected) => {
    const key = "a secret of a partner";
    const headers = sign([key], form);
    expect(headers[header]).toBe(expected(key));
    expect(headers["webhook-id"]).toBe("msg_1");
  });

  test("signs the time where a header for it is named", () => {
    const key = "a secret of a partner";
    const headers = sign([key], { scheme: "HMAC", timestampHeader: "X-Time", prefix: "v0=" });
    const expected = createHmac("sha256", key).update(`${headers["x-time"]}.${body}`).digest("hex");
    expect(headers["x-signature"]).toBe(`v0=${expected}`);
  });

  test("signs with the new secret, and with the old one in a header of its own", () => {
    const [next, old] = ["the new secret text", "the old secret text"];
    const headers = sign([next, old], { scheme: "HMAC" });
    expect(headers["x-signature"]).toBe(createHmac("sha256", next).update(body).digest("hex"));
    expect(headers["x-signature-previous"]).toBe(createHmac("sha256", old).update(body).digest("hex"));
  });

  test("never sends unsigned: no secret, and one that cannot be read, throw", () => {
    expect(() => sign([])).toThrow(RangeError);
    expect(() => sign(["whsec_short"])).toThrow(RangeError);
  });
});

describe("signingSecretFault()", () => {
  test.each([
    ["", "whsec_"],
    ["secret", "whsec_"],
    ["whsec_***", "base64"],
    ["whsec_c2hvcnQ=", "24 to 64"],
    [`whsec_${Buffer.alloc(65).toString("base64")}`, "24 to 64"],
    [`whsk_${Buffer.alloc(31).toString("base64")}`, "Ed25519"],
  ])("refuses %j for Standard Webhooks", (secret, word) => {
    expect(signingSecretFault(STANDARD, secret)).toContain(word);
  });

  test("takes what makeSigningSecret() makes, for both forms", () => {
    expect(signingSecretFault(STANDARD, makeSigningSecret())).toBeUndefined();
    expect(signingSecretFault({ scheme: "HMAC" }, makeSigningSecret())).toBeUndefined();
    expect(signingSecretFault({ scheme: "HMAC" }, "too short")).toContain("16");
  });
});
