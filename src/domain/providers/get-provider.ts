import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentProviderDetail } from "./present-provider.ts";
import type { ProviderDetail } from "./schema.ts";
import { findProvider } from "./store.ts";

/**
 * A provider by its code, in whichever case: the tenant's own, else the built-in one.
 *
 * @throws HubError `not_found`
 */
export async function getProvider(ctx: Context, input: { code: string }): Promise<ProviderDetail> {
  requireScope(ctx, "integrations:read");
  const row = await withTenant(ctx, (tx) => findProvider(tx, ctx.tenantId, input.code.toUpperCase()));
  if (row === undefined) throw notFound();
  return presentProviderDetail(row);
}
