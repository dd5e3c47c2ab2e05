import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const terminal49: Scheme = {
  name: "terminal49",
  title: "Terminal49",
  source: "https://terminal49.com/docs/api-docs/in-depth-guides/webhooks",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-t49-webhook-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: ["body"],
    secret: TEXT_SECRET,
  },
  // https://terminal49.com/docs/api-docs/webhooks/best-practices
  eventId: { pointer: "/data/id" },
  eventType: { pointer: "/data/attributes/event" },
};
