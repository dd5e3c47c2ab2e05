import { compilePlace } from "./schemes/read-place.ts";
import type { Challenge, FixedAnswer, Place, SignedRequest } from "./schemes/scheme.ts";
import { secretComparer } from "../../platform/crypto/constant-time.ts";

/** A scheme's challenge, ready for use; undefined when the request is none. */
export type ChallengeAnswerer = (request: SignedRequest) => FixedAnswer | undefined;

/**
 * Prepares the challenges of a scheme. A POST reaches them only after its signature was verified; GET and HEAD carry
 * none, so where the provider sends the secret along it is compared.
 *
 * @param secrets newest first
 */
export function compileChallenges(
  challenges: readonly Challenge[],
  secrets: readonly string[],
): ChallengeAnswerer {
  const compiled = challenges.map((challenge) => compileChallenge(challenge, secrets));
  return (request) => {
    for (const answer of compiled) {
      const given = answer(request);
      if (given !== undefined) return given;
    }
    return undefined;
  };
}

function compileChallenge(challenge: Challenge, secrets: readonly string[]): ChallengeAnswerer {
  const tests = challenge.recognise.map(({ place, equals }) => ({ read: reader(place), equals }));
  const proof = challenge.proof && reader(challenge.proof);
  const matches = secrets.map((secret) => secretComparer(secret));
  const value = reader(challenge.value);
  return (request) => {
    if (request.method !== challenge.method) return undefined;
    if (!tests.every((test) => test.read(request) === test.equals)) return undefined;
    const given = value(request);
    if (given === undefined || secrets[0] === undefined) return undefined;
    if (proof !== undefined) {
      const proven = proof(request);
      if (proven === undefined || !matches.some((match) => match(proven))) return undefined;
    }
    return challenge.answer(given, secrets[0]);
  };
}

function reader(place: Place): (request: SignedRequest) => string | undefined {
  const read = compilePlace(place);
  return (request) => {
    const found = read(request);
    return "value" in found ? found.value : undefined;
  };
}
