import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { deleteEndpointRow } from "./endpoint-store.ts";
import { publishEndpointChange } from "./publish-endpoint-change.ts";

/**
 * Deletes an endpoint: its URL answers 404 from then on, its receipts stay, its path becomes free.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function deleteEndpoint(ctx: Context, input: { id: string }): Promise<void> {
  requireScope(ctx, "webhooks:write");
  await withTenant(ctx, async (tx) => {
    if (!(await deleteEndpointRow(tx, ctx.tenantId, input.id))) throw notFound();
    await emitAudit(tx, ctx, {
      verb: "webhook_endpoint.delete",
      objectType: "webhook_endpoint",
      objectId: input.id,
    });
  });
  await publishEndpointChange(ctx, input.id);
}
