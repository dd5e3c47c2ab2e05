import { createPrivateKey, createPublicKey } from "node:crypto";
import { invalidInput } from "../errors.ts";
import type { SignatureForm } from "./signature-form.ts";
import { makeSigningSecret, readSigningSecret } from "./signing-secret.ts";

/** Secrets shorter than this show nothing of themselves. */
const LAST4_LENGTH_MIN = 16;

/** `secretKey` that asks for a new Ed25519 key. */
const NEW_ED25519 = "whsk_";

/** PKCS #8 of an Ed25519 key up to the seed (RFC 8410 section 7). */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * The signing secret that a subscription is to use: the one given, or a new one. `whsk_` alone asks for a new Ed25519
 * key, whose seed and public half stand in the secret together.
 *
 * @throws HubError 422 `invalid_input` when the given one does not suit the form
 */
export function newSubscriptionSecret(form: SignatureForm, given: string | undefined): string {
  if (given === undefined) return makeSigningSecret();
  if (given === NEW_ED25519 && form.scheme === "STANDARD_WEBHOOKS") {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    return NEW_ED25519 + Buffer.concat([seed, publicKeyOf(seed)]).toString("base64");
  }
  const key = readSigningSecret(form, given);
  if ("fault" in key) throw invalidInput([{ path: "/secretKey", message: key.fault }]);
  return given;
}

/** `whpk_…` by which receivers verify, for an Ed25519 key; null for a shared secret. */
export function publicKeyText(form: SignatureForm, secret: string): string | null {
  const key = readSigningSecret(form, secret);
  if ("fault" in key || key.use !== "ed25519") return null;
  return `whpk_${publicKeyOf(key.bytes).toString("base64")}`;
}

/** Last four characters for recognising a secret, when it is long enough. */
export function subscriptionSecretLast4(secret: string): string | null {
  return secret.length >= LAST4_LENGTH_MIN ? secret.slice(-4) : null;
}

function publicKeyOf(seed: Uint8Array): Buffer {
  const key = createPrivateKey({
    key: Buffer.concat([ED25519_PKCS8, seed]),
    format: "der",
    type: "pkcs8",
  });
  // The last 32 bytes of the SubjectPublicKeyInfo are the key itself (RFC 8410 section 4).
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}
