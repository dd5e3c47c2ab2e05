import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { Page } from "../pagination.ts";
import type { ApiLog, ApiLogFilter } from "./schema.ts";
import { searchApiLogs } from "./search-api-logs.ts";
import { integrationExists } from "./store.ts";

/**
 * A page of one integration's calls, newest first; the same filters and bounds as the search.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found` when the tenant has no such integration; 422 `invalid_input`
 */
export async function listIntegrationLogs(
  ctx: Context,
  input: ApiLogFilter & { integrationId: string },
): Promise<Page<ApiLog>> {
  requireScope(ctx, "logs:read");
  if (!(await withTenant(ctx, (tx) => integrationExists(tx, ctx.tenantId, input.integrationId))))
    throw notFound();
  return await searchApiLogs(ctx, input);
}
