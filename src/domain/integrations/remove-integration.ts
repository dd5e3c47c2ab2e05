import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import { announceIntegration } from "./announce-integration.ts";
import { findIntegrationUses, getIntegrationRow, updateIntegrationRow } from "./store.ts";

/**
 * Removes an integration and forgets its secrets; its history stays, and another one of the provider and environment can
 * be made. What it holds with the provider is given back by `deleteIntegration` of the gateway.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `in_use` while webhook endpoints or running jobs use it
 */
export async function removeIntegration(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "integrations:write");
  const { tenantId } = ctx;
  await withTenant(ctx, async (tx) => {
    const current = await getIntegrationRow(tx, tenantId, input.id, true);
    if (current === undefined) throw notFound();
    const uses = await findIntegrationUses(tx, tenantId, input.id);
    if (uses.length > 0) throw new HubError("in_use", `The integration is used by ${uses.join(", ")}.`);
    await updateIntegrationRow(tx, tenantId, input.id, {
      isDeleted: true,
      config: {},
      apiKeyEncrypted: null,
      oauthTokens: null,
      oauthExpiresAt: null,
      oauthRefreshAt: null,
      oauthLoginAt: null,
      oauthLoginEndsAt: null,
    });
    await emitAudit(tx, ctx, { verb: "integration.delete", objectType: "integration", objectId: input.id });
    await publishHubEvents(tx, [
      {
        tenantId,
        type: "integration.deleted",
        orderingKey: input.id,
        correlationId: ctx.requestId,
        data: {
          integrationId: input.id,
          providerCode: current.providerCode,
          environment: current.environment,
        },
      },
    ]);
  });
  await announceIntegration(ctx, input.id);
}
