import { secretComparer } from "../../../platform/crypto/constant-time.ts";
import { compilePlace } from "./read-place.ts";
import type { BasicRule, SecretRule, TokenRule, Verifier } from "./scheme.ts";
import { readSecretKeys } from "./secret-key.ts";

const OK = { ok: true } as const;
const MISMATCH = { ok: false, cause: "mismatch" } as const;
const UNKNOWN_VERSION = { ok: false, cause: "unknown_version" } as const;

/**
 * Prepares the verifier of a secret that is sent along.
 *
 * @throws SchemeConfigurationError when there is no secret, or one is empty or not of the scheme's form
 */
export function compileTokenRule(rule: TokenRule, secrets: readonly string[]): Verifier {
  const place = rule.place;
  const prefix = "header" in place ? place.prefix : "";
  const read = compilePlace("header" in place ? { header: place.header } : place);
  const checked = checkedSecrets(rule.secret, secrets);
  return comparingVerifier(read, prefix, rule.expected === undefined ? checked : checked.map(rule.expected));
}

/**
 * Prepares the verifier of `Authorization: Basic` (RFC 7617). The secret is `user:password`; its UTF-8 bytes are what
 * the sender encodes, and only their canonical base64 is accepted.
 *
 * @throws SchemeConfigurationError when there is no secret, or one is not `user:password`
 */
export function compileBasicRule(rule: BasicRule, secrets: readonly string[]): Verifier {
  const credentials = checkedSecrets(rule.secret, secrets).map((secret) =>
    Buffer.from(secret).toString("base64"),
  );
  return comparingVerifier(compilePlace({ header: "authorization" }), "Basic ", credentials);
}

/** `prefix` is compared without regard to case, as names of authentication schemes are (RFC 9110 section 11.1). */
function comparingVerifier(
  read: ReturnType<typeof compilePlace>,
  prefix: string,
  expected: readonly string[],
): Verifier {
  const comparers = expected.map(secretComparer);
  const lowerPrefix = prefix.toLowerCase();
  return (request) => {
    const found = read(request);
    if ("cause" in found) return { ok: false, cause: found.cause };
    const { value } = found;
    if (value.slice(0, prefix.length).toLowerCase() !== lowerPrefix) return UNKNOWN_VERSION;
    const token = value.slice(prefix.length);
    return comparers.some((equals) => equals(token)) ? OK : MISMATCH;
  };
}

function checkedSecrets(rule: SecretRule, secrets: readonly string[]): readonly string[] {
  readSecretKeys(rule, secrets);
  return secrets;
}
