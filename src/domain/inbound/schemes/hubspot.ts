import { Type } from "@sinclair/typebox";
import { compilePlace } from "./read-place.ts";
import type { ComposedRule, Scheme, SchemeSettings } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";
import { urlSpellings } from "./url-spellings.ts";

/**
 * HubSpot sends several signatures side by side. One version is chosen for an endpoint: whoever could fall back to an
 * older one would get round the time that only v3 signs.
 */
const HubSpotSettings = Type.Object(
  {
    version: Type.Optional(
      Type.Union([Type.Literal("v3"), Type.Literal("v2"), Type.Literal("v1")], {
        default: "v3",
        description: "Version of the signature that is verified; v1 and v2 sign no time.",
      }),
    ),
    ...TimedSettings.properties,
  },
  { additionalProperties: false },
);

const readSignature3 = compilePlace({ header: "x-hubspot-signature-v3" });
const readTimestamp = compilePlace({ header: "x-hubspot-request-timestamp" });
const readSignature = compilePlace({ header: "x-hubspot-signature" });
const readVersion = compilePlace({ header: "x-hubspot-signature-version" });

export const hubspot: Scheme = {
  name: "hubspot",
  title: "HubSpot",
  source: "https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests",
  settings: HubSpotSettings,
  rule: (settings) => {
    const { version = "v3" } = (settings.signatureSettings ?? {}) as typeof HubSpotSettings.static;
    return version === "v3" ? rule3(settings) : olderRule(version);
  },
  // eventId alone is not unique, say HubSpot's pages; attemptNumber changes with a retry, so the body's hash does too.
  eventId: { each: "", pointers: ["/subscriptionId", "/eventId", "/occurredAt"], joinedBy: ":" },
  eventType: { each: "", pointers: ["/subscriptionType"], joinedBy: "" },
};

function rule3(settings: SchemeSettings): ComposedRule {
  return {
    kind: "composed",
    headers: ["x-hubspot-signature-v3"],
    algorithm: { type: "hmac", hash: "sha256", encoding: "base64" },
    compose: (request) => {
      const signature = readSignature3(request);
      if ("cause" in signature) return signature;
      const timestamp = readTimestamp(request);
      if ("cause" in timestamp) return timestamp;
      const messages = spellings(request.publicUrl()).map((url) => ({
        before: request.method.toUpperCase() + url,
        body: request.rawBody,
        after: timestamp.value,
      }));
      return { proofs: [{ signatures: [signature.value], messages }], timestamp: timestamp.value };
    },
    time: { unit: "milliseconds", toleranceSeconds: toleranceSeconds(settings) },
    secret: TEXT_SECRET,
  };
}

function olderRule(version: "v1" | "v2"): ComposedRule {
  return {
    kind: "composed",
    headers: ["x-hubspot-signature"],
    algorithm: { type: "prefixed-hash", hash: "sha256", encoding: "hex" },
    compose: (request) => {
      const signature = readSignature(request);
      if ("cause" in signature) return signature;
      const named = readVersion(request);
      if ("cause" in named) return named;
      if (named.value !== version) return { cause: "unknown_version" };
      const befores =
        version === "v1"
          ? [""]
          : spellings(request.publicUrl()).map((url) => request.method.toUpperCase() + url);
      const messages = befores.map((before) => ({ before, body: request.rawBody, after: "" }));
      return { proofs: [{ signatures: [signature.value], messages }] };
    },
    secret: TEXT_SECRET,
  };
}

/** Sequences that HubSpot decodes in the URL before it signs; its own package signs the URL as it stands. */
const DECODED: Readonly<Record<string, string>> = {
  "%3A": ":",
  "%2F": "/",
  "%3F": "?",
  "%40": "@",
  "%21": "!",
  "%24": "$",
  "%27": "'",
  "%28": "(",
  "%29": ")",
  "%2A": "*",
  "%2C": ",",
  "%3B": ";",
};

function spellings(url: string): string[] {
  const decoded = url.replace(/%[0-9A-F]{2}/gi, (text) => DECODED[text.toUpperCase()] ?? text);
  return [...new Set([decoded, ...urlSpellings(url)])];
}
