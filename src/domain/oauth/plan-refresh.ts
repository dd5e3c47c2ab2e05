import type { RefreshPolicy } from "../providers/auth-schema.ts";
import type { JournalFacts } from "./journal-store.ts";
import type { TokenAuth } from "./token-times.ts";
import { urgency } from "./token-times.ts";

/** Why somebody wants a new token. */
export type RefreshCause =
  /** It is time. */
  | { kind: "due" }
  /** A person asked for it. */
  | { kind: "asked" }
  /** The API refused this one. */
  | { kind: "rejected"; token: string };

/** All that a decision needs. */
export interface RefreshState {
  auth: TokenAuth;
  cause: RefreshCause;
  nowMs: number;
  accessToken: string | undefined;
  hasRefreshToken: boolean;
  /** Another token can be had without a person and without the refresh token. */
  canMint: boolean;
  expiresAtMs: number | undefined;
  refreshAtMs: number | undefined;
  journal: JournalFacts;
}

export type RefreshPlan =
  | { do: "nothing" }
  /** The answer is in the journal: it only has to be stored. */
  | { do: "store" }
  | { do: "send"; grant: "refresh_token" | "mint" }
  /** A person has to log in. */
  | { do: "end"; code: "refresh_outcome_unknown" | "no_refresh_token" }
  | { do: "wait"; code: "retry_later" | "token_limit" | "token_too_young"; untilMs: number };

/**
 * Decides what is done about tokens, by the holder of the lease alone. A refresh token whose answer is lost is sent again
 * only where that is harmless: it does not rotate, or the provider takes a spent one once more within its grace.
 */
export function planRefresh(state: RefreshState): RefreshPlan {
  const { auth, journal, nowMs } = state;
  const { open } = journal;
  if (open?.state === "ANSWERED") return { do: "store" };
  // Client credentials come with no refresh token (RFC 6749 section 4.4.3); one that is given is of no more use.
  const usesRefresh = state.hasRefreshToken && auth.type !== "OAUTH2_CLIENT_CREDENTIALS";
  const lostSinceMs = Math.min(journal.lostSinceMs ?? Infinity, open?.startedMs ?? Infinity);
  const isSpent = usesRefresh && lostSinceMs !== Infinity && !mayRepeat(policyOf(auth), nowMs - lostSinceMs);
  if (open === undefined && !isNeeded(state)) return { do: "nothing" };
  const grant = usesRefresh && !isSpent ? "refresh_token" : state.canMint ? "mint" : undefined;
  if (grant === undefined) {
    if (isSpent) return { do: "end", code: "refresh_outcome_unknown" };
    const isOver = state.cause.kind === "rejected" || nowMs >= (state.expiresAtMs ?? Infinity);
    const isEnd = isOver || state.accessToken === undefined;
    return isEnd ? { do: "end", code: "no_refresh_token" } : { do: "nothing" };
  }
  return gateOf(state) ?? { do: "send", grant };
}

function isNeeded({ cause, accessToken, expiresAtMs, refreshAtMs, nowMs }: RefreshState): boolean {
  if (cause.kind === "asked") return true;
  if (cause.kind === "rejected" && cause.token === accessToken) return true;
  return urgency({ isThere: accessToken !== undefined, expiresAtMs, refreshAtMs }, nowMs) !== "none";
}

/** What keeps a request from being sent now: a failure just before, the endpoint's limit, a token that is too young. */
function gateOf({ auth, cause, journal, nowMs }: RefreshState): RefreshPlan | undefined {
  const { retryAtMs: laterMs, sentAtMs, givenAtMs } = journal;
  if (laterMs !== undefined && nowMs < laterMs && cause.kind !== "asked")
    return { do: "wait", code: "retry_later", untilMs: laterMs };
  const policy = policyOf(auth);
  const quota = policy?.quota;
  if (quota !== undefined && sentAtMs.length >= quota.limit) {
    const freeAtMs = sentAtMs[sentAtMs.length - quota.limit]! + quota.windowSeconds * 1_000;
    if (nowMs < freeAtMs) return { do: "wait", code: "token_limit", untilMs: freeAtMs };
  }
  const oldEnoughMs = (givenAtMs ?? 0) + (policy?.minAgeSeconds ?? 0) * 1_000;
  return nowMs < oldEnoughMs ? { do: "wait", code: "token_too_young", untilMs: oldEnoughMs } : undefined;
}

function mayRepeat(policy: RefreshPolicy | undefined, sinceMs: number): boolean {
  if (policy === undefined || policy.rotation === "none") return true;
  return sinceMs < (policy.reuseGraceSeconds ?? 0) * 1_000;
}

/** The refresh policy of a log-in; one that is no OAuth has none. */
export function policyOf(auth: TokenAuth): RefreshPolicy | undefined {
  return auth.type === "TOKEN_REQUEST" ? undefined : auth.refresh;
}

const RETRY_FIRST_MS = 5_000;
const RETRY_MAX_MS = 15 * 60_000;
/** Longest wait that a token endpoint can ask for: a typing error of a provider must not end a log-in. */
const TOLD_MAX_MS = 24 * 60 * 60_000;

/**
 * When a failed request may be repeated: 5 s, doubled with each failure up to 15 minutes, or when the provider says,
 * within a day.
 *
 * @param failures failures in a row, this one included
 */
export function retryAtMs(
  failures: number,
  told: { nowMs: number; retryAfterMs: number | undefined },
  random: () => number = Math.random,
): number {
  const ownMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(20, failures - 1));
  const toldMs = Math.min(told.retryAfterMs ?? 0, TOLD_MAX_MS);
  return told.nowMs + Math.max(toldMs, ownMs * (0.8 + 0.4 * random()));
}
