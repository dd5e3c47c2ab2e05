import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const xero: Scheme = {
  name: "xero",
  title: "Xero",
  source: "https://developer.xero.com/documentation/webhooks/configuring-your-server",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-xero-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "base64" } },
    signed: ["body"],
    secret: TEXT_SECRET,
  },
  // Events have no id; `entropy` makes every body another one.
  eventId: { body: "sha256" },
  eventType: { each: "/events", pointers: ["/eventCategory", "/eventType"], joinedBy: "." },
  // Intent to receive: several posts without events, some of them signed wrongly; 200 or 401, and never a body.
  challenges: [
    {
      method: "POST",
      recognise: [{ pointer: "/events", json: "[]" }],
      answer: () => ({ status: 200, body: "" }),
    },
  ],
  accepted: { status: 200, body: "" },
  refused: { status: 401, body: "" },
};
