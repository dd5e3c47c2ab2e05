import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import type { Sql } from "../../platform/postgres/client.ts";
import type { Context, Transaction } from "../context.ts";
import { loadedOf } from "../integrations/integration-cache.ts";
import { openFields } from "../integrations/secret-fields.ts";
import { getIntegrationRow } from "../integrations/store.ts";
import { openTokens } from "../integrations/token-store.ts";
import type { RenderOutcome } from "../providers/request-template.ts";
import { tokenCallRequest } from "../providers/token-request.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { closeJournal, journalPlace } from "./journal-store.ts";
import { judgeRefusal } from "./judge-token-answer.ts";
import { retryAtMs } from "./plan-refresh.ts";
import { exchangeToken, TOKEN_TIMEOUT_MS } from "./token-exchange.ts";

/** A token that could not be given back for so long is left to its end. */
const GIVE_UP_MS = 24 * 3_600_000;
/** The first try is this process' own; another one takes over when it died. */
const FIRST_TRY_MS = 30_000;
const PIECE = 50;

/**
 * Plans, in the transaction that removes an integration, to give its tokens back to the provider (RFC 7009). The whole
 * request is kept, sealed, because afterwards nothing of its configuration is left.
 *
 * @returns id of the planned request for `sendRevocation` after the commit; undefined when there is nothing to give back
 */
export async function planRevocation(
  ctx: Context,
  tx: Transaction,
  integrationId: string,
): Promise<string | undefined> {
  const { runtime, tenantId } = ctx;
  const row = await getIntegrationRow(tx, tenantId, integrationId, true);
  if (row?.oauthTokens == null) return undefined;
  const { auth, manifest, environment, config } = loadedOf(runtime, row);
  const call = "revoke" in auth ? auth.revoke : undefined;
  if (call === undefined) return undefined;
  const { values } = await openTokens(runtime, tx, row);
  const token =
    call.token === "refresh" ? (values["refreshToken"] ?? values["accessToken"]) : values["accessToken"];
  if (token === undefined) return undefined;
  const fields = await openFields(runtime, tx, row);
  const credentials = { ...fields, ...values, token };
  const rendered = tokenCallRequest(manifest, call, { environment, config, credentials });
  if (!rendered.ok) {
    runtime.log.warn(
      { integrationId, code: rendered.code },
      "tokens are not given back: no request can be made",
    );
    return undefined;
  }
  const journalId = newId(runtime.clock.nowMs());
  const place = journalPlace({ tenantId, journalId });
  const secrets = [...rendered.secrets, ...Object.values(credentials)];
  const planned: PlannedRequest = { ...rendered, secrets };
  const sealed = await sealSecret(runtime, tx, place, JSON.stringify(planned));
  const retryAt = new Date(runtime.clock.nowMs() + FIRST_TRY_MS);
  await tx`
    insert into oauth_refresh_journal (id, tenant_id, integration_id, kind, grant_type, base_version, tokens_sealed,
      retry_at)
    values (${journalId}, ${tenantId}, ${integrationId}, 'REVOKE', 'revoke', ${row.oauthVersion}, ${sealed}, ${retryAt})`;
  return journalId;
}

/** What is kept until it is sent: the request, and what of it no log may show. */
type PlannedRequest = Extract<RenderOutcome, { ok: true }>;

interface PlannedRevocation {
  id: string;
  tenantId: string;
  integrationId: string;
  sealed: string;
  attempts: number;
  createdAt: Date;
}

/** Sends a planned request; what fails is tried again by the worker for a day. Never throws for what the provider does. */
export async function sendRevocation(runtime: Runtime, journalId: string): Promise<void> {
  const sql = runtime.sqlSystem;
  const [planned] = await sql<PlannedRevocation[]>`
    select ${columns(sql)} from oauth_refresh_journal
    where id = ${journalId} and kind = 'REVOKE' and state = 'STARTED'`;
  if (planned !== undefined) await revoke(runtime, planned);
}

/**
 * Sends planned requests whose time has come.
 *
 * @param mayGoOn asked before each
 * @returns how many were sent
 */
export async function sendDueRevocations(runtime: Runtime, mayGoOn: () => boolean): Promise<number> {
  const sql = runtime.sqlSystem;
  const due = await sql<PlannedRevocation[]>`
    select ${columns(sql)} from oauth_refresh_journal
    where kind = 'REVOKE' and state = 'STARTED' and retry_at <= ${new Date(runtime.clock.nowMs())}
    order by retry_at limit ${PIECE}`;
  let sent = 0;
  for (const planned of due) {
    if (!mayGoOn()) break;
    // oxlint-disable-next-line no-await-in-loop -- nobody waits for it
    await revoke(runtime, planned);
    sent++;
  }
  return sent;
}

const columns = (sql: Sql) => sql`
  id, tenant_id as "tenantId", integration_id as "integrationId", tokens_sealed as sealed, attempts,
  created_at as "createdAt"`;

async function revoke(runtime: Runtime, planned: PlannedRevocation): Promise<void> {
  const sql = runtime.sqlSystem;
  const { id, tenantId, integrationId, attempts, createdAt } = planned;
  const place = journalPlace({ tenantId, journalId: id });
  const rendered = JSON.parse(await openSecret(runtime, sql, place, planned.sealed)) as PlannedRequest;
  const owner = { integrationId, tenantId, correlationId: id };
  const deadlineMs = performance.now() + TOKEN_TIMEOUT_MS;
  const { outcome, conclude } = await exchangeToken(runtime, owner, rendered, {
    deadlineMs,
    mayStart: () => true,
  });
  const status = "kind" in outcome ? undefined : outcome.status;
  // A token that is unknown there is one that is over (RFC 7009 section 2.2); some say so with 400.
  if (status !== undefined && (status < 300 || status === 400 || status === 404)) {
    conclude(undefined);
    await closeJournal(sql, id, { state: "STORED" });
    return;
  }
  const nowMs = runtime.clock.nowMs();
  const fault = "kind" in outcome ? outcome : judgeRefusal(outcome).fault;
  const { code, retryAfterMs } = fault;
  conclude(fault);
  if (nowMs - createdAt.getTime() > GIVE_UP_MS) {
    runtime.log.warn({ integrationId, code }, "tokens of a deleted integration were not given back");
    await closeJournal(sql, id, { state: "FAILED", code, message: "Not taken back within a day" });
    return;
  }
  const retryAt = new Date(retryAtMs(attempts + 1, { nowMs, retryAfterMs }));
  await sql`
    update oauth_refresh_journal set attempts = attempts + 1, retry_at = ${retryAt}, updated_at = now()
    where id = ${id} and state = 'STARTED'`;
}
