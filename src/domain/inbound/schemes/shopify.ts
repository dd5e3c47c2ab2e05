import type { Scheme } from "./scheme.ts";

export const shopify: Scheme = {
  name: "shopify",
  title: "Shopify",
  source:
    "https://shopify.dev/docs/apps/build/webhooks/subscribe/https#step-2-validate-the-origin-of-your-webhook",
  rule: {
    kind: "signature",
    // "Events" webhooks leave out the X-; Shopify's own package looks for them first.
    headers: [{ signature: "shopify-hmac-sha256" }, { signature: "x-shopify-hmac-sha256" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "base64" } },
    signed: ["body"],
    secret: {
      keys: [{ prefix: "", form: "utf8", use: "hmac", bytesMin: 16 }],
      generate: { prefix: "", bytes: 16, encoding: "hex" },
    },
  },
  // Event-Id names the merchant's action, which can cause several webhooks; Webhook-Id is one webhook and its retries.
  eventId: { header: "shopify-webhook-id", orHeader: "x-shopify-webhook-id" },
  eventType: { header: "shopify-topic", orHeader: "x-shopify-topic" },
};
