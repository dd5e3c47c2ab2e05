import { secretComparer } from "../../../platform/crypto/constant-time.ts";
import { compilePlace, type PlacedRequest } from "./read-place.ts";
import type { Challenge, FixedAnswer, Place, Scheme } from "./scheme.ts";

/**
 * The answer to a provider that only asks whether somebody listens; such a request is no event and is not stored.
 *
 * @param secrets as for `compileVerifier`, newest first
 * @param request a POST whose signature was verified, or a GET or HEAD
 * @returns undefined when the request is no challenge of this scheme, or its proof is wrong
 */
export function challengeAnswer(
  scheme: Scheme,
  secrets: readonly string[],
  request: PlacedRequest & { method: string },
): FixedAnswer | undefined {
  for (const challenge of scheme.challenges ?? []) {
    if (challenge.method !== request.method || !isRecognised(challenge, request)) continue;
    if (challenge.proof !== undefined && !holdsSecret(challenge.proof, secrets, request)) continue;
    const value = valueAt(challenge.value, request);
    if (value !== undefined) return challenge.answer(value, secrets[0] ?? "");
  }
  return undefined;
}

function isRecognised(challenge: Challenge, request: PlacedRequest): boolean {
  return challenge.recognise.every(({ place, equals }) => valueAt(place, request) === equals);
}

function holdsSecret(place: Place, secrets: readonly string[], request: PlacedRequest): boolean {
  const value = valueAt(place, request);
  return value !== undefined && secrets.some((secret) => secretComparer(secret)(value));
}

function valueAt(place: Place, request: PlacedRequest): string | undefined {
  const found = compilePlace(place)(request);
  return "value" in found ? found.value : undefined;
}
