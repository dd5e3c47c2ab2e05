import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { announceIntegration } from "./announce-integration.ts";
import { changeStatus } from "./change-status.ts";
import { presentIntegration } from "./present-integration.ts";
import type { Integration } from "./schema.ts";
import { getIntegrationRow } from "./store.ts";

/**
 * Disables an integration: it keeps its configuration and does nothing. What its webhook endpoints receive is held, calls
 * are refused.
 *
 * @returns the integration, PAUSED also when it was so before
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function disableIntegration(ctx: Context, input: { id: string }): Promise<Integration> {
  requireScope(ctx, "integrations:write");
  const row = await withTenant(ctx, async (tx) => {
    const current = await getIntegrationRow(tx, ctx.tenantId, input.id, true);
    if (current === undefined) throw notFound();
    if (current.status === "PAUSED") return current;
    const now = new Date(ctx.runtime.clock.nowMs());
    await changeStatus(tx, current, { cause: "disabled", now, correlationId: ctx.requestId });
    await emitAudit(tx, ctx, {
      verb: "integration.disable",
      objectType: "integration",
      objectId: input.id,
      changedFields: ["status"],
    });
    return (await getIntegrationRow(tx, ctx.tenantId, input.id))!;
  });
  await announceIntegration(ctx, input.id);
  return presentIntegration(ctx.runtime.config, row);
}
