import { type Context, requireScope, withTenant } from "../context.ts";
import { notFound } from "../errors.ts";
import { presentTest } from "./present-transformation.ts";
import { getTransformationRow } from "./store.ts";
import { listTestRows } from "./test-store.ts";
import type { TransformationTest } from "./transformation-schema.ts";

/**
 * The test cases of a template, by name.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`
 */
export async function listTests(
  ctx: Context,
  input: { id: string },
): Promise<{ data: TransformationTest[] }> {
  requireScope(ctx, "transformations:read");
  return withTenant(ctx, async (tx) => {
    if ((await getTransformationRow(tx, ctx.tenantId, input.id)) === undefined) throw notFound();
    return { data: (await listTestRows(tx, ctx.tenantId, input.id)).map(presentTest) };
  });
}
