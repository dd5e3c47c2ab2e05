import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { HubError } from "../errors.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import { authKindOf } from "../providers/choose-auth.ts";
import { announceIntegration } from "./announce-integration.ts";
import { publishConnection } from "./change-status.ts";
import { type PreparedIntegration, prepareIntegration } from "./prepare-integration.ts";
import { presentIntegration } from "./present-integration.ts";
import type { CreateIntegrationInput, Integration, TestResult } from "./schema.ts";
import { sealFields } from "./secret-fields.ts";
import { nextStatus, type StatusCause } from "./state.ts";
import { getIntegrationRow, insertIntegrationRow } from "./store.ts";
import { refreshTimeOf, sealTokens } from "./token-store.ts";

const UNIQUE_VIOLATION = "23505";

/** What a connection test found before the integration was stored. */
export interface TriedConnection {
  test: TestResult;
  /** What the log-in gave: one that used a one-time value cannot be repeated. */
  tokens?: { values: Record<string, string>; expiresAt: Date | null };
  /** Values of derived fields. */
  derived: Readonly<Record<string, string>>;
}

/**
 * Creates an integration: ACTIVE after a passed test, ERROR after a failed one, PENDING_AUTH where somebody has to log
 * in first, PAUSED when no test was asked for. Secrets are sealed and not shown again.
 *
 * @param input.tried the test of exactly this configuration; left out: none was asked for
 * @throws HubError 403 `forbidden`; 409 `conflict` when the tenant has one of this provider and environment; 422
 * `no_sandbox` or `invalid_input` with the path of each fault
 */
export async function createIntegration(
  ctx: Context,
  input: CreateIntegrationInput & { tried?: TriedConnection | undefined },
): Promise<Integration> {
  requireScope(ctx, "integrations:write");
  const { runtime } = ctx;
  const id = newId(runtime.clock.nowMs());
  const row = await withTenant(ctx, async (tx) => {
    const prepared = await prepareIntegration(ctx, tx, input);
    const cause = causeOf(prepared, input.tried);
    await insert(ctx, tx, { ...input, id }, prepared, cause);
    await emitAudit(tx, ctx, {
      verb: "integration.create",
      objectType: "integration",
      objectId: id,
      changedFields: Object.keys(input).filter((name) => name !== "tried"),
    });
    const made = (await getIntegrationRow(tx, ctx.tenantId, id))!;
    const now = new Date(runtime.clock.nowMs());
    await publishHubEvents(tx, [
      {
        tenantId: ctx.tenantId,
        type: "integration.created",
        orderingKey: id,
        occurredAt: now,
        correlationId: ctx.requestId,
        data: { integrationId: id, ...presentIntegration(runtime.config, made), lastTest: undefined },
      },
    ]);
    await publishConnection(
      tx,
      { ...made, status: "NEW", to: made.status },
      { now, correlationId: ctx.requestId },
    );
    return made;
  });
  await announceIntegration(ctx, id);
  return presentIntegration(runtime.config, row);
}

function causeOf({ auth }: PreparedIntegration, tried: TriedConnection | undefined): StatusCause {
  if (auth.type === "OAUTH2_CODE") return "authorization_needed";
  if (tried === undefined) return "test_skipped";
  return tried.test.passed ? "test_passed" : "test_failed";
}

async function insert(
  ctx: Context,
  tx: Transaction,
  input: CreateIntegrationInput & { id: string; tried?: TriedConnection | undefined },
  { provider, environment, parts, auth }: PreparedIntegration,
  cause: StatusCause,
): Promise<void> {
  const { runtime, tenantId } = ctx;
  const { id, tried } = input;
  const place = { id, tenantId };
  const sealed = await sealFields(runtime, tx, place, parts.secrets);
  const testedAt = tried === undefined ? null : new Date(tried.test.testedAt);
  const userId = ctx.actor.type === "user" ? ctx.actor.id : null;
  try {
    await insertIntegrationRow(tx, {
      id,
      tenantId,
      providerId: provider.id,
      providerVersion: null,
      name: input.name,
      description: input.description ?? null,
      config: { ...parts.open, ...tried?.derived, ...sealed.config },
      overrides: input.overrides ?? {},
      environment,
      authType: authKindOf(auth),
      apiKeyEncrypted: sealed.apiKeyEncrypted ?? null,
      oauthTokens:
        tried?.tokens === undefined ? null : await sealTokens(runtime, tx, place, tried.tokens.values),
      oauthExpiresAt: tried?.tokens?.expiresAt ?? null,
      oauthRefreshAt: refreshTimeOf(tried?.tokens?.expiresAt ?? null),
      status: nextStatus("NEW", cause),
      lastTest: tried?.test ?? null,
      lastTestAt: testedAt,
      lastCallAt: testedAt,
      lastSuccessfulCall: tried?.test.passed === true ? testedAt : null,
      lastError:
        tried === undefined || tried.test.passed ? null : `${tried.test.code}: ${tried.test.message}`,
      lastErrorAt: tried === undefined || tried.test.passed ? null : testedAt,
      retryEnabled: input.retryEnabled ?? true,
      maxRetries: input.maxRetries ?? null,
      timeoutSeconds: input.timeoutSeconds ?? null,
      syncFrequency: input.syncFrequency ?? null,
      externalId: input.externalId ?? null,
      sourceSystem: input.sourceSystem ?? null,
      customFields: input.customFields ?? {},
      createdBy: userId,
      updatedBy: userId,
    });
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
    throw new HubError("conflict", `There is an integration of ${provider.code} for ${environment} already.`);
  }
}
