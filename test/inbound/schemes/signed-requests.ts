import { createHmac, generateKeyPairSync, sign as signDetached } from "node:crypto";
import { sign as signGitHub } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { Webhook as SvixWebhook } from "svix";
import type { Scheme, SchemeSettings, SignedRequest } from "../../../src/domain/inbound/schemes/scheme.ts";

/** One request that a scheme accepts, and what of it is signed. */
export interface SignedSample {
  label: string;
  scheme: string;
  settings: SchemeSettings;
  secret: string;
  headers: Record<string, string>;
  query: string;
  /** Address under which the sender knows the hub; left out: one with the query `a=1`. */
  publicUrl?: string;
  body: string;
  /** Headers of which every byte counts. */
  signedHeaders: string[];
  /** False where the body holds a token and is not signed itself. */
  bodyIsSigned: boolean;
  /** The scheme that takes it, where that is not the registry's: for published secrets that are too short. */
  accepting?: Scheme;
  /** When it arrives; `NOW_MS` when left out. */
  nowMs?: number;
}

export const NOW_MS = 1_795_416_508_123;
const NOW_SECONDS = Math.floor(NOW_MS / 1000);
const BODY = '{"id":"evt_1","type":"load.delivered","note":"Zürich \\u0000 ✓"}';
const TEXT_SECRET = "It's a Secret to Everybody";
const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

export function hmacText(
  secret: string | Uint8Array,
  message: string,
  encoding: "hex" | "base64" | "base64url" = "hex",
  hash = "sha256",
): string {
  return createHmac(hash, secret).update(message).digest(encoding);
}

/** A sample as the verifier takes it, with parts replaced. */
export function requestOf(
  sample: Pick<SignedSample, "headers" | "query" | "body" | "nowMs" | "publicUrl">,
  change: Partial<SignedRequest> = {},
): SignedRequest {
  return {
    method: "POST",
    publicUrl: () => sample.publicUrl ?? "https://hub.example.com/webhooks/acme/orders?a=1",
    headers: new Headers(sample.headers),
    query: sample.query,
    rawBody: new TextEncoder().encode(sample.body),
    nowMs: sample.nowMs ?? NOW_MS,
    ...change,
  };
}

/** A key pair with its public key in the form of Standard Webhooks. */
export function ed25519Pair(): { publicSecret: string; sign: (message: string) => string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
  return {
    publicSecret: `whpk_${raw.toString("base64")}`,
    sign: (message) => signDetached(null, Buffer.from(message), privateKey).toString("base64"),
  };
}

/** Samples of every scheme, signed by the provider's own package where there is one that signs. */
export async function signedSamples(): Promise<SignedSample[]> {
  const at = new Date(NOW_MS);
  const stripe = new Stripe("sk_test_1");
  const stripeSecret = "whsec_1234567890abcdef";
  const asymmetric = ed25519Pair();
  const sample = (label: string, more: Partial<SignedSample>): SignedSample => ({
    label,
    scheme: label,
    settings: {},
    secret: TEXT_SECRET,
    headers: {},
    query: "",
    body: BODY,
    signedHeaders: Object.keys(more.headers ?? {}),
    bodyIsSigned: true,
    ...more,
  });
  const stripeHeader = await stripe.webhooks.generateTestHeaderStringAsync({
    payload: BODY,
    secret: stripeSecret,
    timestamp: NOW_SECONDS,
  });
  const token = "0123456789abcdef-token";
  return [
    sample("hmac", { headers: { "x-signature": hmacText(TEXT_SECRET, BODY) } }),
    sample("hmac with everything set", {
      scheme: "hmac",
      settings: {
        signatureHeader: "X-Partner-Sign",
        signatureAlgorithm: "HMAC-SHA512-BASE64URL",
        signatureSettings: {
          prefix: "v2=",
          keyForm: "base64",
          timestampHeader: "X-Partner-Time",
          timestampUnit: "milliseconds",
          signedTemplate: "{method}|{url}|{header:x-partner-id}|{timestamp}|{body}|end",
        },
      },
      secret: Buffer.alloc(32, 5).toString("base64"),
      headers: {
        "x-partner-sign": `v2=${hmacText(
          Buffer.alloc(32, 5),
          `POST|https://hub.example.com/webhooks/acme/orders?a=1|p-77|${NOW_MS}|${BODY}|end`,
          "base64url",
          "sha512",
        )}`,
        "x-partner-time": String(NOW_MS),
        "x-partner-id": "p-77",
      },
    }),
    sample("github", { headers: { "x-hub-signature-256": await signGitHub(TEXT_SECRET, BODY) } }),
    sample("shopify", { headers: { "x-shopify-hmac-sha256": hmacText(TEXT_SECRET, BODY, "base64") } }),
    sample("slack", {
      headers: {
        "x-slack-signature": `v0=${hmacText(TEXT_SECRET, `v0:${NOW_SECONDS}:${BODY}`)}`,
        "x-slack-request-timestamp": String(NOW_SECONDS),
      },
    }),
    sample("stripe", { secret: stripeSecret, headers: { "stripe-signature": stripeHeader } }),
    sample("standard-webhooks", {
      secret: STANDARD_SECRET,
      headers: {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": String(NOW_SECONDS),
        "webhook-signature": new StandardWebhook(STANDARD_SECRET).sign(
          "msg_p5jXN8AQM9LWM0D4loKWxJek",
          at,
          BODY,
        ),
      },
    }),
    sample("standard-webhooks with Ed25519", {
      scheme: "standard-webhooks",
      secret: asymmetric.publicSecret,
      headers: {
        "webhook-id": "msg_1",
        "webhook-timestamp": String(NOW_SECONDS),
        "webhook-signature": `v1a,${asymmetric.sign(`msg_1.${NOW_SECONDS}.${BODY}`)}`,
      },
    }),
    sample("svix", {
      secret: STANDARD_SECRET,
      headers: {
        "svix-id": "msg_1",
        "svix-timestamp": String(NOW_SECONDS),
        "svix-signature": new SvixWebhook(STANDARD_SECRET).sign("msg_1", at, BODY),
      },
    }),
    sample("token", { secret: token, headers: { "x-webhook-token": token }, bodyIsSigned: false }),
    sample("basic", {
      secret: "acme:correct horse",
      headers: { authorization: `Basic ${Buffer.from("acme:correct horse").toString("base64")}` },
      bodyIsSigned: false,
    }),
  ];
}
