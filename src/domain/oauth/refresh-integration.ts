import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { integrationCacheOf } from "../integrations/integration-cache.ts";
import { loadIntegration, openCredentials } from "../integrations/load-integration.ts";
import { presentIntegration } from "../integrations/present-integration.ts";
import type { Integration } from "../integrations/schema.ts";
import { getIntegrationRow } from "../integrations/store.ts";
import { ensureFreshToken } from "./ensure-fresh-token.ts";
import { hasTokens } from "./token-times.ts";

/**
 * Replaces the tokens of an integration now, whether or not it is time.
 *
 * @returns the integration with the new end of its token
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `not_oauth` when its calls carry no token; 409
 * `reauthorization_required` when a person has to log in; 503 `token_unavailable` with Retry-After when the provider gives
 * none now, or its token endpoint's limit is reached
 */
export async function refreshIntegration(ctx: Context, input: { id: string }): Promise<Integration> {
  requireScope(ctx, "integrations:write");
  const { runtime, tenantId } = ctx;
  integrationCacheOf(runtime).invalidate(input.id);
  const integration = await loadIntegration(ctx, input.id);
  if (!hasTokens(integration.auth))
    throw new HubError("not_oauth", "Calls of this integration carry no token that could be refreshed.");
  const credentials = await openCredentials(ctx, integration);
  if (integration.auth.type === "OAUTH2_CODE" && credentials["refreshToken"] === undefined)
    throw new HubError("reauthorization_required", "There is no refresh token: somebody has to log in.");
  await ensureFreshToken(ctx, integration, { force: true });
  const row = await withTenant(ctx, async (tx) => {
    await emitAudit(tx, ctx, {
      verb: "integration.refresh_oauth",
      objectType: "integration",
      objectId: input.id,
      changedFields: ["oauthTokens"],
    });
    return getIntegrationRow(tx, tenantId, input.id);
  });
  if (row === undefined) throw notFound();
  return presentIntegration(runtime.config, row);
}
