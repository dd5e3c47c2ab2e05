import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const linear: Scheme = {
  name: "linear",
  title: "Linear",
  source: "https://linear.app/developers/webhooks#securing-webhooks",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "linear-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: ["body"],
    // The header Linear-Timestamp says the same, but nobody signs it.
    time: {
      unit: "milliseconds",
      pointer: "/webhookTimestamp",
      toleranceSeconds: toleranceSeconds(settings),
    },
    secret: TEXT_SECRET,
  }),
  eventId: { header: "linear-delivery" },
  eventType: { header: "linear-event" },
};
