import { verify as verifyDetached, type KeyObject } from "node:crypto";
import { textComparer } from "../../../platform/crypto/constant-time.ts";
import { digestLength, prepareHmac, type PreparedHmac } from "../../../platform/crypto/hmac.ts";
import { compileGrammar, isDoubled, type ParsedSignature } from "./header-grammar.ts";
import { findJsonValues, pointerTokens } from "./json-ranges.ts";
import { jsonString, utf8Text } from "./read-place.ts";
import {
  type Algorithm,
  SchemeConfigurationError,
  type SignatureCause,
  type SignatureHeaders,
  type SignatureRule,
  type SignedPart,
  type SignedRequest,
  type TimeRule,
  type Verifier,
} from "./scheme.ts";
import { ed25519PublicKey, readSecretKey } from "./secret-key.ts";
import { compileTimeWindow } from "./time-window.ts";

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
const CANONICAL_UPPER_HEX = /^[0-9A-F]+$/;

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

  return (request) => {
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
  if (secrets.length === 0) throw new SchemeConfigurationError("The scheme needs a secret");
  return secrets.flatMap((secret) => {
    const key = readSecretKey(rule.secret, secret);
    if ("fault" in key) throw new SchemeConfigurationError(`The secret ${key.fault}`);
    return algorithms.flatMap((algorithm, index) => {
      if (algorithm.type !== key.use) return [];
      return algorithm.type === "hmac"
        ? [hmacCheck(index, algorithm, prepareHmac(algorithm.hash, key.bytes))]
        : [ed25519Check(index, ed25519PublicKey(key.bytes))];
    });
  });
}

/**
 * Compares the text of the signature, not its bytes: a spelling that decodes to the same bytes but is not the
 * canonical one is refused, so a signature cannot be varied to look new. The body is hashed once, however many
 * signatures the header holds, and not at all when none has the right length.
 */
function hmacCheck(
  index: number,
  algorithm: Extract<Algorithm, { type: "hmac" }>,
  digest: PreparedHmac,
): Check {
  const { hash, encoding } = algorithm;
  const length = digestLength(hash, encoding);
  const equals = textComparer(length);
  const canonical = canonicalizer(algorithm, length);
  return ({ texts, algorithms }, before, body, after) => {
    let expected: string | undefined;
    for (let at = 0; at < texts.length; at++) {
      if (algorithms[at] !== index) continue;
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
  { encoding, upperHex }: Extract<Algorithm, { type: "hmac" }>,
  length: number,
): ((signature: string) => string) | undefined {
  if (encoding === "hex" && upperHex === true) {
    return (signature) => (CANONICAL_UPPER_HEX.test(signature) ? signature.toLowerCase() : signature);
  }
  if (encoding !== "base64url" || length % 4 === 0) return undefined;
  const padding = "=".repeat(4 - (length % 4));
  return (signature) =>
    signature.length === length + padding.length && signature.endsWith(padding)
      ? signature.slice(0, length)
      : signature;
}

const ED25519_SIGNATURE_BYTES = 64;

function ed25519Check(index: number, key: KeyObject): Check {
  return ({ texts, algorithms }, before, body, after) => {
    let message: Uint8Array | undefined;
    for (let at = 0; at < texts.length; at++) {
      if (algorithms[at] !== index) continue;
      const signature = Buffer.from(texts[at]!, "base64");
      if (signature.byteLength !== ED25519_SIGNATURE_BYTES || signature.toString("base64") !== texts[at])
        continue;
      message ??= Buffer.concat([Buffer.from(before), body, Buffer.from(after)]);
      if (verifyDetached(null, message, key, signature)) return true;
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
