import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const flexport: Scheme = {
  name: "flexport",
  title: "Flexport",
  source: "https://apidocs.flexport.com/2023-07-01/tag/Webhook-Endpoints",
  rule: {
    kind: "signature",
    // X-Hub-Signature (SHA-1) is sent too and on its way out; it is never read.
    headers: [{ signature: "x-hub-signature-256" }],
    grammar: {
      form: "whole",
      prefix: "sha256=",
      algorithm: { type: "hmac", hash: "sha256", encoding: "hex" },
    },
    signed: ["body"],
    secret: TEXT_SECRET,
  },
  eventId: { pointer: "/id" },
  eventType: { pointer: "/type" },
};
