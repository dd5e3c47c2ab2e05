import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

export const quickbooks: Scheme = {
  name: "quickbooks",
  title: "QuickBooks Online",
  source: "https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks",
  rule: {
    kind: "signature",
    headers: [{ signature: "intuit-signature" }],
    grammar: { form: "whole", prefix: "", algorithm: { type: "hmac", hash: "sha256", encoding: "base64" } },
    signed: ["body"],
    // The verifier token of the app's webhooks page.
    secret: TEXT_SECRET,
  },
  // CloudEvents come as an array; the old form `eventNotifications` has no id, but the time of each change.
  eventId: { pointers: ["/id"], joinedBy: ",", each: "", orBody: "sha256" },
  eventType: { pointers: ["/type"], joinedBy: ",", each: "" },
};
