import type { EventIdSource, EventTypeSource } from "./endpoint-schema.ts";
import { bodyChecksum, eventKeyHasher } from "./event-key.ts";
import { compileBodyBlanking } from "./schemes/blank-secrets.ts";
import { compileChallenges } from "./schemes/compile-challenges.ts";
import { findScheme } from "./schemes/registry.ts";
import {
  type FixedAnswer,
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
  const challenge = compileChallenges(scheme, recipe.secrets);
  const eventIdOf = compileSource(recipe.eventIdSource ?? scheme.eventId);
  const eventTypeOf = compileSource(recipe.eventTypeSource ?? scheme.eventType);
  const eventKeyOf = eventKeyHasher(recipe.endpointId);
  const blank = compileBodyBlanking(scheme, recipe.settings);
  return (request) => {
    const verdict = verify(request);
    if (!verdict.ok) return { kind: "refused", cause: verdict.cause };
    const answer = challenge?.(request);
    if (answer !== undefined) return { kind: "challenge", answer };
    const { headers, rawBody } = request;
    const eventId = eventIdOf(headers, rawBody) ?? null;
    return {
      kind: "event",
      eventId,
      eventType: eventTypeOf(headers, rawBody) ?? null,
      eventKey: eventKeyOf(eventId ?? rawBody),
      checksum: bodyChecksum(rawBody),
      stored: blank === undefined ? rawBody : blank(rawBody),
    };
  };
}
