import { type FormField, readFormFields } from "./form-fields.ts";
import { compilePlace } from "./read-place.ts";
import type { Scheme, SignatureCause, SignedRequest } from "./scheme.ts";
import { TEXT_SECRET } from "./text-secret.ts";
import { urlSpellings } from "./url-spellings.ts";

const readSignature = compilePlace({ header: "x-twilio-signature" });
const EMPTY = new Uint8Array(0);

export const twilio: Scheme = {
  name: "twilio",
  title: "Twilio",
  source: "https://www.twilio.com/docs/usage/webhooks/webhooks-security",
  rule: {
    kind: "composed",
    headers: ["x-twilio-signature"],
    algorithm: { type: "hmac", hash: "sha1", encoding: "base64" },
    compose: (request) => {
      const signature = readSignature(request);
      if ("cause" in signature) return signature;
      const parameters = signedParameters(request);
      if (typeof parameters !== "string") return parameters;
      const messages = spellings(request.publicUrl()).map((url) => ({
        before: url + parameters,
        body: EMPTY,
        after: "",
      }));
      return { proofs: [{ signatures: [signature.value], messages }] };
    },
    secret: TEXT_SECRET,
  },
  // The same for all retries of one webhook (docs/usage/webhooks/webhooks-connection-overrides).
  eventId: { header: "i-twilio-idempotency-token" },
  eventType: { form: "EventType" },
};

/**
 * What is signed behind the URL: nothing when the signed URL holds the body's hash, which must be right; else the sorted
 * fields of a form. Any other body would stand beside the signature and not below it.
 */
function signedParameters(request: SignedRequest): string | { cause: SignatureCause } {
  const { headers, query, rawBody } = request;
  const hashes = new URLSearchParams(query).getAll("bodySHA256");
  if (hashes.length > 1) return { cause: "malformed" };
  if (hashes.length === 1) {
    return Bun.SHA256.hash(rawBody, "hex") === hashes[0] ? "" : { cause: "mismatch" };
  }
  if (rawBody.byteLength === 0) return "";
  const fields = readFormFields(headers.get("content-type"), rawBody);
  return fields === undefined ? { cause: "malformed" } : sortedFields(fields);
}

/** Names in order, each with its different values in order, nothing between (package twilio, `webhooks.js`). */
function sortedFields(fields: readonly FormField[]): string {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of fields) values.set(name, (values.get(name) ?? new Set()).add(value));
  return [...values.keys()]
    .sort()
    .flatMap((name) => [...values.get(name)!].sort().map((value) => name + value))
    .join("");
}

/** Products of Twilio differ in whether they sign the port, and apostrophes in the query. */
function spellings(url: string): string[] {
  const match = /^(https?:\/\/[^/?#:]+)(:\d+)?(.*)$/.exec(url);
  if (match === null) return [url];
  const [, origin = "", port, rest = ""] = match;
  const standardPort = origin.startsWith("https") ? ":443" : ":80";
  return [origin + rest, origin + (port ?? standardPort) + rest].flatMap(urlSpellings);
}
