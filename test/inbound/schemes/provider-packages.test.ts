import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import "@shopify/shopify-api/adapters/web-api";
import { verify as verifyGitHub } from "@octokit/webhooks-methods";
import EasyPostClient from "@easypost/api";
import { Paddle } from "@paddle/paddle-node-sdk";
import { ApiVersion, LogSeverity, shopifyApi } from "@shopify/shopify-api";
import { isValidSlackRequest } from "@slack/bolt";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { Webhook as SvixWebhook } from "svix";
import { textComparer } from "../../../src/platform/crypto/constant-time.ts";
import { prepareHmac } from "../../../src/platform/crypto/hmac.ts";
import { findScheme } from "../../../src/domain/inbound/schemes/registry.ts";
import type { SchemeSettings, VerifyOutcome } from "../../../src/domain/inbound/schemes/scheme.ts";
import { compileVerifier } from "../../../src/domain/inbound/verify-signature.ts";
import { ed25519Pair, hmacText, requestOf } from "./signed-requests.ts";

const BODY = '{"id":"evt_1","note":"Zürich ✓"}';
const SECRET = "0123456789abcdef0123456789abcdef";
const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

interface Case {
  headers: Record<string, string>;
  body: string;
  nowMs?: number;
  secret?: string;
  settings?: SchemeSettings;
}

function judge(
  scheme: string,
  { headers, body, nowMs = Date.now(), secret = SECRET, settings = {} }: Case,
): VerifyOutcome {
  const verify = compileVerifier(findScheme(scheme)!, settings, [secret]);
  return verify(requestOf({ headers, body, query: "" }, { nowMs }));
}

const seconds = () => Math.floor(Date.now() / 1000);

describe("packages that sign", () => {
  test("compileVerifier() accepts what stripe signs, with its scheme v0 and a second v1 beside it", async () => {
    const stripe = new Stripe("sk_test_1");
    const secret = "whsec_0123456789abcdef";
    const header = await stripe.webhooks.generateTestHeaderStringAsync({ payload: BODY, secret });
    const rotated = header.replace(",v1=", `,v1=${"0".repeat(64)},v0=${"1".repeat(64)},v1=`);
    for (const value of [header, rotated]) {
      expect(judge("stripe", { headers: { "stripe-signature": value }, body: BODY, secret })).toEqual({
        ok: true,
      });
      expect(await stripe.webhooks.constructEventAsync(BODY, value, secret)).toMatchObject({ id: "evt_1" });
    }
  });

  test("compileVerifier() accepts what standardwebhooks and svix sign", () => {
    const at = new Date();
    const timestamp = String(Math.floor(at.getTime() / 1000));
    for (const signer of [new StandardWebhook(STANDARD_SECRET), new SvixWebhook(STANDARD_SECRET)]) {
      const signature = signer.sign("msg_1", at, BODY);
      const plain = { "webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": signature };
      const branded = { "svix-id": "msg_1", "svix-timestamp": timestamp, "svix-signature": signature };
      expect(judge("standard-webhooks", { headers: plain, body: BODY, secret: STANDARD_SECRET })).toEqual({
        ok: true,
      });
      expect(judge("svix", { headers: plain, body: BODY, secret: STANDARD_SECRET })).toEqual({ ok: true });
      expect(judge("svix", { headers: branded, body: BODY, secret: STANDARD_SECRET })).toEqual({ ok: true });
      expect(judge("standard-webhooks", { headers: branded, body: BODY, secret: STANDARD_SECRET }).ok).toBe(
        false,
      );
    }
  });
});

