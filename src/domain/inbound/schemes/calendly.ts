import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const calendly: Scheme = {
  name: "calendly",
  title: "Calendly",
  source: "https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "calendly-webhook-signature" }],
    grammar: {
      form: "pairs",
      timestampField: "t",
      algorithms: { v1: { type: "hmac", hash: "sha256", encoding: "hex" } },
    },
    signed: ["timestamp", { text: "." }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: TEXT_SECRET,
  }),
  // No field names the event, but each body holds its created_at.
  eventId: { body: "sha256" },
  eventType: { pointer: "/event" },
};
