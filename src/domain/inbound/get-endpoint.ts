import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { Endpoint } from "./endpoint-schema.ts";
import { getEndpointRow } from "./endpoint-store.ts";
import { presentEndpoint } from "./present-endpoint.ts";

/**
 * One endpoint of the tenant.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getEndpoint(ctx: Context, input: { id: string }): Promise<Endpoint> {
  requireScope(ctx, "webhooks:read");
  const row = await withTenant(ctx, (tx) => getEndpointRow(tx, ctx.tenantId, input.id));
  if (!row) throw notFound();
  return presentEndpoint(ctx.runtime.config, row);
}