describe("packages that only verify: they accept our signature first", () => {
  test("compileVerifier() agrees with @octokit/webhooks-methods", async () => {
    const signature = `sha256=${hmacText(SECRET, BODY)}`;
    expect(await verifyGitHub(SECRET, BODY, signature)).toBe(true);
    expect(judge("github", { headers: { "x-hub-signature-256": signature }, body: BODY })).toEqual({
      ok: true,
    });
    const upper = `sha256=${hmacText(SECRET, BODY).toUpperCase()}`;
    expect(await verifyGitHub(SECRET, BODY, upper)).toBe(false);
    expect(judge("github", { headers: { "x-hub-signature-256": upper }, body: BODY }).ok).toBe(false);
  });

  test("compileVerifier() agrees with @shopify/shopify-api on both spellings of the headers", async () => {
    const shopify = shopifyApi({
      apiKey: "key",
      apiSecretKey: SECRET,
      hostName: "hub.example.com",
      apiVersion: ApiVersion.Unstable,
      isEmbeddedApp: false,
      logger: { level: LogSeverity.Error },
    });
    for (const prefix of ["x-shopify-", "shopify-"]) {
      const headers = {
        [`${prefix}hmac-sha256`]: hmacText(SECRET, BODY, "base64"),
        [`${prefix}topic`]: "orders/create",
        [`${prefix}shop-domain`]: "acme.myshopify.com",
        [`${prefix}api-version`]: "2026-07",
        [`${prefix}webhook-id`]: "w1",
      };
      const rawRequest = new Request("https://hub.example.com/", { method: "POST", body: BODY, headers });
      expect(await shopify.webhooks.validate({ rawBody: BODY, rawRequest })).toMatchObject({ valid: true });
      expect(judge("shopify", { headers, body: BODY })).toEqual({ ok: true });
    }
  });

  test("compileVerifier() agrees with @slack/bolt", () => {
    const timestamp = seconds();
    const signature = `v0=${hmacText(SECRET, `v0:${timestamp}:${BODY}`)}`;
    expect(
      isValidSlackRequest({
        signingSecret: SECRET,
        body: BODY,
        headers: { "x-slack-signature": signature, "x-slack-request-timestamp": timestamp },
      }),
    ).toBe(true);
    const headers = { "x-slack-signature": signature, "x-slack-request-timestamp": String(timestamp) };
    expect(judge("slack", { headers, body: BODY })).toEqual({ ok: true });
  });

  test("compileVerifier() agrees with @paddle/paddle-node-sdk, also while a secret is rotated", async () => {
    const { webhooks } = new Paddle("pdl_sdbx_apikey_1");
    const body =
      '{"event_id":"evt_1","event_type":"customer.created","occurred_at":"2026-11-23T06:48:28Z","notification_id":"n","data":{}}';
    const time = seconds();
    const right = `h1=${hmacText(SECRET, `${time}:${body}`)}`;
    for (const header of [`ts=${time};${right}`, `ts=${time};h1=${"0".repeat(64)};${right}`]) {
      expect(await webhooks.isSignatureValid(body, SECRET, header)).toBe(true);
      expect(judge("paddle", { headers: { "paddle-signature": header }, body })).toEqual({ ok: true });
    }
    const wrong = `ts=${time + 1};${right}`;
    expect(await webhooks.isSignatureValid(body, SECRET, wrong)).toBe(false);
    expect(judge("paddle", { headers: { "paddle-signature": wrong }, body }).ok).toBe(false);
  });

  test("compileVerifier() agrees with @easypost/api, also on a secret that is normalised", () => {
    const { Utils } = new EasyPostClient("EZTK_1");
    const body = '{"id":"evt_1","description":"tracker.updated","result":{"weight":614.4}}';
    for (const secret of [SECRET, "s\u00e9cret-for-easypost-webhooks"]) {
      const signature = `hmac-sha256-hex=${hmacText(secret.normalize("NFKD"), body)}`;
      expect(Utils.validateWebhook(Buffer.from(body), { "X-Hmac-Signature": signature }, secret)).toEqual(
        JSON.parse(body),
      );
      expect(judge("easypost", { headers: { "x-hmac-signature": signature }, body, secret })).toEqual({
        ok: true,
      });
    }
  });
});

