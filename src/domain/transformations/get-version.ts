import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentVersion } from "./present-transformation.ts";
import { getTransformationRow, getVersionRow } from "./store.ts";
import type { TransformationVersion } from "./transformation-schema.ts";

/**
 * One version of a template.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getVersion(
  ctx: Context,
  input: { id: string; version: number },
): Promise<TransformationVersion> {
  requireScope(ctx, "transformations:read");
  return withTenant(ctx, async (tx) => {
    const template = await getTransformationRow(tx, ctx.tenantId, input.id);
    const row = template && (await getVersionRow(tx, ctx.tenantId, input.id, input.version));
    if (row === undefined) throw notFound();
    return presentVersion(row);
  });
}
