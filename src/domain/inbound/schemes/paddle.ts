import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const paddle: Scheme = {
  name: "paddle",
  title: "Paddle Billing",
  source: "https://developer.paddle.com/webhooks/signature-verification",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "paddle-signature" }],
    // h1 stands twice while a secret is rotated.
    grammar: {
      form: "pairs",
      timestampField: "ts",
      separator: ";",
      algorithms: { h1: { type: "hmac", hash: "sha256", encoding: "hex" } },
    },
    signed: ["timestamp", { text: ":" }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: TEXT_SECRET,
  }),
  eventId: { pointer: "/event_id" },
  eventType: { pointer: "/event_type" },
};
