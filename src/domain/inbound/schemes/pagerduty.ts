import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const pagerduty: Scheme = {
  name: "pagerduty",
  title: "PagerDuty",
  source: "https://developer.pagerduty.com/docs/verifying-webhook-signatures",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-pagerduty-signature" }],
    // One signature for each secret while one replaces another.
    grammar: { form: "pairs", algorithms: { v1: { type: "hmac", hash: "sha256", encoding: "hex" } } },
    signed: ["body"],
    secret: TEXT_SECRET,
  },
  eventId: { pointer: "/event/id" },
  eventType: { pointer: "/event/event_type" },
};
