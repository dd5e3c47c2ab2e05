import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const zoom: Scheme = {
  name: "zoom",
  title: "Zoom",
  source: "https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "x-zm-signature", timestamp: "x-zm-request-timestamp" }],
    grammar: { form: "whole", prefix: "v0=", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: [{ text: "v0:" }, "timestamp", { text: ":" }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: TEXT_SECRET,
  }),
  // Events have no id; `event_ts` has milliseconds, so only a repetition is equal to them.
  eventId: { body: "sha256" },
  eventType: { pointer: "/event" },
  // When the address is saved, and every 72 hours after that.
  challenges: [
    {
      method: "POST",
      recognise: [{ place: { pointer: "/event" }, equals: "endpoint.url_validation" }],
      value: { pointer: "/payload/plainToken" },
      answer: (plainToken, secret) => ({
        status: 200,
        contentType: "application/json",
        body: JSON.stringify({
          plainToken,
          encryptedToken: new Bun.CryptoHasher("sha256", secret).update(plainToken).digest("hex"),
        }),
      }),
    },
  ],
};
