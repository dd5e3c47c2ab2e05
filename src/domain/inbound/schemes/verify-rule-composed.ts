import { type PreparedHmac, prepareHmac } from "../../../platform/crypto/hmac.ts";
import { prepareDigestCheck } from "./digest-check.ts";
import { utf8Text } from "./read-place.ts";
import type { ComposedRule, Proof, Verifier } from "./scheme.ts";
import { readSecretKeys } from "./secret-key.ts";
import { compileTimeWindow } from "./time-window.ts";

const OK = { ok: true } as const;
const MISMATCH = { ok: false, cause: "mismatch" } as const;
const MALFORMED = { ok: false, cause: "malformed" } as const;

/**
 * Prepares the verifier of a composed rule: every proof must hold under one and the same secret.
 *
 * @throws SchemeConfigurationError when there is no secret, or one is empty or not of the scheme's form
 */
export function compileComposedRule(rule: ComposedRule, secrets: readonly string[]): Verifier {
  const { algorithm, compose } = rule;
  const checkTime = rule.time && compileTimeWindow(rule.time);
  const checks = readSecretKeys(rule.secret, secrets).map(({ bytes }) => {
    const digest =
      algorithm.type === "hmac"
        ? prepareHmac(algorithm.hash, bytes)
        : preparePrefixedHash(algorithm.hash, bytes);
    const check = prepareDigestCheck(algorithm, digest);
    return ({ signatures, messages }: Proof) =>
      messages.some(({ before, body, after }) => check(signatures, () => true, before, body, after));
  });
  return (request) => {
    const composed = compose(request);
    if ("cause" in composed) return { ok: false, cause: composed.cause };
    const { proofs, timestamp } = composed;
    if (proofs.length === 0) return MALFORMED;
    if (checkTime !== undefined) {
      const outside = checkTime(timestamp ?? "", request.nowMs);
      if (outside !== undefined) return { ok: false, cause: outside };
    }
    // What lengthens a message under such a hash begins with the byte 0x80, which is no UTF-8 where text may end.
    if (algorithm.type === "prefixed-hash" && utf8Text(request.rawBody) === undefined) return MALFORMED;
    return checks.some((holds) => proofs.every(holds)) ? OK : MISMATCH;
  };
}

/** A plain hash whose first bytes are the secret; mixed in once and copied for each message. */
function preparePrefixedHash(hash: ComposedRule["algorithm"]["hash"], secret: Uint8Array): PreparedHmac {
  const keyed = new Bun.CryptoHasher(hash).update(secret);
  return (before, body, after, encoding) =>
    keyed.copy().update(before).update(body).update(after).digest(encoding);
}
