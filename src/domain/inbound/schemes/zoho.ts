import type { Scheme } from "./scheme.ts";

export const zoho: Scheme = {
  name: "zoho",
  title: "Zoho CRM notifications",
  source: "https://www.zoho.com/crm/developer/docs/api/v8/notifications/overview.html",
  rule: {
    kind: "token",
    place: { pointer: "/token" },
    secret: {
      keys: [
        {
          prefix: "",
          form: "utf8",
          use: "compare",
          bytesMin: 16,
          bytesMax: 50,
          pattern: { regex: /^[!-~]*$/, message: "must be visible ASCII without spaces" },
        },
      ],
      generate: { prefix: "", bytes: 24, encoding: "base64url" },
    },
  },
  // There is no id; the body holds the time of sending in milliseconds, so only a repetition is equal to it.
  eventId: { body: "sha256" },
  eventType: { pointers: ["/module", "/operation"], joinedBy: "." },
};
