import type { Runtime } from "../../platform/runtime.ts";
import { announceIntegrationOf, announceTokens } from "../integrations/announce-integration.ts";
import { integrationCacheOf } from "../integrations/integration-cache.ts";
import { lockIntegrationRow } from "../integrations/store.ts";
import { openTokens, type StoredLogin, storeTokens } from "../integrations/token-store.ts";
import { closeJournal, type JournalledTokens, openAnswered } from "./journal-store.ts";

/**
 * Moves what the journal holds into the integration, if the tokens there are still those that were sent: access and
 * refresh token in one statement, so that neither is used before both are safe. A refresh token that did not come anew
 * stays (RFC 6749 section 6).
 */
export async function storeAnswer(
  runtime: Runtime,
  input: { id: string; tenantId: string; journalId: string; version: number },
): Promise<void> {
  const { id, tenantId, journalId, version } = input;
  const isDerived = await runtime.sqlSystem.begin(async (tx) => {
    const row = await lockIntegrationRow(tx, id);
    const answered = await openAnswered(runtime, tx, { id, tenantId, journalId });
    if (answered === undefined) return false;
    if (row === undefined || row.oauthVersion !== version) {
      const message = "Other tokens were stored before the answer came";
      await closeJournal(tx, journalId, { state: "FAILED", code: "superseded", message });
      return false;
    }
    const { refreshToken } = (await openTokens(runtime, tx, row)).values;
    const isNew = Object.entries(answered.derived).some(([name, value]) => row.config[name] !== value);
    await storeTokens(runtime, tx, {
      id,
      tenantId,
      version,
      values: { ...(refreshToken === undefined ? {} : { refreshToken }), ...answered.values },
      expiresAt: answered.expiresAtMs === null ? null : new Date(answered.expiresAtMs),
      refreshAt: answered.refreshAtMs === null ? null : new Date(answered.refreshAtMs),
      ...(isNew ? { derived: answered.derived } : {}),
      ...(answered.login === undefined ? {} : { login: loginOf(answered.login) }),
    });
    await closeJournal(tx, journalId, { state: "STORED" });
    return isNew;
  });
  integrationCacheOf(runtime).invalidate(id);
  await (isDerived ? announceIntegrationOf(runtime, id) : announceTokens(runtime, id));
}

function loginOf({ atMs, endsAtMs, warnAtMs, isFixed }: NonNullable<JournalledTokens["login"]>): StoredLogin {
  const date = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
  return { at: new Date(atMs), endsAt: date(endsAtMs), warnAt: date(warnAtMs), isFixed };
}
