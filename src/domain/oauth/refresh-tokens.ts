import { oauthLeaseKey } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { type ShortLease, takeLease } from "../../platform/take-lease.ts";
import { newId } from "../../platform/uuid.ts";
import { loadedOf } from "../integrations/integration-cache.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import { openFields } from "../integrations/secret-fields.ts";
import { findIntegrationRow, lockIntegrationRow } from "../integrations/store.ts";
import { openTokens, postponeRefresh } from "../integrations/token-store.ts";
import { checkDerived } from "./check-derived.ts";
import { endConnection } from "./end-connection.ts";
import { failRefresh } from "./fail-refresh.ts";
import {
  closeJournal,
  insertStarted,
  type JournalFacts,
  readJournal,
  writeAnswered,
} from "./journal-store.ts";
import type { GrantedTokens, TokenFault } from "./judge-token-answer.ts";
import { learnTokenEnd } from "./learn-token-end.ts";
import { loginEnd } from "./login-end.ts";
import { canMint, mintGrant, obtainTokens, type TokenOwner } from "./obtain-tokens.ts";
import { planRefresh, policyOf, type RefreshCause, type RefreshPlan } from "./plan-refresh.ts";
import { storeAnswer } from "./store-answer.ts";
import { TOKEN_TIMEOUT_MS } from "./token-exchange.ts";
import { hasTokens, type TokenAuth, tokenTimes } from "./token-times.ts";

/** Three times the hard end of a request: what is held up so long has lost its right to send (platforms: lock races). */
export const LEASE_MS = 3 * TOKEN_TIMEOUT_MS;
/** Postgres may be away while an answer is in hand that nobody else has. */
const WRITE_TRIES = 60;
const WRITE_PAUSE_MS = 500;
/** Decisions in a row: each follows a change that another process made, or closes what one left open. */
const ROUNDS_MAX = 5;

/** How it stands after a refresh, or without one. */
export type RefreshOutcome =
  /** What is stored is good. */
  | { kind: "fresh" }
  /** A person has to log in. */
  | { kind: "ended"; code: string }
  /** Not now. `isRefused`: the configuration is to blame. */
  | { kind: "failed"; code: string; message: string; retryAtMs: number; isRefused: boolean }
  /** Another process is at it. */
  | { kind: "busy" }
  /** Deleted, or its log-in has no tokens. */
  | { kind: "none" };

/**
 * Replaces the tokens of an integration where that is needed, by one process at a time over all of them: under a lease,
 * after reading what is there now, with a journal row written before the request leaves and another one before its
 * answer replaces anything.
 */
export async function refreshTokens(
  runtime: Runtime,
  input: { id: string; cause: RefreshCause; correlationId: string },
): Promise<RefreshOutcome> {
  const { id } = input;
  const lease = await takeLease(runtime, { key: oauthLeaseKey(id), ttlMs: LEASE_MS });
  if (lease === undefined) return { kind: "busy" };
  try {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      // oxlint-disable-next-line no-await-in-loop -- each round decides on what the last one left
      const outcome = await decideAndAct(runtime, { ...input, lease });
      if (outcome !== "again") return outcome;
    }
    return failed("retry_later", "The tokens change too often", runtime.clock.nowMs() + 1_000);
  } finally {
    await lease.release();
  }
}

interface Turn {
  id: string;
  cause: RefreshCause;
  correlationId: string;
  lease: ShortLease;
}

/** What is known of an integration when its holder decides. */
interface Situation {
  integration: LoadedIntegration;
  auth: TokenAuth;
  owner: TokenOwner;
  tokens: Readonly<Record<string, string>>;
  version: number;
  journal: JournalFacts;
}

async function decideAndAct(runtime: Runtime, turn: Turn): Promise<RefreshOutcome | "again"> {
  const situation = await readSituation(runtime, turn);
  if (situation === undefined) return { kind: "none" };
  const { integration, version, journal, tokens, owner, auth } = situation;
  const { id, tenantId } = integration;
  if (journal.open !== undefined && journal.open.baseVersion !== version) {
    const message = "Other tokens were stored meanwhile";
    await closeJournal(runtime.sqlSystem, journal.open.id, { state: "FAILED", code: "superseded", message });
    return "again";
  }
  if (auth.type === "OAUTH2_CODE" && Object.keys(tokens).length === 0)
    return { kind: "ended", code: "reauthorization_required" };
  const { oauthExpiresAt, oauthRefreshAt } = integration.row;
  const plan = planRefresh({
    auth,
    cause: turn.cause,
    nowMs: runtime.clock.nowMs(),
    accessToken: tokens["accessToken"],
    hasRefreshToken: tokens["refreshToken"] !== undefined,
    canMint: canMint(owner),
    expiresAtMs: oauthExpiresAt?.getTime(),
    refreshAtMs: oauthRefreshAt?.getTime(),
    journal,
  });
  switch (plan.do) {
    case "nothing":
      return { kind: "fresh" };
    case "store":
      await storeAnswer(runtime, { id, tenantId, journalId: journal.open!.id, version });
      // It may have lain there for longer than the token lives.
      return "again";
    case "end": {
      const error = { code: plan.code, message: MESSAGES[plan.code] };
      await endConnection(runtime, { id, version, journalId: journal.open?.id, error });
      return { kind: "ended", code: plan.code };
    }
    case "wait":
      if (turn.cause.kind === "due")
        await postponeRefresh(runtime.sqlSystem, integration, new Date(plan.untilMs));
      return failed(plan.code, WAITS[plan.code], plan.untilMs);
    case "send":
      return sendRefresh(runtime, turn, situation, plan);
  }
}

