import type { Scheme } from "./scheme.ts";

export const easypost: Scheme = {
  name: "easypost",
  title: "EasyPost",
  source: "https://docs.easypost.com/docs/webhooks#webhook-authentication",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-hmac-signature" }],
    grammar: {
      form: "whole",
      prefix: "hmac-sha256-hex=",
      algorithm: { type: "hmac", hash: "sha256", encoding: "hex" },
    },
    signed: ["body"],
    secret: {
      keys: [{ prefix: "", form: "utf8", use: "hmac", bytesMin: 16, normalise: "NFKD" }],
      generate: { prefix: "", bytes: 32, encoding: "hex" },
    },
  },
  eventId: { pointer: "/id" },
  eventType: { pointer: "/description" },
};
