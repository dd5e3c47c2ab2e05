import type { Runtime } from "../../platform/runtime.ts";
import { textComparer } from "../../platform/crypto/constant-time.ts";
import { isUuid } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, systemContext, withTenant } from "../context.ts";
import { announceIntegration } from "../integrations/announce-integration.ts";
import { changeStatus } from "../integrations/change-status.ts";
import { integrationCacheOf } from "../integrations/integration-cache.ts";
import { openCredentials } from "../integrations/load-integration.ts";
import { getIntegrationRow, type IntegrationRow, updateIntegrationRow } from "../integrations/store.ts";
import { type AccountChoice, askAccounts } from "./ask-accounts.ts";
import { checkDerived } from "./check-derived.ts";
import { actingAs, type FinishedLogin } from "./finish-login.ts";
import { integrationOf } from "./open-login.ts";
import { findSessionById, hashOf, offerChoice, type OAuthSession, takeChoice } from "./session-store.ts";

/** SHA-256 in base64url. */
const sameHash = textComparer(43);

/**
 * Finishes a log-in that reaches several accounts with the one that the person chose, in the browser that logged in, once.
 * Only what was offered can be chosen.
 *
 * @param input.cookieOf reads this browser's cookie of a log-in
 */
export async function chooseAccount(
  runtime: Runtime,
  input: {
    sessionId: string;
    value: string;
    requestId: string;
    sourceIp: string | undefined;
    cookieOf(sessionId: string): string | undefined;
  },
): Promise<FinishedLogin> {
  const session = isUuid(input.sessionId)
    ? await findSessionById(runtime.sqlSystem, input.sessionId)
    : undefined;
  if (session === undefined) return { ok: false, refusal: "unknown" };
  const cookie = input.cookieOf(session.id);
  if (cookie === undefined || !sameHash(session.browserHash ?? "", hashOf(cookie)))
    return { ok: false, refusal: "wrong_browser" };
  if (session.choice === null) return { ok: false, refusal: "used" };
  if (session.expiresAt.getTime() <= runtime.clock.nowMs()) return { ok: false, refusal: "expired" };
  const { choice } = session;
  if (!choice.options.some(({ value }) => value === input.value)) return { ok: false, refusal: "unknown" };
  const found = await integrationOf(runtime, session, input.requestId);
  if (found === undefined) return { ok: false, refusal: "unknown" };
  const { integration, auth } = found;
  const ctx = actingAs(systemContext(runtime, session.tenantId, "oauth", input.requestId), session, input);
  const chosen = { [choice.field]: input.value };
  const fault = checkDerived(runtime.config, integration, chosen);
  if (fault !== undefined) return { ok: false, refusal: "failed", detail: fault };
  const credentials = await openCredentials(ctx, integration);
  const reached = await askAccounts(runtime, {
    ...integration,
    auth,
    integrationId: integration.id,
    correlationId: ctx.requestId,
    config: { ...integration.config, ...chosen },
    credentials,
  });
  if (!reached.ok) return { ok: false, refusal: "failed", detail: reached.message };
  const values = { ...chosen, ...reached.derived };
  const isKept = await keepChoice(ctx, session, { values, next: reached.choice });
  if (!isKept) return { ok: false, refusal: "used" };
  return {
    ok: true,
    ctx,
    sessionId: session.id,
    integrationId: integration.id,
    integrationName: integration.name,
    providerName: integration.manifest.name,
    choice: reached.choice,
  };
}

/** Stores what was chosen; the integration is ACTIVE once nothing is left to choose. @returns false: somebody was first */
async function keepChoice(
  ctx: Context,
  session: OAuthSession,
  { values, next }: { values: Record<string, string>; next: AccountChoice | undefined },
): Promise<boolean> {
  const { runtime, tenantId } = ctx;
  const { integrationId: id, choice } = session;
  if (!(await takeChoice(runtime.sqlSystem, { id: session.id, field: choice!.field }))) return false;
  const isThere = await withTenant(ctx, async (tx) => {
    const row = await getIntegrationRow(tx, tenantId, id, true);
    // Without tokens the log-in that this choice belongs to is void.
    if (row?.oauthTokens == null) return false;
    const config: IntegrationRow["config"] = { ...row.config, ...values };
    await updateIntegrationRow(tx, tenantId, id, { config });
    const isComplete = next === undefined;
    if (isComplete) {
      const now = new Date(runtime.clock.nowMs());
      await changeStatus(tx, row, { cause: "authorized", now, correlationId: ctx.requestId });
    }
    await emitAudit(tx, ctx, {
      verb: "integration.connect",
      objectType: "integration",
      objectId: id,
      changedFields: [
        ...(isComplete ? ["status"] : []),
        ...Object.keys(values).map((name) => `config.${name}`),
      ],
    });
    return true;
  });
  if (next !== undefined) await offerChoice(runtime.sqlSystem, session.id, next, session.expiresAt);
  integrationCacheOf(runtime).invalidate(id);
  await announceIntegration(ctx, id);
  return isThere;
}
