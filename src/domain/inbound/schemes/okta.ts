import type { Scheme } from "./scheme.ts";

export const okta: Scheme = {
  name: "okta",
  title: "Okta event hooks",
  source: "https://developer.okta.com/docs/concepts/event-hooks/",
  ownerChooses: ["signatureHeader"],
  rule: (settings) => ({
    kind: "token",
    place: { header: settings.signatureHeader?.toLowerCase() ?? "authorization", prefix: "" },
    secret: {
      keys: [
        {
          prefix: "",
          form: "utf8",
          use: "compare",
          bytesMin: 16,
          pattern: { regex: /^[!-~]+( [!-~]+)?$/, message: "must be visible ASCII" },
        },
      ],
      generate: { prefix: "", bytes: 32, encoding: "base64url" },
    },
  }),
  eventId: { pointer: "/eventId" },
  eventType: { each: "/data/events", pointers: ["/eventType"], joinedBy: "" },
  // One GET when the hook is registered.
  challenges: [
    {
      method: "GET",
      recognise: [{ place: { header: "x-okta-verification-challenge" } }],
      value: { header: "x-okta-verification-challenge" },
      answer: (verification) => ({
        status: 200,
        contentType: "application/json",
        body: JSON.stringify({ verification }),
      }),
    },
  ],
};
