import { compilePlace } from "./read-place.ts";
import type { Scheme } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";

/** One header for each key of the account, at most a hundred of them. */
const HEADERS = Array.from({ length: 100 }, (_, index) => `x-docusign-signature-${index + 1}`);
const readers = HEADERS.map((header) => compilePlace({ header }));

export const docusign: Scheme = {
  name: "docusign",
  title: "DocuSign Connect",
  source: "https://developers.docusign.com/platform/webhooks/connect/validate/",
  rule: {
    kind: "composed",
    headers: HEADERS,
    algorithm: { type: "hmac", hash: "sha256", encoding: "base64" },
    compose: (request) => {
      const signatures: string[] = [];
      for (const read of readers) {
        const found = read(request);
        if ("value" in found) signatures.push(found.value);
        else if (found.cause !== "header_missing" || signatures.length === 0) return found;
        else break;
      }
      const message = { before: "", body: request.rawBody, after: "" };
      return { proofs: [{ signatures, messages: [message] }] };
    },
    secret: TEXT_SECRET,
  },
  // `retryCount` changes with a retry, so the body's hash does too.
  eventId: {
    pointers: ["/configurationId", "/data/envelopeId", "/data/recipientId", "/event", "/generatedDateTime"],
    joinedBy: ":",
  },
  eventType: { pointer: "/event" },
};
