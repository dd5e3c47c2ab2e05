import type { EventIdSource, EventTypeSource } from "./endpoint-schema.ts";
import { bodyChecksum, eventKeyHasher } from "./event-key.ts";
import { readableContent } from "./readable-content.ts";
import { compileBodyBlanking } from "./schemes/blank-secrets.ts";
import { compileChallenges } from "./schemes/compile-challenges.ts";
import { findScheme } from "./schemes/registry.ts";
import {
  type FixedAnswer,
  type Scheme,
  SchemeConfigurationError,
  type SchemeSettings,
  type SignatureCause,
  type SignedRequest,
} from "./schemes/scheme.ts";
import { compileSource, compileVerifier } from "./verify-signature.ts";

/** What of an endpoint decides how a request is judged; plain data, so that a thread can be given it. */
export interface InspectionRecipe {
  endpointId: string;
  schemeName: string;
  settings: SchemeSettings;
  /** Newest first. */
  secrets: readonly string[];
  eventIdSource: EventIdSource | null;
  eventTypeSource: EventTypeSource | null;
}

/** What a request is found to be. */
export type Inspection =
  | { kind: "refused"; cause: SignatureCause }
  /** Cannot be judged before this certificate was fetched. */
  | { kind: "certificate_unknown"; certificateUrl: string }
  /** The provider hands over the secret with which it will sign. */
  | { kind: "handshake"; header: string; secret: string }
  | { kind: "challenge"; answer: FixedAnswer }
  | {
      kind: "event";
      /** Null: the sender gave none, and the body stands for it. */
      eventId: string | null;
      eventType: string | null;
      eventKey: string;
      checksum: string;
      /** The body without a secret that stood in it. */
      stored: Uint8Array;
      /** Address that has to be called before the event is acknowledged. */
      confirmationUrl: string | undefined;
    };

export type Inspector = (request: SignedRequest) => Inspection;

/**
 * Prepares everything that looks into a POST: signature, challenge, event id and type, removal of secrets.
 *
 * @throws SchemeConfigurationError for an unknown scheme, an empty secret or settings that the scheme cannot work with
 */
export function compileInspector(recipe: InspectionRecipe): Inspector {
  const scheme = findScheme(recipe.schemeName);
  if (!scheme) throw new SchemeConfigurationError(`There is no scheme "${recipe.schemeName}"`);
  const verify = compileVerifier(scheme, recipe.settings, recipe.secrets);
  const challenge = compileChallenges(scheme, recipe.secrets, recipe.settings);
  const unsigned = scheme.challenges?.filter((one) => one.unsigned === true) ?? [];
  const ping =
    unsigned.length === 0
      ? undefined
      : compileChallenges({ ...scheme, challenges: unsigned }, recipe.secrets, recipe.settings);
  const handshake = compileHandshake(scheme, recipe.secrets);
  const eventIdOf = compileSource(recipe.eventIdSource ?? scheme.eventId);
  const eventTypeOf = compileSource(recipe.eventTypeSource ?? scheme.eventType);
  const eventKeyOf = eventKeyHasher(recipe.endpointId);
  const blank = compileBodyBlanking(scheme, recipe.settings);
  return (request) => {
    const offered = handshake?.(request.headers);
    if (offered !== undefined) return offered;
    const pinged = ping?.(request);
    if (pinged !== undefined) return { kind: "challenge", answer: pinged };
    const verdict = verify(request);
    if (!verdict.ok) {
      const { cause, certificateUrl } = verdict;
      return certificateUrl === undefined
        ? { kind: "refused", cause }
        : { kind: "certificate_unknown", certificateUrl };
    }
    const answer = challenge?.(request);
    if (answer !== undefined) return { kind: "challenge", answer };
    const { headers, rawBody } = request;
    const content = readableContent(headers, rawBody);
    const eventId = eventIdOf(headers, content) ?? null;
    return {
      kind: "event",
      eventId,
      eventType: eventTypeOf(headers, content) ?? null,
      eventKey: eventKeyOf(eventId ?? rawBody),
      checksum: bodyChecksum(rawBody),
      stored: blank === undefined ? rawBody : blank(rawBody),
      confirmationUrl: scheme.confirmation?.(rawBody),
    };
  };
}

/** Secrets that a provider hands over: visible ASCII, so that the answer's header can give them back. */
const OFFERED_SECRET = /^[!-+\--~]{16,256}$/;

/** Reads an offered secret while the endpoint still waits for one. */
function compileHandshake(
  scheme: Scheme,
  secrets: readonly string[],
): ((headers: Headers) => Inspection | undefined) | undefined {
  const { handshake } = scheme;
  if (handshake === undefined || secrets[0]?.startsWith(handshake.pendingPrefix) !== true) return undefined;
  return (headers) => {
    const secret = headers.get(handshake.header);
    if (secret === null) return undefined;
    if (!OFFERED_SECRET.test(secret) || secret.startsWith(handshake.pendingPrefix)) {
      return { kind: "refused", cause: "malformed" };
    }
    return { kind: "handshake", header: handshake.header, secret };
  };
}
