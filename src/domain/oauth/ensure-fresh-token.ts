import type { Runtime } from "../../platform/runtime.ts";
import type { Context } from "../context.ts";
import { HubError } from "../errors.ts";
import { integrationCacheOf } from "../integrations/integration-cache.ts";
import { loadIntegration, openCredentials } from "../integrations/load-integration.ts";
import type { Credentials, LoadedIntegration } from "../integrations/loaded-integration.ts";
import { findIntegrationRow } from "../integrations/store.ts";
import { latestFailure } from "./journal-store.ts";
import { TOKEN_TIMEOUT_MS } from "./token-exchange.ts";
import type { RefreshCause } from "./plan-refresh.ts";
import { type RefreshOutcome, refreshTokens } from "./refresh-tokens.ts";
import { hasTokens, urgency } from "./token-times.ts";

/** An integration with credentials that are good now. */
export interface UsableIntegration {
  /** Newer than the one given when the refresh told more than tokens. */
  integration: LoadedIntegration;
  /** Secret fields, and `accessToken` where calls carry one. */
  credentials: Credentials;
}

export interface FreshTokenOptions {
  /** The API refused this access token: another one is needed, unless somebody got it already. */
  rejectedToken?: string;
  /** A person asked for a new one. */
  force?: boolean;
}

/** Who waits for another process waits a little longer than a request to a token endpoint may take. */
const WAIT_MS = TOKEN_TIMEOUT_MS + 2_000;
const POLL_FIRST_MS = 25;
const POLL_MAX_MS = 250;

/** Refreshes under way in this process: whoever comes meanwhile shares the outcome. */
const underWay = new WeakMap<Runtime, Map<string, Promise<RefreshOutcome>>>();

/**
 * Credentials for a call, with an access token that does not end within the next minute. Costs nothing while the one that
 * is there is good; in the margin before its end it serves on while another one is fetched.
 *
 * @throws HubError 409 `reauthorization_required` when a person has to log in; 503 `token_unavailable` with Retry-After
 * when the provider gives no token now
 */
export async function ensureFreshToken(
  ctx: Context,
  integration: LoadedIntegration,
  options: FreshTokenOptions = {},
): Promise<UsableIntegration> {
  const { runtime } = ctx;
  const { auth, id } = integration;
  const credentials = await openCredentials(ctx, integration);
  if (!hasTokens(auth)) return { integration, credentials };
  if (integration.status === "PENDING_AUTH" && credentials["accessToken"] === undefined) throw mustLogIn();
  const cause = causeOf(options);
  const need = needOf(integration, credentials, cause, runtime.clock.nowMs());
  if (need === "none") return { integration, credentials };
  if (need === "later") {
    refreshOnce(runtime, id, cause, ctx.requestId).catch((error: unknown) =>
      runtime.log.warn({ err: error, integrationId: id }, "token not refreshed ahead of its end"),
    );
    return { integration, credentials };
  }
  const outcome = await refreshOnce(runtime, id, cause, ctx.requestId);
  return usable(ctx, integration, { outcome, cause });
}

function causeOf({ rejectedToken, force }: FreshTokenOptions): RefreshCause {
  if (rejectedToken !== undefined) return { kind: "rejected", token: rejectedToken };
  return force === true ? { kind: "asked" } : { kind: "due" };
}

function needOf(
  { row }: LoadedIntegration,
  credentials: Credentials,
  cause: RefreshCause,
  nowMs: number,
): "none" | "later" | "now" {
  const accessToken = credentials["accessToken"];
  if (cause.kind === "asked" || (cause.kind === "rejected" && cause.token === accessToken)) return "now";
  return urgency(
    {
      isThere: accessToken !== undefined,
      expiresAtMs: row.oauthExpiresAt?.getTime(),
      refreshAtMs: row.oauthRefreshAt?.getTime(),
    },
    nowMs,
  );
}

