import { secretComparer } from "../../../platform/crypto/constant-time.ts";
import { compilePlace, type PlacedRequest, utf8Text } from "./read-place.ts";
import { findJsonValues, pointerTokens } from "./json-ranges.ts";
import type { Challenge, FixedAnswer, Place, Recognised, Scheme, SchemeSettings } from "./scheme.ts";

type ChallengedRequest = PlacedRequest & { method: string };

/** Answers a provider that only asks whether somebody listens; undefined when the request is no challenge. */
export type ChallengeAnswerer = (request: ChallengedRequest) => FixedAnswer | undefined;

/**
 * Prepares the challenges of a scheme. A POST may be asked only after its signature was verified; GET and HEAD carry
 * none, so where the provider sends the secret along it is compared. A challenge is no event and is not stored.
 *
 * @param secrets as for `compileVerifier`, newest first
 * @param settings columns of the endpoint; one of them may be the proof
 * @returns undefined for a scheme without challenges
 */
export function compileChallenges(
  scheme: Scheme,
  secrets: readonly string[],
  settings: SchemeSettings = {},
): ChallengeAnswerer | undefined {
  if (scheme.challenges === undefined) return undefined;
  const compiled = scheme.challenges.map((challenge) => compileChallenge(challenge, secrets, settings));
  return (request) => {
    for (const answerOf of compiled) {
      const answer = answerOf(request);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
}

function compileChallenge(
  challenge: Challenge,
  secrets: readonly string[],
  settings: SchemeSettings,
): ChallengeAnswerer {
  const tests = challenge.recognise.map(recogniser);
  const proof = challenge.proof && reader(challenge.proof.place);
  const chosen = challenge.proof?.setting && settings.signatureSettings?.[challenge.proof.setting];
  const matches = (typeof chosen === "string" ? [chosen] : secrets).map((text) => secretComparer(text));
  const value = challenge.value === undefined ? () => "" : reader(challenge.value);
  return (request) => {
    if (request.method !== challenge.method) return undefined;
    if (!tests.every((holds) => holds(request))) return undefined;
    const given = value(request);
    if (given === undefined || secrets[0] === undefined) return undefined;
    if (proof !== undefined) {
      const proven = proof(request);
      if (proven === undefined || !matches.some((match) => match(proven))) return undefined;
    }
    return challenge.answer(given, secrets[0]);
  };
}

/** A body that is nothing but a challenge is short; a longer one is not searched. */
const CHALLENGE_BYTES_MAX = 256;

function recogniser(recognised: Recognised): (request: ChallengedRequest) => boolean {
  if ("body" in recognised) {
    return ({ rawBody }) =>
      rawBody.byteLength <= CHALLENGE_BYTES_MAX && recognised.body.test(utf8Text(rawBody) ?? "");
  }
  if ("json" in recognised) {
    const tokens = pointerTokens(recognised.pointer);
    return ({ rawBody }) => {
      const text = utf8Text(rawBody);
      const [range, second] = text === undefined ? [] : findJsonValues(text, tokens);
      if (range === undefined || second !== undefined) return false;
      return text!.slice(range.start, range.end).replace(/\s/g, "") === recognised.json;
    };
  }
  const read = reader(recognised.place);
  if (!("equals" in recognised)) return (request) => read(request) !== undefined;
  return (request) => read(request) === recognised.equals;
}

function reader(place: Place): (request: ChallengedRequest) => string | undefined {
  const read = compilePlace(place);
  return (request) => {
    const found = read(request);
    return "value" in found ? found.value : undefined;
  };
}
