import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const square: Scheme = {
  name: "square",
  title: "Square",
  source: "https://developer.squareup.com/docs/webhooks/step3validate",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-square-hmacsha256-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "base64" } },
    signed: ["url", "body"],
    secret: TEXT_SECRET,
  },
  eventId: { pointer: "/event_id" },
  eventType: { pointer: "/type" },
};
