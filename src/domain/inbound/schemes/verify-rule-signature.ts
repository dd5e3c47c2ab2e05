import { verify as verifyDetached, type KeyObject } from "node:crypto";
import { prepareHmac } from "../../../platform/crypto/hmac.ts";
import { compileGrammar, isDoubled, type ParsedSignature } from "./header-grammar.ts";
import { findJsonValues, pointerTokens } from "./json-ranges.ts";
import { jsonString, utf8Text } from "./read-place.ts";
import {
  type Algorithm,
  type HmacAlgorithm,
  SchemeConfigurationError,
  type SignatureCause,
  type SignatureHeaders,
  type SignatureRule,
  type SignedPart,
  type SignedRequest,
  type TimeRule,
  type Verifier,
} from "./scheme.ts";
import { prepareDigestCheck } from "./digest-check.ts";
import { publicKeyOf, readSecretKeys } from "./secret-key.ts";
import { compileTimeWindow } from "./time-window.ts";
import { urlSpellings } from "./url-spellings.ts";

/** What one request contributes to the signed text. Reused: verification is synchronous. */
interface Seen {
  headers: SignatureHeaders;
  timestamp: string;
  id: string;
}

/** True when one of the received signatures of its algorithm is right under its key. */
type Check = (received: ParsedSignature, before: string, body: Uint8Array, after: string) => boolean;

const OK = { ok: true } as const;
const refused = (cause: SignatureCause) => ({ ok: false, cause }) as const;
const MISSING = refused("header_missing");
const DOUBLED = refused("header_doubled");
const MALFORMED = refused("malformed");
const MISMATCH = refused("mismatch");

/**
 * A signed id: visible ASCII without a full stop. With one, `id.time.body` could be cut at another place and a signed
 * message pass under another id (Standard Webhooks, "Signature scheme").
 */
const SIGNED_ID = /^[!-\-/-~]{1,256}$/;
/** Signed header values: bytes outside ASCII would be signed differently from how they are read. */
const SIGNED_HEADER = /^[ -~]*$/;

/**
 * Prepares the verifier of a signature rule. Cheap refusals come first; the signature is computed once a key.
 *
 * @param secrets current secret and those that verify too after a rotation
 * @throws SchemeConfigurationError when there is no secret, or one is empty or not of the scheme's form
 */
export function compileSignatureRule(rule: SignatureRule, secrets: readonly string[]): Verifier {
  const { parse, algorithms } = compileGrammar(rule.grammar);
  const checks = compileChecks(rule, algorithms, secrets);
  const checkTime = rule.time && rule.time.pointer === undefined ? compileTimeWindow(rule.time) : undefined;
  const checkBody =
    rule.time?.pointer === undefined ? undefined : compileBodyTime(rule.time, rule.time.pointer);
  const bodyAt = rule.signed.indexOf("body");
  const textBefore = compileText(rule.signed.slice(0, bodyAt));
  const textAfter = compileText(rule.signed.slice(bodyAt + 1));
  const signsId = rule.signed.includes("id");
  const parsed: ParsedSignature = { timestamp: "", texts: [], algorithms: [] };
  const seen: Seen = { headers: rule.headers[0]!, timestamp: "", id: "" };
  const only = rule.headers.length === 1 ? rule.headers[0]! : undefined;

  const verify: Verifier = (request) => {
    const { headers } = request;
    seen.headers = only ?? spellingOf(rule.headers, headers);
    const value = headers.get(seen.headers.signature);
    if (value === null) return MISSING;
    const unparsable = parse(value, parsed);
    if (unparsable !== undefined) return refused(unparsable);
    if (checkTime !== undefined) {
      const stamp =
        seen.headers.timestamp === undefined ? parsed.timestamp : headers.get(seen.headers.timestamp);
      if (stamp === null) return MISSING;
      if (isDoubled(stamp)) return DOUBLED;
      const outside = checkTime(stamp, request.nowMs);
      if (outside !== undefined) return refused(outside);
      seen.timestamp = stamp;
    }
    if (signsId) {
      const id = headers.get(seen.headers.id!);
      if (id === null) return MISSING;
      if (isDoubled(id)) return DOUBLED;
      if (!SIGNED_ID.test(id)) return MALFORMED;
      seen.id = id;
    }
    const before = textBefore(request, seen);
    if (typeof before !== "string") return before;
    const after = textAfter(request, seen);
    if (typeof after !== "string") return after;
    for (const check of checks) {
      if (check(parsed, before, request.rawBody, after))
        return checkBody === undefined ? OK : checkBody(request);
    }
    return MISMATCH;
  };
  return rule.signed.includes("url") ? trySpellings(verify) : verify;
}

