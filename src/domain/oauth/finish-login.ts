import type { Runtime } from "../../platform/runtime.ts";
import { textComparer } from "../../platform/crypto/constant-time.ts";
import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, SCOPES, systemContext, withTenant } from "../context.ts";
import { announceIntegration } from "../integrations/announce-integration.ts";
import { changeStatus } from "../integrations/change-status.ts";
import { integrationCacheOf } from "../integrations/integration-cache.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import { openCredentials } from "../integrations/load-integration.ts";
import { getIntegrationRow, saveIntegrationState } from "../integrations/store.ts";
import { storeTokens } from "../integrations/token-store.ts";
import type { OAuth2CodeAuth } from "../providers/auth-schema.ts";
import { type AccountChoice, askAccounts } from "./ask-accounts.ts";
import { askDerived } from "./ask-derived.ts";
import { checkDerived } from "./check-derived.ts";
import { insertLogin } from "./journal-store.ts";
import type { GrantedTokens } from "./judge-token-answer.ts";
import { learnTokenEnd } from "./learn-token-end.ts";
import { loginEnd } from "./login-end.ts";
import { obtainTokens } from "./obtain-tokens.ts";
import { integrationOf, type LoginRefusal } from "./open-login.ts";
import { readRedirect } from "./read-redirect.ts";
import {
  findSession,
  hashOf,
  offerChoice,
  openSession,
  type OAuthSession,
  SESSION_MS,
  type SessionSecrets,
  useSession,
} from "./session-store.ts";
import { tokenTimes } from "./token-times.ts";

export type FinishedLogin =
  | {
      ok: true;
      sessionId: string;
      integrationId: string;
      integrationName: string;
      providerName: string;
      /** Acts as who began it. */
      ctx: Context;
      /** The log-in reaches several accounts: one of them has to be chosen. */
      choice: AccountChoice | undefined;
    }
  | { ok: false; refusal: LoginRefusal; detail?: string };

/** SHA-256 in base64url. */
const sameHash = textComparer(43);
/** A state of this hub. */
const STATE = /^[\w-]{43}$/;

/**
 * Finishes a log-in with what the provider's redirect brought. Refused, before anything is used up, unless this browser
 * began it; the state counts once, whatever comes of it. Then the code is traded for tokens, with the PKCE verifier, and
 * these are stored together with what the log-in told besides.
 *
 * @param input.cookieOf reads this browser's cookie of a log-in
 */
export async function finishLogin(
  runtime: Runtime,
  input: {
    query: URLSearchParams;
    requestId: string;
    sourceIp: string | undefined;
    cookieOf(sessionId: string): string | undefined;
  },
): Promise<FinishedLogin> {
  const states = input.query.getAll("state");
  const state = states[0] ?? "";
  if (states.length !== 1 || !STATE.test(state)) return { ok: false, refusal: "unknown" };
  const session = await findSession(runtime.sqlSystem, { stateHash: hashOf(state) });
  if (session === undefined) return { ok: false, refusal: "unknown" };
  const now = new Date(runtime.clock.nowMs());
  const cookie = input.cookieOf(session.id);
  if (cookie === undefined || !sameHash(session.browserHash ?? "", hashOf(cookie)))
    return { ok: false, refusal: session.usedAt === null ? "wrong_browser" : "used" };
  if (session.usedAt !== null) return { ok: false, refusal: "used" };
  if (session.expiresAt <= now) return { ok: false, refusal: "expired" };
  const secrets = await openSession(runtime, runtime.sqlSystem, session);
  if (!(await useSession(runtime.sqlSystem, { id: session.id, stateHash: hashOf(state), now })))
    return { ok: false, refusal: "used" };
  const found = await integrationOf(runtime, session, input.requestId);
  if (found === undefined) return { ok: false, refusal: "unknown" };
  const ctx = actingAs(systemContext(runtime, session.tenantId, "oauth", input.requestId), session, input);
  const { integration, auth } = found;
  const redirect = readRedirect(integration, auth, input.query);
  if (!redirect.ok) {
    const code = redirect.isDenied ? "login_denied" : "login_failed";
    await noteFailure(ctx, integration, { code, message: redirect.message });
    return { ok: false, refusal: redirect.isDenied ? "denied" : "failed", detail: redirect.message };
  }
  const connected = await connect(ctx, { integration, auth, session, secrets, redirect });
  if (!connected.ok) {
    const { message } = connected;
    await noteFailure(ctx, integration, { code: "login_failed", message });
    return { ok: false, refusal: "failed", detail: message };
  }
  const { choice } = connected;
  if (choice !== undefined)
    await offerChoice(runtime.sqlSystem, session.id, choice, new Date(now.getTime() + SESSION_MS));
  const { id: integrationId, name: integrationName } = integration;
  return {
    ok: true,
    ctx,
    sessionId: session.id,
    integrationId,
    integrationName,
    providerName: integration.manifest.name,
    choice,
  };
}