describe("published vectors", () => {
  test("Standard Webhooks: the example of its libraries", () => {
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    const vector = {
      headers,
      body: '{"test": 2432232314}',
      nowMs: 1_614_265_330_000,
      secret: STANDARD_SECRET,
    };
    expect(judge("standard-webhooks", vector)).toEqual({ ok: true });
    expect(judge("standard-webhooks", { ...vector, secret: STANDARD_SECRET.slice("whsec_".length) })).toEqual(
      { ok: true },
    );
  });

  test("GitHub: the example of its documentation", () => {
    const digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const headers = { "x-hub-signature-256": `sha256=${digest}` };
    expect(judge("github", { headers, body: "Hello, World!", secret: "It's a Secret to Everybody" })).toEqual(
      { ok: true },
    );
  });

  test("Slack: the example of its documentation", () => {
    const body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&" +
      "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&" +
      "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&" +
      "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const headers = {
      "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
      "x-slack-request-timestamp": "1531420618",
    };
    const secret = "8f742231b10e8888abcd99yyyzzz85a5";
    expect(judge("slack", { headers, body, nowMs: 1_531_420_618_000, secret })).toEqual({ ok: true });
  });

  test("Motive (SHA-1 hex), QuickBooks, Xero and Samsara are expressed by settings of hmac", () => {
    const hello = '{"hello":"world"}';
    const vectors: Case[] = [
      {
        secret: "d9d36bea41c44ae49d1bfc4a48ba2abe",
        body: '["fault_code_closed"]',
        headers: { "x-kt-webhook-signature": "f04a8386a21a6cba0447024e83b3f0983352bb72" },
        settings: { signatureHeader: "X-KT-Webhook-Signature", signatureAlgorithm: "HMAC-SHA1" },
      },
      {
        secret: "test-verifier-token",
        body: hello,
        headers: { "intuit-signature": "rXcel5d25hJ7esKOG2LcJsXw9o/esS1XoyZZBXG4zg4=" },
        settings: { signatureHeader: "intuit-signature", signatureAlgorithm: "HMAC-SHA256-BASE64" },
      },
      {
        secret: "test-webhook-key",
        body: hello,
        headers: { "x-xero-signature": "ThviwhpA4p6YaTZaM4E5RAPJqPvBbzII1yaCtm/9LfQ=" },
        settings: { signatureHeader: "x-xero-signature", signatureSettings: { encoding: "base64" } },
      },
      {
        secret: "dGVzdC1zYW1zYXJhLXNlY3JldC1rZXktMzItYnl0ZXM=",
        body: hello,
        nowMs: 1_700_000_000_000,
        headers: {
          "x-samsara-signature": "v1=8d34750e955f76c78d94d61f3a0e9b5a0d538b883579c00f9f2c99772605165e",
          "x-samsara-timestamp": "1700000000",
        },
        settings: {
          signatureHeader: "X-Samsara-Signature",
          signatureSettings: {
            prefix: "v1=",
            keyForm: "base64",
            timestampHeader: "X-Samsara-Timestamp",
            signedTemplate: "v1:{timestamp}:{body}",
          },
        },
      },
    ];
    for (const vector of vectors) expect(judge("hmac", vector)).toEqual({ ok: true });
  });
});

interface WycheproofGroup {
  tagSize: number;
  tests: { tcId: number; key: string; msg: string; tag: string; result: "valid" | "invalid" }[];
}

const WYCHEPROOF = new URL(
  "../../../../shared/samples/crypto/wycheproof-hmac_sha256_test.json",
  import.meta.url,
);

function readWycheproof(): WycheproofGroup[] | undefined {
  try {
    return (JSON.parse(readFileSync(WYCHEPROOF, "utf8")) as { testGroups: WycheproofGroup[] }).testGroups;
  } catch {
    console.warn(`SKIPPED: the Wycheproof vectors are not at ${WYCHEPROOF.pathname}`);
    return undefined;
  }
}

const groups = readWycheproof();

describe.skipIf(groups === undefined)("Wycheproof HMAC-SHA256", () => {
  test("prepareHmac() gives every valid tag, textComparer() refuses every invalid one", () => {
    for (const { tagSize, tests } of groups!) {
      const equals = textComparer(tagSize / 4);
      for (const { key, msg, tag, result } of tests) {
        const digest = prepareHmac("sha256", Buffer.from(key, "hex"))("", Buffer.from(msg, "hex"), "", "hex");
        expect(equals(digest.slice(0, tagSize / 4), tag)).toBe(result === "valid");
      }
    }
  });

  test("compileVerifier() accepts the whole valid tags and refuses the shortened ones", () => {
    for (const { tagSize, tests } of groups!) {
      for (const { key, msg, tag, result } of tests) {
        const verify = compileVerifier(findScheme("hmac")!, { signatureSettings: { keyForm: "hex" } }, [key]);
        const request = requestOf(
          { headers: { "x-signature": tag }, body: "", query: "" },
          { rawBody: Buffer.from(msg, "hex") },
        );
        expect(verify(request).ok).toBe(result === "valid" && tagSize === 256);
      }
    }
  });
});

test("compileVerifier() never throws for a public key that is no point of the curve", () => {
  const { sign } = ed25519Pair();
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(seconds()),
    "webhook-signature": `v1a,${sign(`msg_1.${seconds()}.${BODY}`)}`,
  };
  for (let first = 0; first < 256; first++) {
    const secret = `whpk_${Buffer.alloc(32, first).toString("base64")}`;
    expect(judge("standard-webhooks", { headers, body: BODY, secret }).ok).toBe(false);
  }
});
