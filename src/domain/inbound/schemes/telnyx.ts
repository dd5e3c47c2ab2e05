import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";

export const telnyx: Scheme = {
  name: "telnyx",
  title: "Telnyx",
  source: "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "telnyx-signature-ed25519", timestamp: "telnyx-timestamp" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "ed25519" } },
    signed: ["timestamp", { text: "|" }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: {
      keys: [{ prefix: "", form: "base64", use: "ed25519", bytesMin: 32, bytesMax: 32 }],
    },
  }),
  eventId: { pointer: "/data/id" },
  eventType: { pointer: "/data/event_type" },
};
