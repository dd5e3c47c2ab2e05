import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentIntegration } from "./present-integration.ts";
import type { Integration } from "./schema.ts";
import { getIntegrationRow } from "./store.ts";

/** One integration. @throws HubError 403 `forbidden`; 404 `not_found` */
export async function getIntegration(ctx: Context, input: { id: string }): Promise<Integration> {
  requireScope(ctx, "integrations:read");
  const row = await withTenant(ctx, (tx) => getIntegrationRow(tx, ctx.tenantId, input.id));
  if (row === undefined) throw notFound();
  return presentIntegration(ctx.runtime.config, row);
}
