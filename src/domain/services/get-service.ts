import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import type { Service } from "./schema.ts";
import { findService, presentService } from "./store.ts";

/**
 * The service that a `targetService` of this name means for the tenant: its own, else the platform's.
 *
 * @throws HubError `not_found`
 */
export async function getService(ctx: Context, input: { name: string }): Promise<Service> {
  requireScope(ctx, "webhooks:read");
  const row = await withTenant(ctx, (tx) => findService(tx, ctx.tenantId, input.name));
  if (!row) throw notFound();
  return presentService(row);
}
