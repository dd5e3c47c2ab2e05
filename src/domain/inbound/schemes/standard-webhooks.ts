import type { Scheme, SecretRule, SignatureHeaders, SignatureRule } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";

/**
 * Secrets of Standard Webhooks, "Signature scheme": `whsec_` is followed by 24 to 64 bytes in base64 (senders also show
 * them without the prefix), `whpk_` by the 32 bytes of an Ed25519 public key. A `whsk_` is the sender's own and refused.
 */
const secret: SecretRule = {
  keys: [
    { prefix: "whsec_", form: "base64", use: "hmac", bytesMin: 24, bytesMax: 64 },
    { prefix: "whpk_", form: "base64", use: "ed25519", bytesMin: 32, bytesMax: 32 },
    { prefix: "", form: "base64", use: "hmac", bytesMin: 24, bytesMax: 64 },
  ],
  generate: { prefix: "whsec_", bytes: 32, encoding: "base64" },
};

/** The rule of Standard Webhooks under other header names. */
export function standardRule(headers: readonly SignatureHeaders[], tolerance: number): SignatureRule {
  return {
    kind: "signature",
    headers,
    grammar: {
      form: "list",
      algorithms: { v1: { type: "hmac", hash: "sha256", encoding: "base64" }, v1a: { type: "ed25519" } },
    },
    signed: ["id", { text: "." }, "timestamp", { text: "." }, "body"],
    time: { unit: "seconds", toleranceSeconds: tolerance },
    secret,
  };
}

export const STANDARD_HEADERS: SignatureHeaders = {
  signature: "webhook-signature",
  timestamp: "webhook-timestamp",
  id: "webhook-id",
};

export const standardWebhooks: Scheme = {
  name: "standard-webhooks",
  title: "Standard Webhooks",
  source: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
  settings: TimedSettings,
  rule: (settings) => standardRule([STANDARD_HEADERS], toleranceSeconds(settings)),
  eventId: { header: "webhook-id" },
  eventType: { pointer: "/type" },
};
