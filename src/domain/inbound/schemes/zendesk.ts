import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const zendesk: Scheme = {
  name: "zendesk",
  title: "Zendesk",
  source: "https://developer.zendesk.com/documentation/webhooks/verifying/",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [
      { signature: "x-zendesk-webhook-signature", timestamp: "x-zendesk-webhook-signature-timestamp" },
    ],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "base64" } },
    signed: ["timestamp", "body"],
    time: { unit: "iso8601", toleranceSeconds: toleranceSeconds(settings) },
    // The secret looks like base64, but its text is the key.
    secret: TEXT_SECRET,
  }),
  eventId: { header: "x-zendesk-webhook-invocation-id" },
  // Only events have a type; what a trigger or an automation sends is free text.
  eventType: { pointer: "/type" },
};
