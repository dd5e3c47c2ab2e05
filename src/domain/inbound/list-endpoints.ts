import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, pageOf, readCursor } from "../pagination.ts";
import type { Endpoint, EndpointStatus } from "./endpoint-schema.ts";
import { listEndpointRows } from "./endpoint-store.ts";
import { presentEndpoint } from "./present-endpoint.ts";

/**
 * A page of the tenant's endpoints, newest first.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours
 */
export async function listEndpoints(
  ctx: Context,
  input: { limit?: number; cursor?: string; status?: EndpointStatus; integrationId?: string },
): Promise<Page<Endpoint>> {
  requireScope(ctx, "webhooks:read");
  const { limit, beforeId } = readCursor(input);
  const rows = await withTenant(ctx, (tx) =>
    listEndpointRows(tx, ctx.tenantId, {
      limit: limit + 1,
      beforeId,
      status: input.status,
      integrationId: input.integrationId,
    }),
  );
  return pageOf(rows, limit, (row) => presentEndpoint(ctx.runtime.config, row));
}