/** Who began a log-in, in whose name it is finished. */
export function actingAs(
  hub: Context,
  session: OAuthSession,
  input: { sourceIp: string | undefined },
): Context {
  return {
    ...hub,
    actor: { type: session.actorType, id: session.actorId, scopes: new Set(SCOPES) },
    ...(input.sourceIp === undefined ? {} : { sourceIp: input.sourceIp }),
  };
}

interface Login {
  integration: LoadedIntegration;
  auth: OAuth2CodeAuth;
  session: OAuthSession;
  secrets: SessionSecrets;
  redirect: { code: string; derived: Record<string, string> };
}

/** What a log-in led to; messages hold no secrets. */
type Connected = { ok: true; choice: AccountChoice | undefined } | { ok: false; message: string };

const refused = (message: string): Connected => ({ ok: false, message });

/** Trades the code for tokens, asks for what only these tell, and stores everything. */
async function connect(ctx: Context, login: Login): Promise<Connected> {
  const { runtime } = ctx;
  const { integration, auth, session, secrets, redirect } = login;
  const { manifest, environment, id } = integration;
  const redirectFault = checkDerived(runtime.config, integration, redirect.derived);
  if (redirectFault !== undefined) return refused(redirectFault);
  const fields = await openCredentials(ctx, integration);
  const owner = {
    tenantId: ctx.tenantId,
    integrationId: id,
    correlationId: ctx.requestId,
    manifest,
    auth,
    environment,
    config: { ...integration.config, ...redirect.derived },
    credentials: { ...fields, ...secrets.oneTime },
  };
  const usesPkce = auth.authorize.pkce === "S256";
  const result = await obtainTokens(runtime, owner, {
    type: "authorization_code",
    code: redirect.code,
    redirectUri: session.redirectUri,
    codeVerifier: usesPkce ? secrets.verifier : undefined,
  });
  if (!result.ok) return refused(`${result.fault.code}: ${result.fault.message}`);
  const derived = { ...redirect.derived, ...result.tokens.derived };
  const tokenFault = checkDerived(runtime.config, integration, derived);
  if (tokenFault !== undefined) return refused(tokenFault);
  const known = {
    ...owner,
    config: { ...integration.config, ...derived },
    credentials: { ...owner.credentials, ...result.tokens.values },
  };
  const asked = await askDerived(runtime, known);
  if (!asked.ok) return asked;
  Object.assign(derived, asked.derived);
  const reached = await askAccounts(runtime, { ...known, config: { ...known.config, ...derived } });
  if (!reached.ok) return reached;
  Object.assign(derived, reached.derived);
  const askedFault = checkDerived(runtime.config, integration, derived);
  if (askedFault !== undefined) return refused(askedFault);
  const { choice } = reached;
  const kept = await keepLogin(ctx, login, { tokens: result.tokens, derived, choice });
  if (!kept.ok) return refused(kept.message);
  if (result.tokens.expiresInMs === undefined) {
    const { values } = result.tokens;
    await learnTokenEnd(runtime, known, auth, { values, version: kept.version });
  }
  return { ok: true, choice };
}

