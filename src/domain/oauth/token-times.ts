import type { Auth } from "../providers/auth-schema.ts";

/** A log-in whose calls carry a token that ends. */
export type TokenAuth = Exclude<Auth, { type: "NONE" | "API_KEY" | "BASIC" | "BEARER" }>;

/** When tokens end, and when they are replaced. Null: nobody knows, a 401 tells. */
export interface TokenTimes {
  expiresAt: Date | null;
  refreshAt: Date | null;
}

const MARGIN_SECONDS = 300;
/** Tokens that were given at one time are not all replaced at one time. */
const JITTER_SHARE = 0.1;
/** A caller waits for a new token once this share of the margin is gone: of five minutes the last one. */
const BLOCKING_SHARE = 0.8;

/** True when calls need a token of the provider's. */
export function hasTokens(auth: Auth): auth is TokenAuth {
  return (
    auth.type === "OAUTH2_CODE" ||
    auth.type === "OAUTH2_CLIENT_CREDENTIALS" ||
    auth.type === "OAUTH2_PASSWORD" ||
    auth.type === "TOKEN_REQUEST"
  );
}

/**
 * When a token ends and when it is replaced: `min(margin, life / 2)` before its end and up to a tenth of that earlier,
 * but not before the provider allows it.
 *
 * @param token.expiresInMs as the provider said; undefined: it did not, and the manifest's default counts
 * @param token.isRenewable there is a way to another one without a person. One that cannot be renewed and of which nobody
 * said when it ends is used until the provider refuses it
 */
export function tokenTimes(
  auth: TokenAuth,
  token: { nowMs: number; expiresInMs: number | undefined; isRenewable: boolean },
  random: () => number = Math.random,
): TokenTimes {
  const { nowMs, expiresInMs, isRenewable } = token;
  const isTold = expiresInMs !== undefined && expiresInMs > 0;
  if (!isTold && !isRenewable) return { expiresAt: null, refreshAt: null };
  const policy = auth.type === "TOKEN_REQUEST" ? undefined : auth.refresh;
  const defaultSeconds = auth.type === "TOKEN_REQUEST" ? auth.lifeSeconds : auth.refresh.defaultLifeSeconds;
  const lifeMs = isTold ? expiresInMs : defaultSeconds * 1_000;
  const expiresAt = new Date(nowMs + lifeMs);
  if (!isRenewable) return { expiresAt, refreshAt: expiresAt };
  const marginSeconds =
    (auth.type === "TOKEN_REQUEST" ? auth.marginSeconds : policy?.marginSeconds) ?? MARGIN_SECONDS;
  const earlyMs = Math.min(marginSeconds * 1_000, lifeMs / 2);
  const wantedMs = nowMs + lifeMs - earlyMs * (1 + JITTER_SHARE * random());
  const allowedMs = nowMs + Math.min(lifeMs, (policy?.minAgeSeconds ?? 0) * 1_000);
  return { expiresAt, refreshAt: new Date(Math.max(wantedMs, allowedMs)) };
}

/**
 * How urgent a new token is. `later`: the one that is there serves on while another one is fetched.
 *
 * @returns `none` when nothing is to be done
 */
export function urgency(
  token: { isThere: boolean; expiresAtMs: number | undefined; refreshAtMs: number | undefined },
  nowMs: number,
): "none" | "later" | "now" {
  const { isThere, expiresAtMs, refreshAtMs } = token;
  if (!isThere) return "now";
  if (expiresAtMs === undefined) return "none";
  // After a failure the next try may be later than the end of the token.
  const dueMs = Math.min(refreshAtMs ?? expiresAtMs, expiresAtMs);
  if (nowMs < dueMs) return "none";
  return nowMs < dueMs + (expiresAtMs - dueMs) * BLOCKING_SHARE ? "later" : "now";
}
