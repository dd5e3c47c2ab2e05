import { onlyField, readFormFields } from "./form-fields.ts";
import { compilePlace } from "./read-place.ts";
import type { Scheme, SignatureCause, SignedRequest } from "./scheme.ts";
import { RetriedSettings, retriedToleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

const PARTS = ["timestamp", "token", "signature"] as const;
const readers = PARTS.map((name) => compilePlace({ pointer: `/signature/${name}` }));
const EMPTY = new Uint8Array(0);

/** Timestamp, token and signature of an event (JSON) or of a routed message (form). */
function readParts(request: SignedRequest): string[] | { cause: SignatureCause } {
  const fields = readFormFields(request.headers.get("content-type"), request.rawBody);
  const parts: string[] = [];
  for (const [at, name] of PARTS.entries()) {
    const field = fields && onlyField(fields, name);
    const found = fields === undefined ? readers[at]!(request) : { value: field ?? "" };
    if ("cause" in found) return found;
    if (found.value === "") return { cause: "malformed" };
    parts.push(found.value);
  }
  return parts;
}

export const mailgun: Scheme = {
  name: "mailgun",
  title: "Mailgun",
  source: "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
  settings: RetriedSettings,
  rule: (settings) => ({
    kind: "composed",
    headers: [],
    algorithm: { type: "hmac", hash: "sha256", encoding: "hex" },
    compose: (request) => {
      const parts = readParts(request);
      if ("cause" in parts) return parts;
      const [timestamp = "", token = "", signature = ""] = parts;
      const message = { before: timestamp + token, body: EMPTY, after: "" };
      return { proofs: [{ signatures: [signature], messages: [message] }], timestamp };
    },
    time: { unit: "seconds", toleranceSeconds: retriedToleranceSeconds(settings) },
    secret: TEXT_SECRET,
  }),
  // The event itself is not signed: under its own id, one captured signature could bring any number of events.
  eventId: { pointer: "/signature/token", orForm: "token" },
  eventType: { pointer: "/event-data/event", orForm: "event" },
};
