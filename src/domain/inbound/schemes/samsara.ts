import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";

export const samsara: Scheme = {
  name: "samsara",
  title: "Samsara",
  source: "https://developers.samsara.com/docs/webhooks#webhook-signatures",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "x-samsara-signature", timestamp: "x-samsara-timestamp" }],
    grammar: { form: "whole", prefix: "v1=", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: [{ text: "v1:" }, "timestamp", { text: ":" }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: {
      keys: [{ prefix: "", form: "base64", use: "hmac", bytesMin: 16 }],
      generate: { prefix: "", bytes: 32, encoding: "base64" },
    },
  }),
  eventId: { pointer: "/eventId" },
  eventType: { pointer: "/eventType" },
};
