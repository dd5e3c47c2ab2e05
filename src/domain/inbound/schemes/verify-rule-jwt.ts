import { prepareHmac } from "../../../platform/crypto/hmac.ts";
import { prepareDigestCheck } from "./digest-check.ts";
import { compilePlace, utf8Text } from "./read-place.ts";
import type { HmacAlgorithm, JwtRule, SignatureCause, Verifier } from "./scheme.ts";
import { readSecretKeys } from "./secret-key.ts";

const OK = { ok: true } as const;
const MISMATCH = { ok: false, cause: "mismatch" } as const;
const refused = (cause: SignatureCause) => ({ ok: false, cause }) as const;

/** Algorithms that a token may name (RFC 7518 section 3.2); `none` and public keys are not among them. */
const ALGORITHMS: Readonly<Record<string, HmacAlgorithm>> = {
  HS256: { type: "hmac", hash: "sha256", encoding: "base64url" },
  HS512: { type: "hmac", hash: "sha512", encoding: "base64url" },
};

/** Values of `alg` that are taken. */
export const TOKEN_ALGORITHMS: readonly string[] = Object.keys(ALGORITHMS);

const TOKEN = /^[A-Za-z0-9_-]{2,4096}\.[A-Za-z0-9_-]{2,8192}\.[A-Za-z0-9_-]{43,86}$/;
const BEARER = /^bearer /i;

/**
 * Prepares the verifier of a JSON Web Token in a header (RFC 7515, 7519): signature, then `nbf`, `exp` and `iat`. A
 * token without `exp` counts as long as its `iat` is within the tolerance; one with neither proves nothing.
 *
 * @throws SchemeConfigurationError when there is no secret, or one is empty or not of the scheme's form
 */
export function compileJwtRule(rule: JwtRule, secrets: readonly string[]): Verifier {
  const read = compilePlace({ header: rule.header });
  const keys = readSecretKeys(rule.secret, secrets);
  const checks = Object.fromEntries(
    Object.entries(ALGORITHMS).map(([name, algorithm]) => [
      name,
      keys.map(({ bytes }) => prepareDigestCheck(algorithm, prepareHmac(algorithm.hash, bytes))),
    ]),
  );
  return (request) => {
    const found = read(request);
    if ("cause" in found) return refused(found.cause);
    if (!BEARER.test(found.value)) return refused("unknown_version");
    const token = found.value.slice("Bearer ".length);
    if (!TOKEN.test(token)) return refused("malformed");
    const [header, payload, signature] = token.split(".") as [string, string, string];
    const named = decodeTokenPart(header);
    // Extensions that must be understood are refused, because none is (RFC 7515 section 4.1.11).
    if (named === undefined || named["crit"] !== undefined) return refused("malformed");
    const algorithm = named["alg"];
    if (typeof algorithm !== "string" || !Object.hasOwn(checks, algorithm)) return refused("unknown_version");
    const signed = new TextEncoder().encode(`${header}.${payload}`);
    if (!checks[algorithm]!.some((check) => check([signature], () => true, "", signed, ""))) return MISMATCH;
    const claims = decodeTokenPart(payload);
    const cause =
      claims === undefined
        ? "malformed"
        : tokenTimeCause(claims, Math.floor(request.nowMs / 1000), rule.toleranceSeconds);
    return cause === undefined ? OK : refused(cause);
  };
}

/** Judges `nbf`, `exp` and `iat`; undefined when the token counts at this time. */
export function tokenTimeCause(
  claims: Readonly<Record<string, unknown>>,
  nowSeconds: number,
  toleranceSeconds: number,
): SignatureCause | undefined {
  const { nbf, exp, iat } = claims;
  for (const time of [nbf, exp, iat]) {
    if (time !== undefined && (typeof time !== "number" || !Number.isFinite(time))) return "malformed";
  }
  const [notBefore, end, issued] = [nbf, exp, iat] as (number | undefined)[];
  if (Math.max(notBefore ?? 0, issued ?? 0) > nowSeconds + toleranceSeconds) return "timestamp_future";
  if (end !== undefined) return end <= nowSeconds - toleranceSeconds ? "timestamp_stale" : undefined;
  if (issued === undefined) return "malformed";
  return issued < nowSeconds - toleranceSeconds ? "timestamp_stale" : undefined;
}

/** The JSON object in one part of a token; undefined for anything else. */
export function decodeTokenPart(part: string): Record<string, unknown> | undefined {
  const bytes = Buffer.from(part, "base64url");
  if (bytes.toString("base64url") !== part) return undefined;
  const text = utf8Text(bytes);
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
