import { Type } from "@sinclair/typebox";
import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

const MetaSettings = Type.Object(
  {
    verifyToken: Type.Optional(
      Type.String({
        pattern: "^[!-~]{8,200}$",
        description:
          "The verify token entered in Meta's app dashboard; without it the endpoint's secret is asked for.",
      }),
    ),
  },
  { additionalProperties: false },
);

export const meta: Scheme = {
  name: "meta",
  title: "Meta (Facebook, Instagram, WhatsApp)",
  source: "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
  settings: MetaSettings,
  rule: {
    kind: "signature",
    headers: [{ signature: "x-hub-signature-256" }],
    grammar: {
      form: "whole",
      prefix: "sha256=",
      algorithm: { type: "hmac", hash: "sha256", encoding: "hex" },
    },
    signed: ["body"],
    secret: TEXT_SECRET,
  },
  // Notifications have no id; they hold their times and the ids of what changed.
  eventId: { body: "sha256" },
  eventType: { pointer: "/object" },
  challenges: [
    {
      method: "GET",
      recognise: [{ place: { query: "hub.mode" }, equals: "subscribe" }],
      proof: { place: { query: "hub.verify_token" }, setting: "verifyToken" },
      value: { query: "hub.challenge" },
      answer: (challenge) => ({
        status: 200,
        contentType: "text/plain",
        headers: { "x-content-type-options": "nosniff" },
        body: challenge,
      }),
    },
  ],
};
