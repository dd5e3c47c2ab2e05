import { type Context, requireScope, withTenant } from "../context.ts";
import { type Page, type PageInput, pageOf, readCursor } from "../pagination.ts";
import { listPauses } from "./pause-store.ts";
import { presentTransformation } from "./present-transformation.ts";
import { listTransformationRows, type TransformationFilter } from "./store.ts";
import type { Transformation } from "./transformation-schema.ts";

/**
 * A page of the templates that the tenant sees, its own and the system's, newest first.
 *
 * @throws HubError 403 `forbidden`; 422 `invalid_input` for a cursor that is none of ours
 */
export async function listTransformations(
  ctx: Context,
  input: PageInput & TransformationFilter,
): Promise<Page<Transformation>> {
  requireScope(ctx, "transformations:read");
  const { limit, beforeId } = readCursor(input);
  const { rows, pauses } = await withTenant(ctx, async (tx) => {
    const found = await listTransformationRows(tx, ctx.tenantId, { limit: limit + 1, beforeId }, input);
    return {
      rows: found,
      pauses: await listPauses(
        tx,
        ctx.tenantId,
        found.map(({ id }) => id),
      ),
    };
  });
  return pageOf(rows, limit, (row) =>
    presentTransformation(
      row,
      pauses.filter(({ templateId }) => templateId === row.id),
    ),
  );
}
