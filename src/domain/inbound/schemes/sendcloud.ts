import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const sendcloud: Scheme = {
  name: "sendcloud",
  title: "Sendcloud",
  source: "https://sendcloud.dev/api/v3/webhooks",
  rule: {
    kind: "signature",
    headers: [{ signature: "sendcloud-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: ["body"],
    // The integration's secret key, or its webhook signature key.
    secret: TEXT_SECRET,
  },
  eventType: { pointer: "/action" },
};
