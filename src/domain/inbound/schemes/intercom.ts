import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const intercom: Scheme = {
  name: "intercom",
  title: "Intercom",
  source: "https://developers.intercom.com/docs/webhooks/webhook-notifications",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-hub-signature" }],
    // SHA-1 is all that Intercom offers.
    grammar: { form: "whole", prefix: "sha1=", algorithm: { type: "hmac", hash: "sha1", encoding: "hex" } },
    signed: ["body"],
    // The app's client secret.
    secret: TEXT_SECRET,
  },
  eventId: { pointer: "/id" },
  eventType: { pointer: "/topic" },
  // Sent when the address is saved: https://developers.intercom.com/building-apps/docs/setting-up-webhooks
  challenges: [{ method: "HEAD", recognise: [], answer: () => ({ status: 200, body: "" }) }],
};
