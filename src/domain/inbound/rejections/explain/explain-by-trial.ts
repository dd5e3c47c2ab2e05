import type { SecretRule, SignatureCause, Verifier } from "../../schemes/scheme.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { bodyVariants } from "./body-variants.ts";
import type { ExplainInput } from "./explain-input.ts";
import { findMistakes } from "./search.ts";
import { secretCandidates, secretPrefixes } from "./secret-variants.ts";
import { unexplainedAddress, urlVariants, withoutQuery } from "./url-variants.ts";
import { asIs } from "./variant.ts";

/** A verifier that judges no time, and the form of its secrets. */
export interface Trial {
  /** @throws SchemeConfigurationError for a text that is no secret of the scheme */
  compile: (secret: string) => Verifier;
  secret: SecretRule;
  signsUrl: boolean;
}

/**
 * Asks a verifier about other secrets, bodies and addresses until one combination is right.
 *
 * @param cause what the verifier found; undefined where that is explained already
 * @returns none when the proof is right as it is
 */
export async function explainByTrial(
  input: ExplainInput,
  { compile, secret, signsUrl }: Trial,
  cause: SignatureCause | undefined,
): Promise<RejectionCause[]> {
  const { request, secrets, scheme } = input;
  const verifiers = new Map<string, Verifier | undefined>();
  const verifierOf = (text: string): Verifier | undefined => {
    if (!verifiers.has(text)) verifiers.set(text, tryCompile(compile, text));
    return verifiers.get(text);
  };
  const mistakes = await findMistakes(
    {
      faces: [asIs(undefined)],
      keys: secretCandidates(secrets, secretPrefixes(secret)),
      bodies: await bodyVariants(request.rawBody, request.headers),
      urls: urlVariants(input.publicUrl, input.target, request.headers),
    },
    (_face, text, rawBody, url) =>
      verifierOf(text)?.({ ...request, rawBody, publicUrl: () => url }).ok === true,
  );
  if (mistakes !== undefined) return mistakes;
  const found = cause ?? "mismatch";
  if (found === "mismatch" && signsUrl) return [unexplainedAddress(withoutQuery(request.publicUrl()))];
  return [
    {
      code: found === "mismatch" ? "unexplained" : found,
      message: `What proves the sender (scheme ${scheme.title}) ${WORDS[found] ?? "is not what the scheme asks for"}.`,
      action: `Compare the request, the secret's last four characters and the settings with ${scheme.source}.`,
    },
  ];
}

const WORDS: Readonly<Partial<Record<string, string>>> = {
  header_missing: "is incomplete: a header or field that belongs to it is missing",
  header_doubled: "stands twice: find the proxy that adds it once more",
  malformed: "is not in the scheme's form",
  unknown_version: "is of a version that the scheme does not know",
  mismatch: "fits none of the usual mistakes: most likely the secret is another one",
};

function tryCompile(compile: Trial["compile"], secret: string): Verifier | undefined {
  try {
    return compile(secret);
  } catch {
    return undefined;
  }
}
