import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

/** Formerly KeepTruckin, whose initials the header still bears. */
export const motive: Scheme = {
  name: "motive",
  title: "Motive (KeepTruckin)",
  source: "https://developer-docs.gomotive.com/reference/company-webhooks-overview",
  rule: {
    kind: "signature",
    headers: [{ signature: "x-kt-webhook-signature" }],
    // SHA-1 is all that Motive offers; as an HMAC it is not known to be broken.
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha1", encoding: "hex" } },
    signed: ["body"],
    secret: { ...TEXT_SECRET, generate: { prefix: "", bytes: 10, encoding: "hex" } },
  },
  eventType: { pointer: "/action" },
};
