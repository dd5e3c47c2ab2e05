import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { type Page, type PageInput, pageOf, readCursor } from "../pagination.ts";
import { presentVersion } from "./present-transformation.ts";
import { getTransformationRow, listVersionRows } from "./store.ts";
import type { TransformationVersion } from "./transformation-schema.ts";

/**
 * A page of a template's versions, newest first.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 422 `invalid_input` for a cursor that is none of ours
 */
export async function listVersions(
  ctx: Context,
  input: PageInput & { id: string },
): Promise<Page<TransformationVersion>> {
  requireScope(ctx, "transformations:read");
  const { limit, beforeId } = readCursor(input);
  const rows = await withTenant(ctx, async (tx) => {
    if ((await getTransformationRow(tx, ctx.tenantId, input.id)) === undefined) throw notFound();
    return listVersionRows(tx, ctx.tenantId, input.id, { limit: limit + 1, beforeId });
  });
  return pageOf(rows, limit, presentVersion);
}