const MESSAGES = {
  refresh_outcome_unknown:
    "The answer to a refresh was lost; the refresh token may be spent, so it is not sent again",
  no_refresh_token: "The provider gave no refresh token, and the access token is over",
} as const;
const WAITS = {
  retry_later: "The last try failed a moment ago",
  token_limit: "The token endpoint's limit is reached",
  token_too_young: "The provider does not replace a token so young",
} as const;

async function readSituation(
  runtime: Runtime,
  { id, correlationId }: Pick<Turn, "id" | "correlationId">,
): Promise<Situation | undefined> {
  const sql = runtime.sqlSystem;
  const row = await findIntegrationRow(sql, id);
  if (row === undefined) return undefined;
  const integration = loadedOf(runtime, row);
  const { auth, manifest, environment, config, tenantId } = integration;
  if (!hasTokens(auth)) return undefined;
  const [fields, { values: tokens, version }] = [
    await openFields(runtime, sql, row),
    await openTokens(runtime, sql, row),
  ];
  const windowSeconds = policyOf(auth)?.quota?.windowSeconds ?? 0;
  const journal = await readJournal(sql, { id, tenantId, version }, windowSeconds);
  const owner = {
    tenantId,
    integrationId: id,
    correlationId,
    manifest,
    auth,
    environment,
    config,
    credentials: fields,
  };
  return { integration, auth, owner, tokens, version, journal };
}

/** Writes that it is about to send, sends, and writes what came. */
async function sendRefresh(
  runtime: Runtime,
  { id, cause, lease }: Turn,
  situation: Situation,
  plan: Extract<RefreshPlan, { do: "send" }>,
): Promise<RefreshOutcome | "again"> {
  const { integration, auth, owner, tokens, version, journal } = situation;
  const { tenantId } = integration;
  const journalId = newId(runtime.clock.nowMs());
  const grant =
    plan.grant === "mint"
      ? mintGrant(auth)
      : ({ type: "refresh_token", refreshToken: tokens["refreshToken"]! } as const);
  const isBegun = await runtime.sqlSystem.begin(async (tx) => {
    const row = await lockIntegrationRow(tx, id);
    if (row === undefined || row.oauthVersion !== version) return false;
    if (journal.open !== undefined) await closeJournal(tx, journal.open.id, LOST);
    await insertStarted(tx, { id, tenantId, journalId, grantType: grant.type, version, fence: lease.token });
    return true;
  });
  if (!isBegun) return "again";
  const result = await obtainTokens(runtime, owner, grant, () => lease.isHeld());
  if (result.ok) {
    const derivedFault = checkDerived(runtime.config, integration, result.tokens.derived);
    if (derivedFault === undefined)
      return keepAnswer(runtime, situation, { id, tenantId, journalId, version }, result.tokens);
    // The tokens are good, only the address that came along is not: the one that is known stays.
    runtime.log.warn({ integrationId: id, fault: derivedFault }, "values of a token answer are not taken");
    const kept = { ...result.tokens, derived: {} };
    return keepAnswer(runtime, situation, { id, tenantId, journalId, version }, kept);
  }
  return handleFault(runtime, situation, { id, cause, journalId, grantType: grant.type }, result.fault);
}

const LOST = {
  state: "FAILED",
  code: "answer_lost",
  message: "The process that sent it ended before the answer",
} as const;