/**
 * Stores tokens and derived values, makes the integration ACTIVE, and tells of it, all at once. While an account is still to
 * be chosen it stays PENDING_AUTH.
 */
async function keepLogin(
  ctx: Context,
  { integration, auth }: Login,
  got: { tokens: GrantedTokens; derived: Record<string, string>; choice: AccountChoice | undefined },
): Promise<{ ok: true; version: number } | { ok: false; message: string }> {
  const { tokens, derived, choice } = got;
  const { runtime, tenantId } = ctx;
  const { id } = integration;
  const nowMs = runtime.clock.nowMs();
  const isRenewable = tokens.values["refreshToken"] !== undefined;
  const kept = await withTenant(ctx, async (tx) => {
    const row = await getIntegrationRow(tx, tenantId, id, true);
    if (row === undefined) return { ok: false, message: "The integration was deleted meanwhile" } as const;
    // A code belongs to the app that asked for it: what was changed since asks for a new log-in.
    if (row.configVersion !== integration.version)
      return { ok: false, message: "The integration was changed meanwhile: please log in again" } as const;
    const version = row.oauthVersion;
    const times = tokenTimes(auth, { nowMs, expiresInMs: tokens.expiresInMs, isRenewable });
    const end = loginEnd(auth.refresh, {
      nowMs,
      loginAtMs: nowMs,
      toldRefreshMs: tokens.refreshEndsInMs,
      toldLoginMs: tokens.loginEndsInMs,
      accessEndsAtMs: times.expiresAt?.getTime(),
      hasRefreshToken: isRenewable,
    });
    await storeTokens(runtime, tx, {
      id,
      tenantId,
      version,
      values: tokens.values,
      derived,
      ...times,
      login: { at: new Date(nowMs), ...end },
    });
    await insertLogin(tx, { id, tenantId, journalId: newId(nowMs), version: version + 1 });
    const change = { now: new Date(nowMs), correlationId: ctx.requestId };
    await changeStatus(
      tx,
      row,
      choice === undefined
        ? { ...change, cause: "authorized" }
        : { ...change, cause: "authorization_needed", error: choiceNeeded(id, choice) },
    );
    await emitAudit(tx, ctx, {
      verb: "integration.connect",
      objectType: "integration",
      objectId: id,
      changedFields: ["status", "oauthTokens", ...Object.keys(derived).map((name) => `config.${name}`)],
    });
    return { ok: true, version: version + 1 } as const;
  });
  integrationCacheOf(runtime).invalidate(id);
  await announceIntegration(ctx, id);
  return kept;
}

/** For an operator who has to choose in place of the person that logged in. */
function choiceNeeded(id: string, { field, options }: AccountChoice): { code: string; message: string } {
  const message =
    `The log-in reaches ${options.length} accounts: set config.${field} to one of ` +
    `GET /api/v1/integrations/${id}/options/${field}, then test`;
  return { code: "account_choice_needed", message };
}

/** What a person was told stands with the integration too, for the operator. */
async function noteFailure(
  ctx: Context,
  { id }: LoadedIntegration,
  error: { code: string; message: string },
): Promise<void> {
  await withTenant(ctx, async (tx) => {
    await saveIntegrationState(
      tx,
      { tenantId: ctx.tenantId, id },
      {
        lastError: `${error.code}: ${error.message}`,
        lastErrorAt: new Date(ctx.runtime.clock.nowMs()),
        errors: 1,
      },
    );
    await emitAudit(tx, ctx, { verb: "integration.connect", objectType: "integration", objectId: id });
  });
  await announceIntegration(ctx, id);
}
