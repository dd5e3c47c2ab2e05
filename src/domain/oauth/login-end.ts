import type { RefreshPolicy } from "../providers/auth-schema.ts";

/** When a log-in ends whatever is refreshed, and when that is told next. Null: nobody knows of an end. */
export interface LoginEnd {
  endsAt: Date | null;
  warnAt: Date | null;
  /** Refreshes do not put it off. */
  isFixed: boolean;
}

/** What is known of a log-in when its tokens are stored. */
export interface LoginFacts {
  nowMs: number;
  /** When the person logged in. */
  loginAtMs: number;
  /** Life of the refresh token that came, and of the whole log-in, as the answer told them. */
  toldRefreshMs?: number | undefined;
  toldLoginMs?: number | undefined;
  /** Without a refresh token the end of the access token is the end of all. */
  accessEndsAtMs: number | undefined;
  hasRefreshToken: boolean;
}

const DAY_MS = 86_400_000;
/** Told of so long before the end, each once. */
const WARN_BEFORE_MS = [30 * DAY_MS, 7 * DAY_MS, DAY_MS];
/** … and of a log-in that lives shortly, this share of its life before. */
const WARN_SHARE = 0.2;

/**
 * When a log-in ends: at the end of its absolute life, or when its refresh token was idle for too long, whichever is first.
 * Each refresh begins the idle life anew, so that end only comes near when nothing is refreshed, as while PAUSED.
 */
export function loginEnd(policy: RefreshPolicy, facts: LoginFacts): LoginEnd {
  const { nowMs, loginAtMs, hasRefreshToken, accessEndsAtMs } = facts;
  const after = (startMs: number, seconds: number | undefined): number =>
    seconds === undefined ? Infinity : startMs + seconds * 1_000;
  const absoluteMs =
    facts.toldLoginMs === undefined
      ? after(loginAtMs, policy.absoluteLifeSeconds)
      : nowMs + facts.toldLoginMs;
  const idleMs =
    facts.toldRefreshMs === undefined ? after(nowMs, policy.idleLifeSeconds) : nowMs + facts.toldRefreshMs;
  const endMs = hasRefreshToken ? Math.min(absoluteMs, idleMs) : (accessEndsAtMs ?? Infinity);
  if (endMs === Infinity) return { endsAt: null, warnAt: null, isFixed: false };
  const isFixed = endMs === absoluteMs;
  const lifeMs = endMs - (isFixed ? loginAtMs : nowMs);
  const firstMs = Math.min(WARN_BEFORE_MS[0]!, lifeMs * WARN_SHARE);
  return { endsAt: new Date(endMs), warnAt: new Date(endMs - firstMs), isFixed };
}

/** When it is told again, after it was told now; null: not before the end. */
export function nextWarning(endsAt: Date, nowMs: number): Date | null {
  const later = WARN_BEFORE_MS.map((beforeMs) => endsAt.getTime() - beforeMs).find((atMs) => atMs > nowMs);
  return later === undefined ? null : new Date(later);
}