async function keepAnswer(
  runtime: Runtime,
  { auth, owner, tokens, integration }: Situation,
  place: { id: string; tenantId: string; journalId: string; version: number },
  granted: GrantedTokens,
): Promise<RefreshOutcome> {
  const { values, derived, expiresInMs } = granted;
  const nowMs = runtime.clock.nowMs();
  const hasRefreshToken = { ...tokens, ...values }["refreshToken"] !== undefined;
  const times = tokenTimes(auth, { nowMs, expiresInMs, isRenewable: hasRefreshToken || canMint(owner) });
  const loginAtMs = integration.row.oauthLoginAt?.getTime() ?? nowMs;
  const end =
    auth.type !== "OAUTH2_CODE"
      ? undefined
      : loginEnd(auth.refresh, {
          nowMs,
          loginAtMs,
          toldRefreshMs: granted.refreshEndsInMs,
          toldLoginMs: granted.loginEndsInMs,
          accessEndsAtMs: times.expiresAt?.getTime(),
          hasRefreshToken,
        });
  const answer = {
    values,
    derived,
    expiresAtMs: times.expiresAt?.getTime() ?? null,
    refreshAtMs: times.refreshAt?.getTime() ?? null,
    ...(end === undefined
      ? {}
      : {
          login: {
            atMs: loginAtMs,
            endsAtMs: end.endsAt?.getTime() ?? null,
            warnAtMs: end.warnAt?.getTime() ?? null,
            isFixed: end.isFixed,
          },
        }),
  };
  await untilWritten(runtime, async () => {
    await writeAnswered(runtime, place, answer);
    await storeAnswer(runtime, place);
  });
  if (auth.type === "OAUTH2_CODE" && expiresInMs === undefined) {
    const version = place.version + 1;
    await learnTokenEnd(runtime, owner, auth, { values: { ...tokens, ...values }, version });
  }
  return { kind: "fresh" };
}

/** What a provider gave once is nowhere else: it is written as soon as Postgres takes it. */
async function untilWritten(runtime: Runtime, write: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- tried again and again
      return await write();
    } catch (error) {
      runtime.log.error({ err: error, tries }, "new tokens not written");
      if (tries >= WRITE_TRIES) throw error;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await Bun.sleep(WRITE_PAUSE_MS);
    }
  }
}

async function handleFault(
  runtime: Runtime,
  { integration, auth, tokens, owner, version, journal }: Situation,
  sent: { id: string; cause: RefreshCause; journalId: string; grantType: string },
  fault: TokenFault,
): Promise<RefreshOutcome | "again"> {
  const { id, journalId, cause, grantType } = sent;
  const nowMs = runtime.clock.nowMs();
  const isRefresh = grantType === "refresh_token";
  const isMintable = canMint(owner);
  if (fault.kind === "final" && isRefresh && !isMintable) {
    await endConnection(runtime, { id, version, journalId, error: fault });
    return { kind: "ended", code: fault.code };
  }
  if (fault.kind === "final" && isRefresh) {
    await dropRefreshToken(runtime, { integration, tokens, version, journalId, fault });
    return "again";
  }
  if (fault.kind === "lost" && isRefresh) {
    const facts = { ...journal, open: undefined, sentAtMs: [], lostSinceMs: journal.lostSinceMs ?? nowMs };
    const next = planRefresh({
      auth,
      cause: { kind: "asked" },
      nowMs,
      accessToken: tokens["accessToken"],
      hasRefreshToken: true,
      canMint: isMintable,
      expiresAtMs: integration.row.oauthExpiresAt?.getTime(),
      refreshAtMs: integration.row.oauthRefreshAt?.getTime(),
      journal: facts,
    });
    if (next.do === "end") {
      const error = { code: next.code, message: MESSAGES[next.code] };
      await endConnection(runtime, { id, version, journalId, error });
      return { kind: "ended", code: next.code };
    }
  }
  const expiresAtMs = integration.row.oauthExpiresAt?.getTime();
  const isTokenOver =
    cause.kind === "rejected" || tokens["accessToken"] === undefined || nowMs >= (expiresAtMs ?? Infinity);
  const failures = journal.failures + 1;
  const retryAt = await failRefresh(runtime, { id, version, journalId, fault, failures, isTokenOver });
  const isRefused = fault.kind === "refused" || fault.kind === "final";
  return { ...failed(fault.code, fault.message, retryAt.getTime()), isRefused };
}

/** A refresh token that is over is no loss where user name and password are there. */
async function dropRefreshToken(
  runtime: Runtime,
  input: {
    integration: LoadedIntegration;
    tokens: Readonly<Record<string, string>>;
    version: number;
    journalId: string;
    fault: TokenFault;
  },
): Promise<void> {
  const { integration, journalId, fault, version } = input;
  const { id, tenantId } = integration;
  await runtime.sqlSystem.begin(async (tx) => {
    await lockIntegrationRow(tx, id);
    await closeJournal(tx, journalId, { state: "FAILED", code: fault.code, message: fault.message });
    await tx`
      update integrations set oauth_tokens = oauth_tokens - 'refreshToken', oauth_version = oauth_version + 1
      where tenant_id = ${tenantId} and id = ${id} and oauth_version = ${version}`;
  });
}

function failed(
  code: string,
  message: string,
  retryAtMs: number,
): Extract<RefreshOutcome, { kind: "failed" }> {
  return { kind: "failed", code, message, retryAtMs, isRefused: false };
}
