import { createPublicKey, type KeyObject } from "node:crypto";
import type { DigestEncoding } from "../../../platform/crypto/hmac.ts";
import { type KeyForm, SchemeConfigurationError, type SecretRule } from "./scheme.ts";

/** A secret as the key that it stands for. */
export interface SecretKey {
  use: KeyForm["use"];
  bytes: Uint8Array;
}

/**
 * Reads a secret by the forms of its scheme. Decoding is strict: only the canonical spelling of the bytes is taken.
 *
 * @returns the key, or a message that says what is wrong without repeating the secret
 */
export function readSecretKey(rule: SecretRule, secret: string): SecretKey | { fault: string } {
  if (secret === "") return { fault: "is empty" };
  const key = rule.keys.find((one) => secret.startsWith(one.prefix));
  if (key === undefined) {
    return { fault: `must begin with ${rule.keys.map((one) => `"${one.prefix}"`).join(" or ")}` };
  }
  if (key.pattern !== undefined && !key.pattern.regex.test(secret)) return { fault: key.pattern.message };
  const bytes =
    key.form === "utf8"
      ? new TextEncoder().encode(key.normalise === undefined ? secret : secret.normalize(key.normalise))
      : decode(secret.slice(key.prefix.length), key.form);
  if (bytes === undefined)
    return { fault: `must be ${key.form}${key.prefix === "" ? "" : ` after "${key.prefix}"`}` };
  if (bytes.byteLength < key.bytesMin) return { fault: `must have at least ${key.bytesMin} bytes` };
  if (key.bytesMax !== undefined && bytes.byteLength > key.bytesMax) {
    return { fault: `must have at most ${key.bytesMax} bytes` };
  }
  if (key.use === "ecdsa-p256" && !isP256Key(bytes)) {
    return { fault: "must be the public key of P-256 as DER in base64 (X.509 SubjectPublicKeyInfo)" };
  }
  return { use: key.use, bytes };
}

/**
 * The keys of an endpoint's secrets.
 *
 * @throws SchemeConfigurationError when there is no secret, or one is empty or not of the scheme's form
 */
export function readSecretKeys(rule: SecretRule, secrets: readonly string[]): readonly SecretKey[] {
  if (secrets.length === 0) throw new SchemeConfigurationError("The scheme needs a secret");
  return secrets.map((secret) => {
    const key = readSecretKey(rule, secret);
    if ("fault" in key) throw new SchemeConfigurationError(`The secret ${key.fault}`);
    return key;
  });
}

/** Makes a secret in the scheme's own form from random bytes. */
export function makeSecret({ prefix, bytes, encoding }: NonNullable<SecretRule["generate"]>): string {
  return prefix + Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString(encoding);
}

/** A public key: of Ed25519 (RFC 8032) from its 32 bytes, of P-256 from its DER (RFC 5480). */
export function publicKeyOf(type: "ed25519" | "ecdsa-p256", bytes: Uint8Array): KeyObject {
  if (type === "ecdsa-p256") {
    return createPublicKey({ key: Buffer.from(bytes), format: "der", type: "spki" });
  }
  const x = Buffer.from(bytes).toString("base64url");
  return createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
}

function isP256Key(der: Uint8Array): boolean {
  try {
    const key = publicKeyOf("ecdsa-p256", der);
    return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
  } catch {
    return false;
  }
}

function decode(text: string, form: Exclude<DigestEncoding, "base64url">): Uint8Array | undefined {
  const bytes = Buffer.from(text, form);
  const canonical = form === "hex" ? text.toLowerCase() : text;
  return bytes.toString(form) === canonical ? bytes : undefined;
}
