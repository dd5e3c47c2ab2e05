import type { Rule, Scheme, SchemeSettings } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";

function rule(settings: SchemeSettings): Rule {
  return {
    kind: "signature",
    headers: [{ signature: "x-signature-ed25519", timestamp: "x-signature-timestamp" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "ed25519", encoding: "hex" } },
    signed: ["timestamp", "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: {
      keys: [{ prefix: "", form: "hex", use: "ed25519", bytesMin: 32, bytesMax: 32 }],
    },
  };
}

const json = (body: string) => ({ status: 200, contentType: "application/json", body });

/** Commands and components: answered as "deferred", so that what they caused has 15 minutes for its own answer. */
export const discord: Scheme = {
  name: "discord",
  title: "Discord interactions",
  source:
    "https://docs.discord.com/developers/interactions/overview#setting-up-an-endpoint-validating-security-request-headers",
  settings: TimedSettings,
  rule,
  eventId: { pointer: "/id" },
  eventType: { pointer: "/type" },
  challenges: [
    { method: "POST", recognise: [{ pointer: "/type", json: "1" }], answer: () => json('{"type":1}') },
    // Autocompletion cannot be deferred; no choices is the answer of who has none yet.
    {
      method: "POST",
      recognise: [{ pointer: "/type", json: "4" }],
      answer: () => json('{"type":8,"data":{"choices":[]}}'),
    },
  ],
  accepted: json('{"type":5}'),
};

export const discordEvents: Scheme = {
  name: "discord-events",
  title: "Discord webhook events",
  source: "https://docs.discord.com/developers/events/webhook-events",
  settings: TimedSettings,
  rule,
  // Events have no id; their time has milliseconds, so only a repetition is equal to them.
  eventId: { body: "sha256" },
  eventType: { pointer: "/event/type" },
  challenges: [
    {
      method: "POST",
      recognise: [{ pointer: "/type", json: "0" }],
      answer: () => ({ status: 204, body: "" }),
    },
  ],
  accepted: { status: 204, body: "" },
};
