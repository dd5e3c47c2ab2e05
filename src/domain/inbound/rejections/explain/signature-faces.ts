import type { DigestEncoding, HmacHash } from "../../../../platform/crypto/hmac.ts";
import type { Algorithm, HeaderGrammar } from "../../schemes/scheme.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import type { Variant } from "./variant.ts";

/** One signature of a request in canonical spelling, and by which algorithm it may be one. */
export interface SignatureFace {
  text: string;
  /** As it stands in the request. */
  received: string;
  algorithm: Algorithm;
}

/** Signatures of one header that are looked at. */
const FACES_MAX = 12;

/** What looks like a digest: the shortest is SHA-1 in base64 without padding. */
const DIGEST = /[A-Za-z0-9+/_-]{27,128}={0,2}/g;

const HASH_BY_BYTES: Readonly<Record<number, HmacHash>> = { 20: "sha1", 32: "sha256", 64: "sha512" };

/** The algorithms that a grammar names, in its order. */
export function algorithmsOf(grammar: HeaderGrammar): readonly Algorithm[] {
  return grammar.form === "whole" ? [grammar.algorithm] : Object.values(grammar.algorithms);
}

/** Every digest in a header's value, as the algorithms whose form it has; those of the scheme first. */
export function signatureFaces(value: string, own: readonly Algorithm[]): readonly Variant<SignatureFace>[] {
  const faces: Variant<SignatureFace>[] = [];
  for (const text of value.match(DIGEST) ?? []) {
    for (const algorithm of own) {
      if (algorithm.type !== "hmac") faces.push({ value: { text, received: text, algorithm }, causes: [] });
    }
    const digest = readDigest(text);
    if (digest !== undefined) faces.push(faceOf(digest, text, own));
  }
  return faces.sort((left, right) => left.causes.length - right.causes.length).slice(0, FACES_MAX);
}

interface Digest {
  canonical: string;
  hash: HmacHash;
  encoding: DigestEncoding;
  /** How it is written, for people. */
  words: string;
}

function readDigest(text: string): Digest | undefined {
  if (/^[0-9a-fA-F]+$/.test(text)) {
    const hash = HASH_BY_BYTES[text.length / 2];
    const words = /[A-F]/.test(text) ? "hex in capitals" : "hex";
    if (hash !== undefined) return { canonical: text.toLowerCase(), hash, encoding: "hex", words };
  }
  const bytes = Buffer.from(text, "base64");
  const hash = HASH_BY_BYTES[bytes.length];
  if (hash === undefined) return undefined;
  const base64 = bytes.toString("base64");
  if (base64 === text) return { canonical: text, hash, encoding: "base64", words: "base64" };
  const canonical = bytes.toString("base64url");
  const isBase64 = base64.replace(/=+$/, "") === text;
  const words = isBase64 && /[+/]/.test(text) ? "base64 without padding" : "base64url";
  return isBase64 || canonical === text.replace(/=+$/, "")
    ? { canonical, hash, encoding: "base64url", words }
    : undefined;
}

function faceOf(
  { canonical, hash, encoding, words }: Digest,
  received: string,
  own: readonly Algorithm[],
): Variant<SignatureFace> {
  const algorithm: Algorithm = { type: "hmac", hash, encoding };
  const hmacs = own.filter((one) => one.type === "hmac");
  const causes: RejectionCause[] = [];
  const sameHash = hmacs.filter((one) => one.hash === hash);
  const [expected] = sameHash.length > 0 ? sameHash : hmacs;
  if (expected !== undefined && sameHash.length === 0) {
    causes.push({
      code: "signature_algorithm",
      message: `The sender signs with HMAC-${hash.toUpperCase()}, the endpoint expects HMAC-${expected.hash.toUpperCase()}.`,
      action:
        "Set `signatureAlgorithm` to what the sender uses (scheme `hmac`), or choose the sender's own scheme.",
    });
  }
  const isSpelled = sameHash.some((one) => one.encoding === encoding && isOwnSpelling(one, words));
  if (sameHash.length > 0 && !isSpelled) {
    causes.push({
      code: "signature_encoding",
      message: `The signature is right, but written in ${words}; the endpoint expects ${expected!.encoding}.`,
      action:
        "Set `signatureSettings.encoding` to what the sender uses (scheme `hmac`), or choose the sender's own scheme.",
    });
  }
  return { value: { text: canonical, received, algorithm }, causes };
}

function isOwnSpelling(own: Extract<Algorithm, { type: "hmac" }>, words: string): boolean {
  return words === own.encoding || (words === "hex in capitals" && own.upperHex === true);
}
