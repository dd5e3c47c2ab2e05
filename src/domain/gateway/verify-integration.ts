import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { announceIntegration, announceTokens } from "../integrations/announce-integration.ts";
import type { TriedConnection } from "../integrations/create-integration.ts";
import { loadedOf } from "../integrations/integration-cache.ts";
import type { LoadedIntegration } from "../integrations/loaded-integration.ts";
import { presentIntegration } from "../integrations/present-integration.ts";
import { saveTest, type TestPurpose } from "../integrations/save-test.ts";
import type { Integration, TestResult } from "../integrations/schema.ts";
import { openFields } from "../integrations/secret-fields.ts";
import { getIntegrationRow } from "../integrations/store.ts";
import { openTokens } from "../integrations/token-store.ts";
import { ensureFreshToken, type UsableIntegration } from "../oauth/ensure-fresh-token.ts";
import { connectionDoor } from "./connection-door.ts";
import { tryConnection } from "./try-connection.ts";

/** Codes of a test that the hub itself did not let out. */
const REFUSALS: readonly string[] = ["circuit_open", "queue_full", "queue_timeout", "rate_limited"];

function isRefused({ code, steps }: TestResult): boolean {
  return REFUSALS.includes(code) && steps.at(-1)?.request === null;
}

/** A test's result, and the integration after it. */
export interface VerifiedIntegration {
  test: TestResult;
  integration: Integration;
}

/**
 * Tests the connection of a stored integration, whatever its status, and stores the result. A passed test brings one in
 * ERROR back to ACTIVE, a failed one takes one out of ACTIVE; a PAUSED one stays so.
 *
 * @param input.oneTime values that are used for this test and not stored
 * @returns what was asked, what came back, and which field is to blame
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `reauthorization_required` when somebody has to log in; 503
 * `token_unavailable` when the provider gives no token now
 */
export async function verifyIntegration(
  ctx: Context,
  input: { id: string; purpose?: TestPurpose; oneTime?: Readonly<Record<string, string>> },
): Promise<VerifiedIntegration> {
  requireScope(ctx, "integrations:write");
  const { runtime, tenantId } = ctx;
  const { id, purpose = "asked", oneTime = {} } = input;
  const { integration, credentials } = await withTenant(ctx, async (tx) => {
    const row = await getIntegrationRow(tx, tenantId, id);
    if (row === undefined) throw notFound();
    return {
      integration: loadedOf(runtime, row),
      credentials: {
        ...(await openFields(runtime, tx, row)),
        ...(await openTokens(runtime, tx, row)).values,
        ...oneTime,
      },
    };
  });
  if (integration.auth.type === "OAUTH2_CODE" && credentials["accessToken"] === undefined)
    throw new HubError("reauthorization_required", "Nobody has logged in with the provider yet.");
  const { tried, tested } = await tryWithTokens(ctx, integration, { credentials, oneTime, purpose });
  // Not even asked: that the provider is busy or known to fail says nothing new of the connection.
  if (purpose === "idle" && isRefused(tried.test)) {
    const row = await withTenant(ctx, (tx) => getIntegrationRow(tx, tenantId, id));
    if (row === undefined) throw notFound();
    return { test: tried.test, integration: presentIntegration(runtime.config, row) };
  }
  const after = await withTenant(ctx, async (tx) => {
    const row = await getIntegrationRow(tx, tenantId, id, true);
    if (row === undefined) throw notFound();
    await saveTest(runtime, tx, row, {
      tried,
      tested,
      purpose,
      correlationId: ctx.requestId,
    });
    // What the hub does every five minutes by itself is in the API log, and is no act of anybody.
    if (purpose !== "idle") {
      await emitAudit(tx, ctx, {
        verb: purpose === "enable" ? "integration.enable" : "integration.test",
        objectType: "integration",
        objectId: id,
        changedFields: purpose === "enable" && tried.test.passed ? ["status"] : [],
      });
    }
    return (await getIntegrationRow(tx, tenantId, id))!;
  });
  // Every inbound endpoint is read anew after the first kind, so an unchanged status is not announced.
  if (after.status !== integration.status) await announceIntegration(ctx, id);
  else if (tried.tokens !== undefined) await announceTokens(runtime, id);
  return { test: tried.test, integration: presentIntegration(runtime.config, after) };
}

/**
 * Tests with what a person's log-in gave, refreshed where it is time; a token that the provider withdrew is replaced once.
 *
 * @returns `tested`: the version of the configuration that was tested
 */
async function tryWithTokens(
  ctx: Context,
  integration: LoadedIntegration,
  input: {
    credentials: Readonly<Record<string, string>>;
    oneTime: Readonly<Record<string, string>>;
    purpose: TestPurpose;
  },
): Promise<{ tried: TriedConnection; tested: number }> {
  const { runtime } = ctx;
  const { credentials, oneTime, purpose } = input;
  const attempt = async (usable: UsableIntegration) => ({
    tried: await tryConnection(runtime, {
      ...usable.integration,
      integrationId: integration.id,
      correlationId: ctx.requestId,
      credentials: { ...usable.credentials, ...oneTime },
      door: connectionDoor(runtime, usable.integration, purpose === "idle" ? "low" : "normal"),
    }),
    tested: usable.integration.version,
  });
  if (integration.auth.type !== "OAUTH2_CODE") return attempt({ integration, credentials });
  const usable = await ensureFreshToken(ctx, integration);
  const first = await attempt(usable);
  const { accessToken: rejectedToken, refreshToken } = usable.credentials;
  const isWithdrawn = first.tried.test.steps.at(-1)?.response?.status === 401;
  if (!isWithdrawn || rejectedToken === undefined || refreshToken === undefined) return first;
  return attempt(await ensureFreshToken(ctx, usable.integration, { rejectedToken }));
}
