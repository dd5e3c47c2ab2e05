import { basic } from "./basic.ts";
import { ruleOf, type Scheme } from "./scheme.ts";
import { token } from "./token.ts";

/** Postmark signs nothing: it sends the user and password of the URL, or a header of the owner's choice. */
export const postmark: Scheme = {
  name: "postmark",
  title: "Postmark",
  source: "https://postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook",
  ownerChooses: ["signatureHeader"],
  rule: (settings) =>
    typeof settings.signatureHeader === "string" && settings.signatureHeader.toLowerCase() !== "authorization"
      ? ruleOf(token, { signatureHeader: settings.signatureHeader })
      : ruleOf(basic, {}),
  // One message causes many events, so its MessageID names none of them; each body holds the time of its own.
  eventId: { body: "sha256" },
  eventType: { pointer: "/RecordType" },
};
