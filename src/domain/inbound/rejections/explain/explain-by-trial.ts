import type { SecretRule, SignatureCause, SignedRequest, Verifier } from "../../schemes/scheme.ts";
import { compileVerifier } from "../../verify-signature.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { bodyVariants } from "./body-variants.ts";
import type { ExplainInput } from "./explain-input.ts";
import { findMistakes } from "./search.ts";
import { secretCandidates, secretPrefixes } from "./secret-variants.ts";
import { clockOff } from "./signed-time.ts";
import { urlVariants } from "./url-variants.ts";
import { asIs } from "./variant.ts";

/**
 * Says why a request of a scheme with rules of its own was not accepted: asks the scheme's verifier about other
 * secrets, bodies and addresses.
 *
 * @param secret form of the scheme's secrets; undefined when it has none
 * @param cause what the verifier found
 */
export async function explainByTrial(
  input: ExplainInput,
  secret: SecretRule | undefined,
  cause: SignatureCause,
): Promise<RejectionCause[]> {
  const { request, scheme, secrets } = input;
  const found: RejectionCause[] = [];
  let { nowMs } = request;
  if (cause === "timestamp_stale" || cause === "timestamp_future") {
    const signedMs = signedTime(request);
    const seconds = signedMs === undefined ? undefined : Math.round((nowMs - signedMs) / 1000);
    found.push(clockOff(seconds, undefined, cause));
    nowMs = signedMs ?? nowMs;
  }
  const verifiers = new Map<string, Verifier | undefined>();
  const verifierOf = (text: string): Verifier | undefined => {
    if (!verifiers.has(text)) verifiers.set(text, tryCompile(input, text));
    return verifiers.get(text);
  };
  const keys = secret === undefined ? [] : secretCandidates(secrets, secretPrefixes(secret));
  const mistakes = await findMistakes(
    {
      faces: [asIs(undefined)],
      keys: keys.length === 0 ? [asIs("")] : keys,
      bodies: await bodyVariants(request.rawBody, request.headers),
      urls: urlVariants(input.publicUrl, input.target, request.headers),
    },
    (_face, text, rawBody, url) =>
      verifierOf(text)?.({ ...request, nowMs, rawBody, publicUrl: () => url }).ok === true,
  );
  if (mistakes !== undefined) return [...found, ...mistakes];
  if (found.length > 0 && cause !== "mismatch") return found;
  const words = WORDS[cause] ?? "is not what the scheme asks for";
  return [
    {
      code: cause === "mismatch" ? "unexplained" : cause,
      message: `What proves the sender (scheme ${scheme.title}) ${words}.`,
      action: `Compare the request, the secret's last four characters and the settings with ${scheme.source}.`,
    },
  ];
}

const WORDS: Readonly<Partial<Record<string, string>>> = {
  header_missing: "is missing: check that the sender signs at all and that no proxy removes it",
  header_doubled: "stands twice: find the proxy that adds it once more",
  malformed: "is not in the scheme's form",
  unknown_version: "is of a version that the scheme does not know",
  mismatch: "fits none of the usual mistakes: most likely the secret is another one",
};

function tryCompile({ scheme, settings }: ExplainInput, secret: string): Verifier | undefined {
  try {
    return compileVerifier(scheme, settings, [secret]);
  } catch {
    return undefined;
  }
}

/** The time in a header that is named for it. */
function signedTime({ headers }: SignedRequest): number | undefined {
  for (const [name, value] of headers) {
    if (!name.includes("time")) continue;
    if (/^[1-9]\d{9}$/.test(value)) return Number(value) * 1000;
    if (/^[1-9]\d{12}$/.test(value)) return Number(value);
  }
  return undefined;
}
