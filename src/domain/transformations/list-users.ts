import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { getTransformationRow } from "./store.ts";
import { listTemplateUsers, type TemplateUser } from "./usage-store.ts";

/**
 * Who uses a template: endpoints, subscriptions, EDI partners and other templates of the tenant.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function listUsers(ctx: Context, input: { id: string }): Promise<{ data: TemplateUser[] }> {
  requireScope(ctx, "transformations:read");
  return withTenant(ctx, async (tx) => {
    const row = await getTransformationRow(tx, ctx.tenantId, input.id);
    if (row === undefined) throw notFound();
    return { data: await listTemplateUsers(tx, ctx.tenantId, row) };
  });
}
