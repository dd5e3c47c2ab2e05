import { type Context, requireScope, type Transaction, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { listPauses } from "./pause-store.ts";
import { presentTransformationDetail } from "./present-transformation.ts";
import { getTransformationRow } from "./store.ts";
import type { TransformationDetail } from "./transformation-schema.ts";

/**
 * One template, the tenant's own or the system's, with the content of its newest version.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function getTransformation(ctx: Context, input: { id: string }): Promise<TransformationDetail> {
  requireScope(ctx, "transformations:read");
  return withTenant(ctx, (tx) => readTransformation(tx, ctx.tenantId, input.id));
}

/** @throws HubError 404 `not_found` */
export async function readTransformation(
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<TransformationDetail> {
  const row = await getTransformationRow(tx, tenantId, id);
  if (row === undefined) throw notFound();
  return presentTransformationDetail(row, await listPauses(tx, tenantId, [id]));
}
