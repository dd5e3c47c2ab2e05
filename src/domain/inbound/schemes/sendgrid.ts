import type { Scheme } from "./scheme.ts";
import { RetriedSettings, retriedToleranceSeconds } from "./settings.ts";

export const sendgrid: Scheme = {
  name: "sendgrid",
  title: "SendGrid event webhook",
  source:
    "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
  settings: RetriedSettings,
  rule: (settings) => ({
    kind: "signature",
    headers: [
      {
        signature: "x-twilio-email-event-webhook-signature",
        timestamp: "x-twilio-email-event-webhook-timestamp",
      },
    ],
    grammar: { form: "whole", prefix: "", algorithm: { type: "ecdsa-p256" } },
    signed: ["timestamp", "body"],
    time: { unit: "seconds", toleranceSeconds: retriedToleranceSeconds(settings) },
    secret: {
      keys: [{ prefix: "", form: "base64", use: "ecdsa-p256", bytesMin: 59, bytesMax: 91 }],
    },
  }),
  eventId: { each: "", pointers: ["/sg_event_id"], joinedBy: "" },
  eventType: { each: "", pointers: ["/event"], joinedBy: "" },
};
