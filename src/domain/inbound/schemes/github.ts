import type { Scheme } from "./scheme.ts";

export const github: Scheme = {
  name: "github",
  title: "GitHub",
  source: "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
  rule: {
    kind: "signature",
    // X-Hub-Signature (SHA-1) is sent too, for old receivers; it is never read.
    headers: [{ signature: "x-hub-signature-256" }],
    grammar: {
      form: "whole",
      prefix: "sha256=",
      algorithm: { type: "hmac", hash: "sha256", encoding: "hex" },
    },
    signed: ["body"],
    secret: {
      keys: [{ prefix: "", form: "utf8", use: "hmac", bytesMin: 16 }],
      generate: { prefix: "", bytes: 32, encoding: "hex" },
    },
  },
  eventId: { header: "x-github-delivery" },
  eventType: { header: "x-github-event" },
};
