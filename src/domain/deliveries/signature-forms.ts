import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import {
  type DigestEncoding,
  type HmacHash,
  type PreparedHmac,
  prepareHmac,
} from "../../platform/crypto/hmac.ts";
import type { HmacForm, SignatureForm } from "../subscriptions/signature-form.ts";
import { readSigningSecret } from "../subscriptions/signing-secret.ts";

/** What is signed. */
export interface Signable {
  /** Id of the event: the same at every attempt. */
  id: string;
  /** Unix time of the attempt. */
  timestampSeconds: number;
  body: Uint8Array;
}

/** Writes the signature headers of one attempt, names in lower case. */
export type Signer = (input: Signable) => Record<string, string>;

const HASHES: Readonly<Record<NonNullable<HmacForm["algorithm"]>, HmacHash>> = {
  SHA1: "sha1",
  SHA256: "sha256",
  SHA512: "sha512",
};
const HEADER_DEFAULT = "x-signature";
/** PKCS #8 of an Ed25519 key up to the seed (RFC 8410 section 7). */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Prepares a subscription's signatures.
 *
 * @param secrets every secret that counts now, the newest first
 * @throws RangeError when there is none or one cannot be read
 */
export function compileSigner(form: SignatureForm, secrets: readonly string[]): Signer {
  if (secrets.length === 0) throw new RangeError("There is no signing secret");
  return form.scheme === "HMAC" ? compileHmacForm(form, secrets) : compileStandard(form, secrets);
}

/** Standard Webhooks, "Signature scheme": one signature for each secret, separated by spaces. */
function compileStandard(form: SignatureForm, secrets: readonly string[]): Signer {
  const signatures = secrets.map((secret) => {
    const key = readSigningSecret(form, secret);
    if ("fault" in key) throw new RangeError(`A signing secret ${key.fault}`);
    return key.use === "hmac" ? symmetric(key.bytes) : asymmetric(key.bytes);
  });
  return ({ id, timestampSeconds, body }) => {
    const before = `${id}.${timestampSeconds}.`;
    let header = "";
    for (const signature of signatures) header += `${header === "" ? "" : " "}${signature(before, body)}`;
    return { "webhook-signature": header };
  };
}

function symmetric(key: Uint8Array): (before: string, body: Uint8Array) => string {
  const hmac = prepareHmac("sha256", key);
  return (before, body) => `v1,${hmac(before, body, "", "base64")}`;
}

function asymmetric(seed: Uint8Array): (before: string, body: Uint8Array) => string {
  const key: KeyObject = createPrivateKey({
    key: Buffer.concat([ED25519_PKCS8, seed]),
    format: "der",
    type: "pkcs8",
  });
  // Ed25519 signs a message as a whole: it cannot be fed piece by piece.
  return (before, body) =>
    `v1a,${sign(null, Buffer.concat([Buffer.from(before), body]), key).toString("base64")}`;
}

/**
 * A plain HMAC header. A header of the layout WHOLE has room for one signature: the newest secret's; while an older one
 * still counts, its signature stands in `<header>-previous`, so that a receiver can change over without a gap.
 *
 * @param secrets the newest first; their UTF-8 text is the key
 */
export function compileHmacForm(form: HmacForm, secrets: readonly string[]): Signer {
  const header = (form.header ?? HEADER_DEFAULT).toLowerCase();
  const encoding: DigestEncoding = form.encoding ?? "hex";
  const timestampHeader = form.timestampHeader?.toLowerCase();
  const prefix = form.prefix ?? "";
  const hmacs = secrets.map((secret): PreparedHmac =>
    prepareHmac(HASHES[form.algorithm ?? "SHA256"], new TextEncoder().encode(secret)),
  );
  if (form.layout === "PAIRS") {
    return ({ timestampSeconds, body }) => {
      const signatures = hmacs.map(
        (hmac) => `v1=${prefix}${hmac(`${timestampSeconds}.`, body, "", encoding)}`,
      );
      return { [header]: `t=${timestampSeconds},${signatures.join(",")}` };
    };
  }
  return ({ timestampSeconds, body }) => {
    const before = timestampHeader === undefined ? "" : `${timestampSeconds}.`;
    const headers: Record<string, string> = {};
    if (timestampHeader !== undefined) headers[timestampHeader] = String(timestampSeconds);
    for (const [index, hmac] of hmacs.slice(0, 2).entries()) {
      headers[index === 0 ? header : `${header}-previous`] = prefix + hmac(before, body, "", encoding);
    }
    return headers;
  };
}
