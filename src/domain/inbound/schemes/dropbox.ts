import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const dropbox: Scheme = {
  name: "dropbox",
  title: "Dropbox",
  source: "https://www.dropbox.com/developers/reference/webhooks",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-dropbox-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: ["body"],
    // The app secret, which has 15 characters.
    secret: { ...TEXT_SECRET, keys: [{ prefix: "", form: "utf8", use: "hmac", bytesMin: 15 }] },
  },
  // A notification names accounts and not what changed in them: the next change of the same account looks the same.
  eventId: { unique: "request" },
  challenges: [
    {
      method: "GET",
      recognise: [],
      value: { query: "challenge" },
      answer: (challenge) => ({
        status: 200,
        contentType: "text/plain",
        // What anybody may put into the query must not become a page.
        headers: { "x-content-type-options": "nosniff" },
        body: challenge,
      }),
    },
  ],
};
