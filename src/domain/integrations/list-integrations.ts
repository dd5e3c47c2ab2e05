import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, type PageInput, readCursor } from "../pagination.ts";
import { presentIntegration } from "./present-integration.ts";
import type { Integration } from "./schema.ts";
import { type IntegrationFilter, listIntegrationRows } from "./store.ts";

/**
 * A page of the tenant's integrations, newest first.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours
 */
export async function listIntegrations(
  ctx: Context,
  input: PageInput & IntegrationFilter,
): Promise<Page<Integration>> {
  requireScope(ctx, "integrations:read");
  const { limit, beforeId } = readCursor(input);
  const filter = { ...input, providerCode: input.providerCode?.toUpperCase() };
  const rows = await withTenant(ctx, (tx) =>
    listIntegrationRows(tx, ctx.tenantId, { limit: limit + 1, beforeId }, filter),
  );
  return pageOf(rows, limit, (row) => presentIntegration(ctx.runtime.config, row));
}
