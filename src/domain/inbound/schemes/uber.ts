import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const uber: Scheme = {
  name: "uber",
  title: "Uber (Direct, Eats, vehicles)",
  source: "https://developer.uber.com/docs/deliveries/guides/webhooks",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-uber-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: ["body"],
    // The webhook's signing key, or the client secret of an Eats app.
    secret: TEXT_SECRET,
  },
  eventId: { pointer: "/event_id" },
  eventType: { pointer: "/event_type", orPointer: "/kind" },
  // https://developer.uber.com/docs/eats/references/api/webhooks/orders-release
  accepted: { status: 200, body: "" },
};
