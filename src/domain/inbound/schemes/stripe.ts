import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";

export const stripe: Scheme = {
  name: "stripe",
  title: "Stripe",
  source: "https://docs.stripe.com/webhooks#verify-manually",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "stripe-signature" }],
    // v0 comes with test events only and proves nothing; v1 stands twice while a secret is rotated.
    grammar: {
      form: "pairs",
      timestampField: "t",
      algorithms: { v1: { type: "hmac", hash: "sha256", encoding: "hex" } },
    },
    signed: ["timestamp", { text: "." }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: {
      // The key is the whole text, prefix included; a prefix asked for catches a pasted API key.
      keys: [{ prefix: "whsec_", form: "utf8", use: "hmac", bytesMin: 16 }],
      generate: { prefix: "whsec_", bytes: 32, encoding: "hex" },
    },
  }),
  eventId: { pointer: "/id" },
  eventType: { pointer: "/type" },
};
