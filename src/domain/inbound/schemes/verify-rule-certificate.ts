import { verify as verifyDetached } from "node:crypto";
import { secretComparer } from "../../../platform/crypto/constant-time.ts";
import type { CertificateRule, Verifier } from "./scheme.ts";
import { readSecretKeys } from "./secret-key.ts";
import { findSigningKey } from "./signing-certificates.ts";

const OK = { ok: true } as const;
const MISMATCH = { ok: false, cause: "mismatch" } as const;

/**
 * Prepares the verifier of a rule with a published certificate. The sender's name is compared first, so that messages
 * of others cannot make the hub fetch certificates.
 *
 * @throws SchemeConfigurationError when there is no secret, or one is empty or not of the scheme's form
 */
export function compileCertificateRule(rule: CertificateRule, secrets: readonly string[]): Verifier {
  readSecretKeys(rule.secret, secrets);
  const isSender = secrets.map((secret) => secretComparer(secret));
  return (request) => {
    const message = rule.read(request);
    if ("cause" in message) return { ok: false, cause: message.cause };
    if (!isSender.some((is) => is(message.sender))) return MISMATCH;
    const signature = Buffer.from(message.signature, "base64");
    if (signature.toString("base64") !== message.signature) return MISMATCH;
    const key = findSigningKey(message.certificateUrl, request.nowMs);
    if (key === undefined) return { ...MISMATCH, certificateUrl: message.certificateUrl };
    if (key === "unusable") return MISMATCH;
    return verifyDetached(message.hash, Buffer.from(message.message), key, signature) ? OK : MISMATCH;
  };
}