/** What is stored after a refresh, or why it cannot be used. A token that is still good serves on after a failure. */
async function usable(
  ctx: Context,
  before: LoadedIntegration,
  { outcome, cause }: { outcome: RefreshOutcome; cause: RefreshCause },
): Promise<UsableIntegration> {
  const { runtime } = ctx;
  if (outcome.kind === "ended") throw mustLogIn();
  integrationCacheOf(runtime).invalidate(before.id);
  const integration = await loadIntegration(ctx, before.id);
  const credentials = await openCredentials(ctx, integration);
  if (outcome.kind === "fresh") return { integration, credentials };
  const isNew = integration.row.oauthVersion !== before.row.oauthVersion;
  const nowMs = runtime.clock.nowMs();
  const isGood =
    credentials["accessToken"] !== undefined &&
    nowMs < (integration.row.oauthExpiresAt?.getTime() ?? Infinity);
  if (isGood && (isNew || cause.kind === "due")) return { integration, credentials };
  throw unavailable(outcome, nowMs);
}

function unavailable(outcome: RefreshOutcome, nowMs: number): HubError {
  if (outcome.kind !== "failed")
    return new HubError("token_unavailable", "Another process is getting a token.", { retryAfterSeconds: 1 });
  const retryAfterSeconds = Math.max(1, Math.ceil((outcome.retryAtMs - nowMs) / 1_000));
  return new HubError("token_unavailable", `${outcome.code}: ${outcome.message}.`, { retryAfterSeconds });
}

function mustLogIn(): HubError {
  return new HubError(
    "reauthorization_required",
    "Somebody has to log in with the provider: POST /api/v1/integrations/:id/authorize gives the address.",
  );
}

/**
 * One refresh at a time in this process, and one over all of them. A process that finds another one at it only looks on:
 * it never sends.
 *
 * @param correlationId of the request that leads to it, for the log
 */
export function refreshOnce(
  runtime: Runtime,
  id: string,
  cause: RefreshCause,
  correlationId: string,
): Promise<RefreshOutcome> {
  let running = underWay.get(runtime);
  if (running === undefined) underWay.set(runtime, (running = new Map()));
  // A refresh that is under way began with the token of now, so it also serves who had it refused.
  const key = cause.kind === "rejected" ? `${id} ${cause.token}` : id;
  let refresh = running.get(key);
  if (refresh === undefined) {
    const known = running;
    refresh = refreshOrLookOn(runtime, id, cause, correlationId).finally(() => known.delete(key));
    running.set(key, refresh);
  }
  return refresh;
}

async function refreshOrLookOn(
  runtime: Runtime,
  id: string,
  cause: RefreshCause,
  correlationId: string,
): Promise<RefreshOutcome> {
  const startedMs = runtime.clock.nowMs();
  const before = await findIntegrationRow(runtime.sqlSystem, id);
  if (before === undefined) return { kind: "none" };
  const outcome = await refreshTokens(runtime, { id, cause, correlationId });
  return outcome.kind === "busy" ? lookOn(runtime, before, startedMs) : outcome;
}

/** Waits until the holder of the lease has written how it went. */
async function lookOn(
  runtime: Runtime,
  before: { id: string; tenantId: string; oauthVersion: number },
  startedMs: number,
): Promise<RefreshOutcome> {
  const { id, tenantId, oauthVersion } = before;
  const deadlineMs = performance.now() + WAIT_MS;
  for (
    let pauseMs = POLL_FIRST_MS;
    performance.now() < deadlineMs;
    pauseMs = Math.min(POLL_MAX_MS, pauseMs * 2)
  ) {
    // oxlint-disable-next-line no-await-in-loop -- asked again and again
    await Bun.sleep(pauseMs * (0.5 + Math.random()));
    // oxlint-disable-next-line no-await-in-loop -- as above
    const row = await findIntegrationRow(runtime.sqlSystem, id);
    if (row === undefined) return { kind: "none" };
    if (row.oauthVersion !== oauthVersion)
      return row.oauthTokens === null
        ? { kind: "ended", code: "reauthorization_required" }
        : { kind: "fresh" };
    // oxlint-disable-next-line no-await-in-loop -- as above
    const failure = await latestFailure(runtime.sqlSystem, { id, tenantId }, startedMs);
    if (failure !== undefined) {
      const retryAtMs = failure.retryAt?.getTime() ?? runtime.clock.nowMs() + 1_000;
      const message = "The provider gave no token to the process that asked";
      return { kind: "failed", code: failure.code, message, retryAtMs, isRefused: false };
    }
  }
  return { kind: "busy" };
}
