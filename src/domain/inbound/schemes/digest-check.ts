import { textComparer } from "../../../platform/crypto/constant-time.ts";
import { digestLength, type PreparedHmac } from "../../../platform/crypto/hmac.ts";
import type { HmacAlgorithm, PrefixedHashAlgorithm } from "./scheme.ts";

/** True when one of the texts that `isMeant` picks is the digest of the message. */
export type DigestCheck = (
  texts: readonly string[],
  isMeant: (at: number) => boolean,
  before: string,
  body: Uint8Array,
  after: string,
) => boolean;

const CANONICAL_UPPER_HEX = /^[0-9A-F]+$/;

/**
 * Prepares the comparison of received digests with the right one. Compares the text of the signature, not its bytes: a
 * spelling that decodes to the same bytes but is not the canonical one is refused, so a signature cannot be varied to
 * look new. The body is hashed once, however many signatures there are, and not at all when none has the right length.
 */
export function prepareDigestCheck(
  algorithm: HmacAlgorithm | PrefixedHashAlgorithm,
  digest: PreparedHmac,
): DigestCheck {
  const { hash, encoding } = algorithm;
  const length = digestLength(hash, encoding);
  const equals = textComparer(length);
  const canonical = canonicalizer(algorithm, length);
  return (texts, isMeant, before, body, after) => {
    let expected: string | undefined;
    for (let at = 0; at < texts.length; at++) {
      if (!isMeant(at)) continue;
      const signature = canonical === undefined ? texts[at]! : canonical(texts[at]!);
      if (signature.length !== length) continue;
      expected ??= digest(before, body, after, encoding);
      if (equals(expected, signature)) return true;
    }
    return false;
  };
}

/** Turns the one other spelling that is accepted into the canonical one: padded base64url, or hex all in capitals. */
function canonicalizer(
  algorithm: HmacAlgorithm | PrefixedHashAlgorithm,
  length: number,
): ((signature: string) => string) | undefined {
  const { encoding } = algorithm;
  if (encoding === "hex" && algorithm.type === "hmac" && algorithm.upperHex === true) {
    return (signature) => (CANONICAL_UPPER_HEX.test(signature) ? signature.toLowerCase() : signature);
  }
  if (encoding !== "base64url" || length % 4 === 0) return undefined;
  const padding = "=".repeat(4 - (length % 4));
  return (signature) =>
    signature.length === length + padding.length && signature.endsWith(padding)
      ? signature.slice(0, length)
      : signature;
}
