import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";

export const slack: Scheme = {
  name: "slack",
  title: "Slack",
  source: "https://docs.slack.dev/authentication/verifying-requests-from-slack",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "x-slack-signature", timestamp: "x-slack-request-timestamp" }],
    grammar: { form: "whole", prefix: "v0=", algorithm: { type: "hmac", hash: "sha256", encoding: "hex" } },
    signed: [{ text: "v0:" }, "timestamp", { text: ":" }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: {
      keys: [{ prefix: "", form: "utf8", use: "hmac", bytesMin: 16 }],
      generate: { prefix: "", bytes: 16, encoding: "hex" },
    },
  }),
  eventId: { pointer: "/event_id" },
  eventType: { pointer: "/event/type" },
  // https://docs.slack.dev/reference/events/url_verification
  challenges: [
    {
      method: "POST",
      recognise: [{ place: { pointer: "/type" }, equals: "url_verification" }],
      value: { pointer: "/challenge" },
      answer: (challenge) => ({
        status: 200,
        contentType: "application/json",
        body: JSON.stringify({ challenge }),
      }),
    },
  ],
  // The old verification token still comes with every request, in JSON events and in the form of a slash command.
  secretFields: [{ pointer: "/token" }, { form: "token" }],
};
