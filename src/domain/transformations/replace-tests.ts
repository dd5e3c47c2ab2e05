import { type Context, requireScope } from "../context.ts";
import { listTests } from "./list-tests.ts";
import type { ReplaceTestsInput, TransformationTest } from "./transformation-schema.ts";
import { updateTransformation } from "./update-transformation.ts";

/**
 * Replaces the test cases of a template. They have to pass with its newest version.
 *
 * @throws HubError as `updateTransformation`
 */
export async function replaceTests(
  ctx: Context,
  input: ReplaceTestsInput & { id: string },
): Promise<{ data: TransformationTest[] }> {
  requireScope(ctx, "transformations:write");
  await updateTransformation(ctx, { id: input.id, changes: { tests: input.tests } });
  return listTests(ctx, { id: input.id });
}
