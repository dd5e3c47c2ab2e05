import type { Scheme } from "./scheme.ts";

export const onfleet: Scheme = {
  name: "onfleet",
  title: "Onfleet",
  source: "https://docs.onfleet.com/reference/secrets",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-onfleet-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha512", encoding: "hex" } },
    signed: ["body"],
    secret: {
      keys: [{ prefix: "", form: "hex", use: "hmac", bytesMin: 16 }],
      generate: { prefix: "", bytes: 64, encoding: "hex" },
    },
  },
  // No field names the event; each body holds its time in milliseconds, and failed ones come again for a day.
  eventId: { body: "sha256" },
  eventType: { pointer: "/triggerName" },
  // https://docs.onfleet.com/reference/validation
  challenges: [
    {
      method: "GET",
      recognise: [],
      value: { query: "check" },
      answer: (check) => ({
        status: 200,
        contentType: "text/plain",
        // What anybody may put into the query must not become a page.
        headers: { "x-content-type-options": "nosniff" },
        body: check,
      }),
    },
  ],
};
