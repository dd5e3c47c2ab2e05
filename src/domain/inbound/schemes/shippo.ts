import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

/** HMAC is set up by Shippo on request; without it use `token` with a query parameter in the webhook's URL. */
export const shippo: Scheme = {
  name: "shippo",
  title: "Shippo",
  source: "https://docs.goshippo.com/docs/tracking/webhooksecurity",
  settings: TimedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [{ signature: "shippo-auth-signature" }],
    grammar: {
      form: "pairs",
      timestampField: "t",
      algorithms: { v1: { type: "hmac", hash: "sha256", encoding: "hex" } },
    },
    signed: ["timestamp", { text: "." }, "body"],
    time: { unit: "seconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: TEXT_SECRET,
  }),
  eventType: { pointer: "/event" },
};