/** Verifies under each spelling of the address that may have been signed. */
function trySpellings(verify: Verifier): Verifier {
  return (request) => {
    const outcome = verify(request);
    if (outcome !== MISMATCH) return outcome;
    const [, ...others] = urlSpellings(request.publicUrl());
    return others.map((url) => verify({ ...request, publicUrl: () => url })).find(({ ok }) => ok) ?? outcome;
  };
}

/** Checks the time that stands in a signed body, as a number or a string, exactly once. */
function compileBodyTime(time: TimeRule, pointer: string): Verifier {
  const checkTime = compileTimeWindow(time);
  const tokens = pointerTokens(pointer);
  return ({ rawBody, nowMs }) => {
    const text = utf8Text(rawBody);
    const [range, second] = text === undefined ? [] : findJsonValues(text, tokens);
    if (range === undefined || second !== undefined) return MALFORMED;
    const source = text!.slice(range.start, range.end);
    const outside = checkTime(jsonString(source) ?? source, nowMs);
    return outside === undefined ? OK : refused(outside);
  };
}

/** The first spelling of which any header is there; the first of all when none is. */
function spellingOf(spellings: readonly SignatureHeaders[], headers: Headers): SignatureHeaders {
  for (const spelling of spellings) {
    if (Object.values(spelling).some((name: string) => headers.has(name))) return spelling;
  }
  return spellings[0]!;
}

/** One check for each key and algorithm that fit each other. */
function compileChecks(
  rule: SignatureRule,
  algorithms: readonly Algorithm[],
  secrets: readonly string[],
): readonly Check[] {
  return readSecretKeys(rule.secret, secrets).flatMap((key) =>
    algorithms.flatMap((algorithm, index) => {
      if (algorithm.type !== key.use) return [];
      return algorithm.type === "hmac"
        ? [hmacCheck(index, algorithm, key.bytes)]
        : [publicKeyCheck(index, algorithm, publicKeyOf(algorithm.type, key.bytes))];
    }),
  );
}

function hmacCheck(index: number, algorithm: HmacAlgorithm, key: Uint8Array): Check {
  const check = prepareDigestCheck(algorithm, prepareHmac(algorithm.hash, key));
  return ({ texts, algorithms }, before, body, after) =>
    check(texts, (at) => algorithms[at] === index, before, body, after);
}

/** Bytes of a signature: fixed for Ed25519; DER for P-256 has two numbers of at most 33 bytes and six around them. */
const SIGNATURE_BYTES = { ed25519: [64, 64], "ecdsa-p256": [8, 72] } as const;

/** Only the canonical spelling of the signature's bytes is accepted, so that it cannot be varied to look new. */
function publicKeyCheck(
  index: number,
  algorithm: Exclude<Algorithm, { type: "hmac" }>,
  key: KeyObject,
): Check {
  const encoding = (algorithm.type === "ed25519" ? algorithm.encoding : undefined) ?? "base64";
  const [bytesMin, bytesMax] = SIGNATURE_BYTES[algorithm.type];
  const digest = algorithm.type === "ed25519" ? null : "sha256";
  return ({ texts, algorithms }, before, body, after) => {
    let message: Uint8Array | undefined;
    for (let at = 0; at < texts.length; at++) {
      if (algorithms[at] !== index) continue;
      const signature = Buffer.from(texts[at]!, encoding);
      if (signature.byteLength < bytesMin || signature.byteLength > bytesMax) continue;
      if (signature.toString(encoding) !== texts[at]) continue;
      message ??= Buffer.concat([Buffer.from(before), body, Buffer.from(after)]);
      if (verifyDetached(digest, message, key, signature)) return true;
    }
    return false;
  };
}

type TextBuilder = (request: SignedRequest, seen: Seen) => string | ReturnType<typeof refused>;

/** Joins the parts on one side of the body. */
function compileText(parts: readonly SignedPart[]): TextBuilder {
  if (parts.length === 0) return () => "";
  const builders = parts.map(compilePart);
  return (request, seen) => {
    let text = "";
    for (const build of builders) {
      const part = build(request, seen);
      if (typeof part !== "string") return part;
      text += part;
    }
    return text;
  };
}

function compilePart(part: SignedPart): TextBuilder {
  switch (part) {
    case "id":
      return (_request, seen) => seen.id;
    case "timestamp":
      return (_request, seen) => seen.timestamp;
    case "method":
      return (request) => request.method.toUpperCase();
    case "url":
      return (request) => request.publicUrl();
    case "body":
      throw new SchemeConfigurationError("The body stands once in what is signed");
    default: {
      if ("text" in part) return () => part.text;
      const name = part.header;
      return (request) => {
        const value = request.headers.get(name);
        if (value === null) return MISSING;
        return SIGNED_HEADER.test(value) ? value : MALFORMED;
      };
    }
  }
}
