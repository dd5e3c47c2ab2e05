import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import type { Config } from "../../platform/config.ts";
import { HubError } from "../errors.ts";
import { fetchKeySet } from "./fetch-key-set.ts";

/** Clocks of the Auth service and the hub may differ by this. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** Time between two fetches of the key set that unknown key ids cause; a flood of made-up ids costs one fetch in it. */
const KEY_SET_COOLDOWN_MS = 1000;
const KEY_SET_LIFETIME_MS = 600_000;
const KEY_SET_TIMEOUT_MS = 5000;

/**
 * Asymmetric algorithms only where keys come from a key set: were HS256 allowed there, a public key could be used as
 * the shared secret (RFC 8725, section 3.1).
 */
const KEY_SET_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

/** HS256 needs a key as long as its hash (RFC 7518, section 3.2). */
const SECRET_BYTES_MIN = 32;

/** Answers the claims of a valid token, undefined for any other. */
export type TokenVerifier = (token: string) => Promise<JWTPayload | undefined>;

/**
 * Makes the verifier of the platform's tokens: key set or shared secret, pinned algorithms, issuer and audience, `exp`
 * and `sub` required.
 *
 * @param nowMs clock by which `exp` and `nbf` are judged
 * @returns undefined when neither AUTH_JWKS_URL nor AUTH_JWT_SECRET is set: then only API keys open the hub
 * @throws RangeError for a secret that is too short
 */
export function createTokenVerifier(config: Config, nowMs: () => number): TokenVerifier | undefined {
  const { authJwksUrl, authJwtSecret, authIssuer, authAudience } = config;
  if ((!authJwksUrl && !authJwtSecret) || !authIssuer || !authAudience) return undefined;
  const rules: JWTVerifyOptions = {
    issuer: authIssuer,
    audience: authAudience,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ["exp", "sub"],
  };
  if (authJwksUrl) {
    const keys = createRemoteJWKSet(new URL(authJwksUrl), {
      cooldownDuration: KEY_SET_COOLDOWN_MS,
      cacheMaxAge: KEY_SET_LIFETIME_MS,
      timeoutDuration: KEY_SET_TIMEOUT_MS,
      [customFetch]: fetchKeySet,
    });
    // Keys that were changed since the last fetch are not refused: their tokens wait until the next one.
    const newestKeys: JWTVerifyGetKey = async (header, token) => {
      const mayNotFetch = keys.coolingDown;
      try {
        return await keys(header, token);
      } catch (error) {
        if (!mayNotFetch || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
        await Bun.sleep(KEY_SET_COOLDOWN_MS);
        return keys(header, token);
      }
    };
    return (token) => verify(token, newestKeys, { ...rules, algorithms: KEY_SET_ALGORITHMS }, nowMs);
  }
  const secret = new TextEncoder().encode(authJwtSecret);
  if (secret.byteLength < SECRET_BYTES_MIN) {
    throw new RangeError(
      `Cannot use AUTH_JWT_SECRET: ${SECRET_BYTES_MIN} characters or more are needed for HS256`,
    );
  }
  return (token) => verify(token, () => secret, { ...rules, algorithms: ["HS256"] }, nowMs);
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey | (() => Uint8Array),
  rules: JWTVerifyOptions,
  nowMs: () => number,
): Promise<JWTPayload | undefined> {
  try {
    const verified = await jwtVerify(token, keys as JWTVerifyGetKey, {
      ...rules,
      currentDate: new Date(nowMs()),
    });
    return verified.payload;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    // The key set could not be fetched: the token may be good, so the caller is to come back, not to log in again.
    throw new HubError("unavailable", "Tokens cannot be checked at the moment.", { retryAfterSeconds: 5 });
  }
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return false;
  return !(
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    error.code === "ERR_JOSE_GENERIC"
  );
}
