import { secretComparer } from "../../../platform/crypto/constant-time.ts";
import { compilePlace, type PlacedRequest } from "./read-place.ts";
import type { Challenge, FixedAnswer, Place, Scheme } from "./scheme.ts";

type ChallengedRequest = PlacedRequest & { method: string };

/** Answers a provider that only asks whether somebody listens; undefined when the request is no challenge. */
export type ChallengeAnswerer = (request: ChallengedRequest) => FixedAnswer | undefined;

/**
 * Prepares the challenges of a scheme. A POST may be asked only after its signature was verified; GET and HEAD carry
 * none, so where the provider sends the secret along it is compared. A challenge is no event and is not stored.
 *
 * @param secrets as for `compileVerifier`, newest first
 * @returns undefined for a scheme without challenges
 */
export function compileChallenges(scheme: Scheme, secrets: readonly string[]): ChallengeAnswerer | undefined {
  if (scheme.challenges === undefined) return undefined;
  const compiled = scheme.challenges.map((challenge) => compileChallenge(challenge, secrets));
  return (request) => {
    for (const answerOf of compiled) {
      const answer = answerOf(request);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
}

function compileChallenge(challenge: Challenge, secrets: readonly string[]): ChallengeAnswerer {
  const tests = challenge.recognise.map(({ place, equals }) => ({ read: reader(place), equals }));
  const proof = challenge.proof && reader(challenge.proof);
  const matches = secrets.map((secret) => secretComparer(secret));
  const value = challenge.value === undefined ? () => "" : reader(challenge.value);
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

function reader(place: Place): (request: ChallengedRequest) => string | undefined {
  const read = compilePlace(place);
  return (request) => {
    const found = read(request);
    return "value" in found ? found.value : undefined;
  };
}
