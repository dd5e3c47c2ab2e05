import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const typeform: Scheme = {
  name: "typeform",
  title: "Typeform",
  source: "https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
  rule: {
    kind: "signature",
    headers: [{ signature: "typeform-signature" }],
    grammar: {
      form: "whole",
      prefix: "sha256=",
      algorithm: { type: "hmac", hash: "sha256", encoding: "base64" },
    },
    signed: ["body"],
    secret: TEXT_SECRET,
  },
  eventId: { pointer: "/event_id" },
  eventType: { pointer: "/event_type" },
};
