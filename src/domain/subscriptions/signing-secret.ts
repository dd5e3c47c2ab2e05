import type { SignatureForm } from "./signature-form.ts";

/** Bytes of a symmetric secret of Standard Webhooks, "Signature scheme". */
const STANDARD_BYTES_MIN = 24;
const STANDARD_BYTES_MAX = 64;
/** Seed of an Ed25519 key (RFC 8032); other senders' tools write seed and public key together in 64 bytes. */
const SEED_BYTES = 32;
const SEED_AND_PUBLIC_BYTES = 64;
const HMAC_TEXT_MIN = 16;

/** A new symmetric secret in the form of Standard Webhooks, which also serves as the text key of a plain HMAC. */
export function makeSigningSecret(): string {
  return `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
}

/** A signing secret as key bytes. */
export interface SigningKey {
  use: "hmac" | "ed25519";
  bytes: Uint8Array;
}

/**
 * Reads a signing secret: for Standard Webhooks `whsec_` and 24 to 64 bytes in base64 (HMAC) or `whsk_` and an Ed25519
 * seed in base64; for a plain HMAC header any text of 16 characters or more, whose UTF-8 bytes are the key.
 *
 * @returns the key, or what is wrong, without repeating the secret
 */
export function readSigningSecret(
  form: Pick<SignatureForm, "scheme">,
  secret: string,
): SigningKey | { fault: string } {
  if (form.scheme === "HMAC") {
    if (secret.length < HMAC_TEXT_MIN) return { fault: `must have at least ${HMAC_TEXT_MIN} characters` };
    return { use: "hmac", bytes: new TextEncoder().encode(secret) };
  }
  const use = secret.startsWith("whsk_") ? "ed25519" : "hmac";
  if (use === "hmac" && !secret.startsWith("whsec_")) return { fault: 'must begin with "whsec_" or "whsk_"' };
  const text = secret.slice(secret.indexOf("_") + 1);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) return { fault: "must be base64 after its prefix" };
  if (use === "ed25519") {
    if (bytes.byteLength !== SEED_BYTES && bytes.byteLength !== SEED_AND_PUBLIC_BYTES) {
      return { fault: "must hold an Ed25519 seed of 32 bytes, or seed and public key in 64" };
    }
    return { use, bytes: bytes.subarray(0, SEED_BYTES) };
  }
  if (bytes.byteLength < STANDARD_BYTES_MIN || bytes.byteLength > STANDARD_BYTES_MAX) {
    return { fault: `must have ${STANDARD_BYTES_MIN} to ${STANDARD_BYTES_MAX} bytes` };
  }
  return { use, bytes };
}

/** What is wrong with a secret that somebody chose, or undefined. */
export function signingSecretFault(form: Pick<SignatureForm, "scheme">, secret: string): string | undefined {
  const key = readSigningSecret(form, secret);
  return "fault" in key ? key.fault : undefined;
}
